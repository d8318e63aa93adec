"""PVD-AL's three levels: what was hard is looked at again, and only that."""

import numpy as np
import pytest
import torch

from pvd_engine.data.geometry.poses import PoseDistribution
from pvd_engine.distill.hard_poses import HARD_TURN
from pvd_engine.distill.objective import HARD_POINTS, HARD_POINTS_ALPHA, most_counting
from pvd_engine.distill.ray_source import HARD_FRACTION, HARD_RAYS, POSES, RENEW_EVERY, RaySource
from pvd_engine.kernels.compositing import Composited
from pvd_engine.kernels.marching import PackedSamples

WORST = round(HARD_FRACTION * POSES)


@pytest.fixture
def poses():
    camera = {"width": 32, "height": 24, "fx": 30.0, "fy": 30.0, "cx": 16.0, "cy": 12.0}
    return PoseDistribution(
        [0.0, 0.0, 0.0], 0.1, [2.0, 3.0], [0.0, 1.0], [0.0, 6.28], [0.0, 0.0, 1.0], camera
    )


def ray_source(poses, hard_poses=False, hard_rays=False):
    return RaySource(poses, None, torch.device("cpu"), 5, hard_poses, hard_rays)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def test_the_hardest_cameras_come_again_a_little_turned(poses):
    source = ray_source(poses, hard_poses=True)
    hard = torch.arange(7, 7 + WORST)
    for step in range(RENEW_EVERY):
        drawn = source.draw(4000, step, generator(step))
        source.learn(drawn, torch.isin(drawn.pose, hard).float() + 0.01)
    before = source.random_cameras
    source.draw(10, RENEW_EVERY, generator())
    after = source.random_cameras
    again = after.positions[:WORST]
    assert {tuple(p.tolist()) for p in again} == {tuple(before.positions[i].tolist()) for i in hard}
    # Three turns by at most HARD_TURN each turn every axis by less than their sum.
    for place in range(WORST):
        index = int((before.positions - again[place]).norm(dim=1).argmin())
        turn = before.rotations[index].T @ after.rotations[place]
        angle = torch.arccos(((turn.trace() - 1) / 2).clamp(-1, 1))
        assert 0 < angle <= 3 * HARD_TURN
    others = after.positions[WORST:]
    assert (others[:, None] - before.positions[None]).norm(dim=-1).min() > 1e-6


def test_without_it_cameras_depend_on_the_step_alone(poses):
    first, second = ray_source(poses), ray_source(poses)
    drawn = first.draw(100, 0, generator())
    first.learn(drawn, torch.rand(100))
    first.draw(10, RENEW_EVERY, generator())
    second.draw(10, RENEW_EVERY, generator())
    assert torch.equal(first.random_cameras.positions, second.random_cameras.positions)


def test_the_worst_rays_are_cast_again_once_there_are_enough(poses):
    source = ray_source(poses, hard_rays=True)
    table = source.hard_rays.table
    count, step = 4000, 0
    kept = []
    while source.hard_rays.filled < HARD_RAYS:
        drawn = source.draw(count, step, generator(step))
        assert len(drawn.slots) == 0 and len(drawn.pose) == count
        errors = torch.rand(count, generator=generator(step + 1))
        source.learn(drawn, errors)
        share = min(round(HARD_FRACTION * count), HARD_RAYS - len(kept))
        worst = errors.topk(share).indices
        kept.extend(torch.cat(drawn.rays, dim=1)[worst].tolist())
        step += 1
    assert torch.allclose(table, torch.tensor(kept))
    drawn = source.draw(count, step, generator(step))
    extra = round(HARD_FRACTION * count)
    assert len(drawn.pose) == count + extra
    rays = torch.cat(drawn.rays, dim=1)
    assert torch.equal(rays[count:], table[drawn.slots])
    errors = torch.zeros(count + extra)
    errors[:extra] = 1.0
    source.learn(drawn, errors)
    assert {tuple(r) for r in table[drawn.slots].tolist()} == {
        tuple(r) for r in rays[:extra].tolist()
    }


@pytest.mark.parametrize("done", [0, RENEW_EVERY, RENEW_EVERY + 3])
def test_an_interrupted_choice_goes_on_as_it_would_have(poses, done):
    source = ray_source(poses, hard_poses=True, hard_rays=True)
    for step in range(done):
        drawn = source.draw(500, step, generator(step))
        source.learn(drawn, torch.rand(500, generator=generator(step)))
    resumed = ray_source(poses, hard_poses=True, hard_rays=True)
    for name, part in source.parts().items():
        resumed.parts()[name].load_state({k: v.clone() for k, v in part.state().items()})
    for step in range(done, 3 * RENEW_EVERY):
        drawn = [s.draw(500, step, generator(step)) for s in (source, resumed)]
        assert torch.equal(drawn[0].rays.origins, drawn[1].rays.origins)
        assert torch.equal(drawn[0].rays.directions, drawn[1].rays.directions)
        errors = torch.rand(len(drawn[0].pose), generator=generator(step))
        source.learn(drawn[0], errors)
        resumed.learn(drawn[1], errors)


def test_the_points_that_count_most_are_those_with_the_largest_weights_of_visible_rays():
    random = np.random.default_rng(0)
    counts = [10, 0, 1, 7, 25]
    weights = [random.random(n) for n in counts]
    alphas = [0.9, 0.0, 0.8, HARD_POINTS_ALPHA - 0.01, 0.6]
    expected = []
    for values, alpha in zip(weights, alphas, strict=True):
        kept = int(HARD_POINTS * len(values)) + 1
        order = np.argsort(-values)[:kept]
        chosen = np.zeros(len(values), bool)
        chosen[order] = alpha >= HARD_POINTS_ALPHA
        expected.extend(chosen)
    offsets = torch.tensor([0, *np.cumsum(counts)])
    ray = torch.repeat_interleave(torch.arange(len(counts)), torch.tensor(counts))
    samples = PackedSamples(ray, torch.zeros(sum(counts)), offsets)
    flat = torch.from_numpy(np.concatenate(weights)).float()
    composited = Composited(torch.zeros(5, 3), torch.tensor(alphas), torch.zeros(5), flat)
    assert most_counting(composited, samples).tolist() == expected
