"""Positions along rays: where they lie, and that the fast kernel finds the same."""

import pytest
import torch

from pvd_engine.kernels.marching import through_box
from pvd_engine.kernels.ray_positions import ray_positions_reference, ray_positions_warp

BOTH = pytest.mark.parametrize("find", [ray_positions_warp, ray_positions_reference])
UNIT_BOX = torch.tensor([[0.0, 0.0, 0.0], [1.0, 1.0, 1.0]])


def random_rays(count, box, seed=0):
    generator = torch.Generator().manual_seed(seed)
    center, size = box.mean(0), box[1] - box[0]
    origins = center + torch.randn((count, 3), generator=generator) * size
    targets = box[0] + (torch.rand((count, 3), generator=generator) * 1.4 - 0.2) * size
    return origins, torch.nn.functional.normalize(targets - origins, dim=-1)


def positions(find, origins, directions, occupancy, box, probes, fractions):
    enter, leave = through_box(origins, directions, box)
    return find(origins, directions, enter, leave, occupancy, box, probes, fractions)


def along_x(occupied_slabs, slabs=8):
    """A ray along x from x = -1 through a unit cube of slabs; all rays are this one."""
    occupancy = torch.zeros(slabs, 3, 5, dtype=torch.uint8)
    occupancy[occupied_slabs] = 1
    return torch.tensor([[-1.0, 0.5, 0.5]]), torch.tensor([[1.0, 0.0, 0.0]]), occupancy


@pytest.mark.parametrize("shape", [(32, 32, 32), (7, 19, 30), (1, 1, 1)])
@pytest.mark.parametrize("filled", [0.0, 0.01, 0.5, 1.0])
@pytest.mark.parametrize("count", [0, 1, 16])
def test_fast_kernel_finds_the_positions_of_the_reference(shape, filled, count):
    box = torch.tensor([[-1.0, -0.7, 0.2], [1.3, 0.9, 2.0]])
    occupancy = (torch.rand(shape) < filled).to(torch.uint8)
    rays = random_rays(500, box)
    fractions = torch.rand((500, count)).sort(dim=1).values
    found = [
        positions(find, *rays, occupancy, box, 64, fractions)
        for find in (ray_positions_warp, ray_positions_reference)
    ]
    assert torch.equal(found[0][1], found[1][1])
    assert torch.equal(found[0][0], found[1][0])


@BOTH
def test_positions_are_spread_over_the_occupied_parts_alone(find):
    origins, directions, occupancy = along_x([1, 6, 7])
    fractions = torch.tensor([[0.0, 1 / 6, 0.5, 2 / 3, 1.0]])
    distances, met = positions(find, origins, directions, occupancy, UNIT_BOX, 64, fractions)
    # A third of the positions lies in slab 1, two thirds in slabs 6 and 7.
    expected = torch.tensor([[1 / 8, 1.5 / 8, 6.5 / 8, 7 / 8, 1.0]]) + 1
    assert met.all()
    assert torch.allclose(distances, expected, atol=1e-5)


@BOTH
def test_a_ray_that_meets_nothing_has_positions_all_along_its_way(find):
    origins, directions, occupancy = along_x([])
    fractions = torch.tensor([[0.0, 0.25, 1.0]])
    distances, met = positions(find, origins, directions, occupancy, UNIT_BOX, 16, fractions)
    assert not met.any()
    assert torch.allclose(distances, torch.tensor([[1.0, 1.25, 2.0]]))


@BOTH
def test_a_ray_that_passes_by_a_full_box_meets_nothing(find):
    origins = torch.tensor([[-1.0, 2.0, 0.5], [2.0, 0.5, 0.5]])
    directions = torch.tensor([[1.0, 0.0, 0.0], [1.0, 0.0, 0.0]])
    occupancy = torch.ones(4, 4, 4, dtype=torch.uint8)
    for count in (0, 3):
        fractions = torch.linspace(0, 1, 3)[:count].expand(2, count)
        distances, met = positions(find, origins, directions, occupancy, UNIT_BOX, 16, fractions)
        assert not met.any()
        assert distances.isfinite().all()


@BOTH
def test_no_rays_are_no_positions(find):
    none = torch.zeros((0, 3))
    occupancy = torch.ones(4, 4, 4, dtype=torch.uint8)
    distances, met = positions(find, none, none, occupancy, UNIT_BOX, 16, torch.zeros((0, 2)))
    assert distances.shape == (0, 2) and met.shape == (0,)
