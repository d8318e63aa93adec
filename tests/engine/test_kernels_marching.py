import math

import pytest
import torch

from pvd_engine.kernels.marching import (
    PackedSamples,
    march_rays,
    march_rays_reference,
    march_rays_warp,
    select,
    through_box,
)

BOTH = pytest.mark.parametrize("march", [march_rays_warp, march_rays_reference])
UNIT_BOX = torch.tensor([[0.0, 0.0, 0.0], [1.0, 1.0, 1.0]])


def random_rays(count, box, seed=0):
    generator = torch.Generator().manual_seed(seed)
    center, size = box.mean(0), box[1] - box[0]
    origins = center + torch.randn((count, 3), generator=generator) * size
    targets = box[0] + torch.rand((count, 3), generator=generator) * size
    directions = torch.nn.functional.normalize(targets - origins, dim=-1)
    return origins, directions, torch.rand(count, generator=generator)


def assert_same(a, b):
    assert torch.equal(a.offsets, b.offsets)
    assert torch.equal(a.ray_index, b.ray_index)
    assert torch.equal(a.t, b.t)


@pytest.mark.parametrize("shape", [(32, 32, 32), (7, 19, 30), (1, 1, 1), (64, 3, 16)])
@pytest.mark.parametrize("fraction", [0.0, 0.02, 0.5, 1.0])
@pytest.mark.parametrize("step", [0.003, 0.05, 0.4])
def test_fast_kernel_keeps_exactly_the_candidates_of_the_reference(shape, fraction, step):
    box = torch.tensor([[-1.0, -0.7, 0.2], [1.3, 0.9, 2.0]])
    occupancy = (torch.rand(shape) < fraction).to(torch.uint8)
    rays = random_rays(400, box)
    arguments = (*rays[:2], occupancy, box, step, rays[2])
    assert_same(march_rays_warp(*arguments), march_rays_reference(*arguments))


def test_axis_parallel_rays_and_origins_on_faces_agree():
    occupancy = (torch.rand(16, 16, 16) < 0.3).to(torch.uint8)
    axes = torch.cat((torch.eye(3), -torch.eye(3))).repeat(4, 1)
    origins = torch.cat((torch.zeros(6, 3), torch.full((6, 3), 0.5), torch.rand(12, 3)))
    arguments = (origins, axes, occupancy, UNIT_BOX, 0.01, torch.zeros(24))
    assert_same(march_rays_warp(*arguments), march_rays_reference(*arguments))


def test_more_separate_runs_than_are_noted_are_all_filled():
    # Every other slab is occupied: 64 runs along x.
    occupancy = torch.zeros(128, 8, 8, dtype=torch.uint8)
    occupancy[::2] = 1
    origins = torch.tensor([[-1.0, 0.5, 0.5]]).repeat(20, 1)
    origins[:, 1:] += torch.linspace(-0.3, 0.3, 20)[:, None]
    directions = torch.tensor([[1.0, 0.0, 0.0]]).repeat(20, 1)
    arguments = (origins, directions, occupancy, UNIT_BOX, 0.001, torch.rand(20))
    fast = march_rays_warp(*arguments)
    assert_same(fast, march_rays_reference(*arguments))
    # Half the candidates of each ray, up to one slab of 8 of them.
    assert ((fast.offsets[1:] - fast.offsets[:-1] - 500).abs() <= 8).all()


def test_rays_enter_and_leave_a_box_where_they_cross_its_sides():
    origins = torch.tensor([[-3.0, 0, 0], [0.0, 0, 0], [-3.0, 5, 0], [-3.0, 0, 0]])
    directions = torch.tensor([[1.0, 0, 0], [0.0, 1, 0], [1.0, 0, 0], [-1.0, 0, 0]])
    box = torch.tensor([[-1.0, -1, -1], [1.0, 1, 1]])
    enter, leave = through_box(origins, directions, box)
    assert torch.allclose(enter[:2], torch.tensor([2.0, 0.0]))
    assert torch.allclose(leave[:2], torch.tensor([4.0, 1.0]))
    assert torch.equal(enter[2:], leave[2:]), "those that pass by or look away"


@BOTH
def test_candidates_lie_a_step_apart_from_the_entry_of_the_box(march):
    samples = march(
        torch.tensor([[-2.0, 0.5, 0.5]]),
        torch.tensor([[1.0, 0.0, 0.0]]),
        torch.ones(4, 4, 4, dtype=torch.uint8),
        UNIT_BOX,
        0.125,
        torch.tensor([0.5]),
    )
    assert torch.allclose(samples.t, 2 + (torch.arange(8) + 0.5) * 0.125)


@BOTH
def test_a_ray_from_inside_starts_at_its_origin(march):
    samples = march(
        torch.tensor([[0.5, 0.5, 0.5]]),
        torch.tensor([[0.0, 0.0, 1.0]]),
        torch.ones(4, 4, 4, dtype=torch.uint8),
        UNIT_BOX,
        0.1,
        torch.zeros(1),
    )
    assert torch.allclose(samples.t, torch.arange(5) * 0.1)


@BOTH
def test_samples_lie_in_occupied_cells_only(march):
    occupancy = torch.zeros(10, 10, 10, dtype=torch.uint8)
    occupancy[3, 4, 5] = 1
    origins, directions, jitter = random_rays(2000, UNIT_BOX)
    samples = march(origins, directions, occupancy, UNIT_BOX, 0.01, jitter)
    positions = origins[samples.ray_index] + samples.t[:, None] * directions[samples.ray_index]
    low = torch.tensor([0.3, 0.4, 0.5])
    assert len(samples) > 0
    assert (positions >= low - 1e-5).all() and (positions <= low + 0.1 + 1e-5).all()


@BOTH
def test_rays_that_miss_or_look_away_have_no_samples(march):
    origins = torch.tensor([[-1.0, 2.0, 0.5], [-1.0, 0.5, 0.5], [-1.0, 0.5, 0.5]])
    directions = torch.tensor([[1.0, 0.0, 0.0], [-1.0, 0.0, 0.0], [1.0, 0.0, 0.0]])
    occupancy = torch.ones(2, 2, 2, dtype=torch.uint8)
    samples = march(origins, directions, occupancy, UNIT_BOX, 0.3, torch.zeros(3))
    assert samples.offsets.tolist() == [0, 0, 0, 4]
    assert samples.ray_index.tolist() == [2, 2, 2, 2]


@BOTH
def test_no_rays_give_no_samples(march):
    nothing = torch.zeros(0, 3)
    occupancy = torch.ones(2, 2, 2, dtype=torch.uint8)
    samples = march(nothing, nothing, occupancy, UNIT_BOX, 0.1, torch.zeros(0))
    assert samples.offsets.tolist() == [0] and len(samples) == 0 and samples.rays == 0


def test_select_keeps_chosen_samples_and_their_rays():
    samples = PackedSamples(
        torch.tensor([0, 0, 2, 2, 2]), torch.arange(5.0), torch.tensor([0, 2, 2, 5])
    )
    kept = select(samples, torch.tensor([1, 2, 4]))
    assert kept.ray_index.tolist() == [0, 2, 2]
    assert kept.t.tolist() == [1, 2, 4]
    assert kept.offsets.tolist() == [0, 1, 1, 3]


@pytest.mark.parametrize("step", [0.0, -1.0, math.nan])
def test_a_step_that_leads_nowhere_is_refused(step):
    origins, directions, jitter = random_rays(3, UNIT_BOX)
    occupancy = torch.ones(2, 2, 2, dtype=torch.uint8)
    with pytest.raises(ValueError, match="step"):
        march_rays(origins, directions, occupancy, UNIT_BOX, step, jitter)
