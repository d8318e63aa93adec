"""Marching through contracted space: the fast kernel keeps what the reference keeps."""

import pytest
import torch

from pvd_engine.kernels.contracted import (
    FARTHEST,
    RayCoordinate,
    contract,
    expand,
    march_contracted,
    march_contracted_reference,
    march_contracted_warp,
)


def random_rays(count: int = 400, seed: int = 0):
    generator = torch.Generator().manual_seed(seed)
    origins = torch.randn((count, 3), generator=generator) * 2
    directions = torch.randn((count, 3), generator=generator)
    directions = torch.nn.functional.normalize(directions, dim=-1)
    return origins, directions, torch.rand(count, generator=generator)


@pytest.mark.parametrize("shape", [(32, 32, 32), (7, 19, 30), (1, 1, 1)])
@pytest.mark.parametrize("fraction", [0.0, 0.05, 1.0])
@pytest.mark.parametrize("step", [0.01, 0.3])
def test_fast_kernel_keeps_exactly_the_candidates_of_the_reference(shape, fraction, step):
    occupancy = (torch.rand(shape) < fraction).to(torch.uint8)
    origins, directions, jitter = random_rays()
    rays = RayCoordinate.of(origins, directions)
    arguments = (origins, directions, rays, occupancy, step, jitter)
    fast, plain = march_contracted_warp(*arguments), march_contracted_reference(*arguments)
    for a, b in zip(fast, plain, strict=True):
        assert torch.equal(a, b)


def test_coordinate_starts_at_the_origin_of_each_ray_and_grows_with_distance():
    origins, directions, _ = random_rays()
    rays = RayCoordinate.of(origins, directions)
    fractions = torch.linspace(0, 1, 400)
    coordinates = rays.start[:, None] + (rays.end - rays.start)[:, None] * fractions
    t = rays.distances(coordinates, torch.arange(len(origins))[:, None])
    assert torch.allclose(t[:, 0], torch.zeros(len(t)), atol=1e-5)
    assert (t[:, 1:] > t[:, :-1]).all()
    assert torch.allclose(t[:, -1], rays.nearest + FARTHEST * rays.radius, rtol=1e-3)


def test_steps_are_even_within_the_radius_and_grow_with_the_square_outside():
    origins = torch.tensor([[0.0, 0.0, 0.0]])
    directions = torch.tensor([[1.0, 0.0, 0.0]])
    occupancy = torch.ones((4, 4, 4), dtype=torch.uint8)
    samples = march_contracted(origins, directions, occupancy, 0.01, torch.zeros(1))
    steps = samples.t[1:] - samples.t[:-1]
    assert torch.allclose(steps[:99], torch.full((99,), 0.01), atol=1e-6)
    at_ten = int((samples.t < 10).sum())
    middle = float(samples.t[at_ten - 1 : at_ten + 1].mean())
    assert float(steps[at_ten - 1]) == pytest.approx(0.01 * middle**2, rel=0.005)
    assert samples.log_stretch is not None
    at = float(samples.t[at_ten])
    assert float(samples.log_stretch[at_ten].exp()) == pytest.approx(at**2, rel=1e-5)


def test_contraction_fills_a_cube_of_twice_the_size_and_is_undone():
    points = torch.randn((1000, 3), dtype=torch.float64) * torch.logspace(-2, 3, 1000)[:, None]
    inside = contract(points)
    assert (inside.abs() < 2).all()
    near = points.abs().amax(dim=-1) < 1
    assert torch.equal(inside[near], points[near])
    assert torch.allclose(expand(inside, 1e9), points, rtol=1e-10)


@pytest.mark.parametrize(("shape", "step"), [((4, 4), 0.1), ((4, 4, 4), 0.0)])
def test_what_is_no_grid_or_no_step_is_refused(shape, step):
    occupancy = torch.ones(shape, dtype=torch.uint8)
    with pytest.raises(ValueError, match=r"occupancy|step"):
        march_contracted(*random_rays(3)[:2], occupancy, step, torch.zeros(3))
