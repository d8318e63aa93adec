"""Positions along rays by the light that reaches them: where they lie, and that kernels agree."""

import math
from unittest.mock import patch

import pytest
import torch
from test_kernels_ray_positions import UNIT_BOX, random_rays

from pvd_engine.kernels.marching import through_box
from pvd_engine.kernels.visible_positions import (
    EVERYWHERE,
    visible_positions,
    visible_positions_reference,
    visible_positions_warp,
)
from pvd_engine.kernels.workload import bounded
from pvd_engine.space.extinction import SAMPLES, codes_of, extinction_codes, extinctions
from pvd_engine.space.occupancy import OccupancyGrid
from pvd_engine.space.space_map import BoxMap

BOTH = pytest.mark.parametrize("find", [visible_positions_warp, visible_positions_reference])
TABLE = extinctions(torch.device("cpu"))


def positions(find, origins, directions, codes, probes, fractions, box=UNIT_BOX):
    enter, leave = through_box(origins, directions, box)
    return find(origins, directions, enter, leave, codes, TABLE, box, probes, fractions)


def along_x(extinction_of_slab, slabs=8):
    """A ray along x from x = -1 through a unit cube of slabs, in each of which a cell is a part."""
    codes = torch.zeros(slabs, 3, 5, dtype=torch.uint8)
    for slab, extinction in extinction_of_slab.items():
        codes[slab] = codes_of(torch.tensor([extinction]))
    return torch.tensor([[-1.0, 0.5, 0.5]]), torch.tensor([[1.0, 0.0, 0.0]]), codes


@pytest.mark.parametrize("shape", [(32, 32, 32), (7, 19, 30), (1, 1, 1)])
@pytest.mark.parametrize("filled", [0.0, 0.01, 0.5, 1.0])
@pytest.mark.parametrize("count", [0, 1, 16])
def test_fast_kernel_finds_the_positions_of_the_reference(shape, filled, count):
    torch.manual_seed(0)
    box = torch.tensor([[-1.0, -0.7, 0.2], [1.3, 0.9, 2.0]])
    codes = (torch.rand(shape) < filled) * torch.randint(90, 200, shape)
    rays = random_rays(500, box)
    fractions = (torch.rand((500, count)) * 0.98 + 0.01).sort(dim=1).values
    fast, reference = (
        positions(find, *rays, codes.to(torch.uint8), 64, fractions, box)
        for find in (visible_positions_warp, visible_positions_reference)
    )
    # A position at the border of two parts with others between them may fall on either side.
    assert ((fast - reference).abs() < 1e-4).float().mean() > 0.995 if count else fast.numel() == 0


@BOTH
def test_positions_follow_the_light_that_reaches_the_rays_start(find):
    # Two slabs, far from each other, take 60 % of the light, and 60 % of what is left.
    taken = 0.6
    extinction = -math.log(1 - taken) * 8
    fractions = torch.linspace(0, 1, 4001)[None]
    found = positions(find, *along_x({1: extinction, 6: extinction}), 8, fractions)[0] + 1 - 2
    exact = 1 - math.exp(-float(TABLE[int(codes_of(torch.tensor([extinction])))]) / 8)
    weights = exact + EVERYWHERE / 2, exact * (1 - exact) + EVERYWHERE / 2
    near = ((found > 1 / 8 - 1e-4) & (found < 2 / 8 + 1e-4)).float().mean()
    far = ((found > 6 / 8 - 1e-4) & (found < 7 / 8 + 1e-4)).float().mean()
    assert float(near + far) == pytest.approx(1, abs=1e-3)
    assert float(near) == pytest.approx(weights[0] / sum(weights), abs=2e-3)


@BOTH
def test_behind_an_opaque_wall_lie_the_shares_of_the_parts_alone(find):
    fractions = torch.linspace(0.005, 0.995, 199)[None]
    ray = along_x({2: 0.01, 3: 1e4, 4: 0.01, 7: 1e4})
    found = positions(find, *ray, 8, fractions)[0] - 1
    share = EVERYWHERE / 4
    total = 3 + EVERYWHERE  # the wall's light counts in its neighbours, too
    for slab, weight in {2: 1, 3: 1, 4: 1, 7: 0}.items():
        inside = (found >= slab / 8) & (found < (slab + 1) / 8)
        assert float(inside.float().mean()) == pytest.approx((weight + share) / total, abs=0.01)


@BOTH
def test_fractions_are_of_the_whole_way_where_a_ray_meets_nothing(find):
    fractions = torch.tensor([[0.0, 0.25, 1.0]])
    found = positions(find, *along_x({}), 16, fractions)
    assert torch.allclose(found, torch.tensor([[1.0, 1.25, 2.0]]))
    past = torch.tensor([[-1.0, 2.0, 0.5]]), torch.tensor([[1.0, 0.0, 0.0]])
    full = torch.full((4, 4, 4), 200, dtype=torch.uint8)
    assert positions(find, *past, full, 16, fractions).isfinite().all()


@BOTH
def test_no_rays_are_no_positions(find):
    none = torch.zeros((0, 3))
    full = torch.full((4, 4, 4), 200, dtype=torch.uint8)
    assert positions(find, none, none, full, 16, torch.zeros((0, 2))).shape == (0, 2)


def test_wrong_shapes_are_refused():
    rays = random_rays(3, UNIT_BOX)
    codes = torch.zeros((4, 4, 4), dtype=torch.uint8)
    with pytest.raises(ValueError, match="256 extinctions"):
        visible_positions(*rays, codes, TABLE[:5], UNIT_BOX, 8, torch.zeros((3, 1)))
    with pytest.raises(ValueError, match="a row for each ray"):
        visible_positions(*rays, codes, TABLE, UNIT_BOX, 8, torch.zeros((2, 1)))


def test_a_code_is_within_five_percent_of_the_extinction_and_never_empty():
    values = torch.logspace(-4, 4, 200)
    again = TABLE[codes_of(values).long()]
    assert ((again / values - 1).abs() < 0.05).all()
    assert (codes_of(torch.tensor([0.0, 1e-30, 1e30])) == torch.tensor([1, 1, 255])).all()
    assert TABLE[0] == 0


def test_cells_that_the_time_does_not_suffice_for_have_the_mean_of_the_others():
    space = BoxMap(torch.tensor([[-2.0] * 3, [2.0] * 3]))
    grid, asked = OccupancyGrid(space, 32), 0

    def log_density(points):
        nonlocal asked
        asked += len(points)
        return torch.where(points[:, 0] > 0, 3.0, 1.0).log()

    whole = extinction_codes(log_density, grid)
    per_unit = TABLE[whole.long()].view(32, 32, 32) / 2  # the cube's unit of length is 2
    assert torch.allclose(per_unit[16:], torch.tensor(3.0), rtol=0.05)
    assert torch.allclose(per_unit[:16], torch.tensor(1.0), rtol=0.05)
    assert asked == SAMPLES * 32**3
    with bounded(torch.device("cpu"), 0.01):  # portions of a few cells
        clock = iter(range(100_000))
        with patch("time.monotonic", lambda: next(clock)):
            some = extinction_codes(log_density, grid, deadline=4)
            none = extinction_codes(log_density, grid, deadline=0)
    known = some == whole
    assert 0.001 < known.float().mean() < 0.5, "some portions were sampled"
    assert torch.allclose(TABLE[some[~known].long()] / 2, torch.tensor(2.0), rtol=0.1)
    assert len(none.unique()) == 1
