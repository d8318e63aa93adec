"""What a list of edits leaves: erased regions go, the union of kept regions stays."""

import itertools

import numpy as np
import torch
from analytic_field import uniform_points

from pvd_engine.edit.edit_list import Edit, EditList
from pvd_engine.edit.regions import BoxRegion, GridRegion, SphereRegion


def half(axis: int, side: int) -> BoxRegion:
    low, high = np.full(3, -2.0), np.full(3, 2.0)
    (high if side < 0 else low)[axis] = 0.0
    return BoxRegion(low, high)


def ball(x: float) -> SphereRegion:
    return SphereRegion(np.array([x, 0, 0]), 0.3)


def test_an_erase_removes_its_region_and_nothing_else():
    points = uniform_points(5000)
    assert torch.equal(EditList([Edit("erase", half(0, -1))]).mask(points), points[:, 0] > 0)


def test_keeps_of_one_list_unite():
    points = uniform_points(5000)
    mask = EditList([Edit("keep", ball(-0.5)), Edit("keep", ball(0.5))]).mask(points)
    x, rest = points[:, 0], points[:, 1:].square().sum(dim=1)
    union = ((x + 0.5).square() + rest <= 0.09) | ((x - 0.5).square() + rest <= 0.09)
    assert torch.equal(mask, union)


def test_the_order_within_a_list_does_not_matter():
    points = uniform_points(2000)
    edits = [Edit("keep", ball(0)), Edit("erase", half(1, 1)), Edit("keep", half(2, -1))]
    masks = [EditList(order).mask(points) for order in itertools.permutations(edits)]
    assert all(torch.equal(mask, masks[0]) for mask in masks)
    inside = (points.square().sum(dim=1) <= 0.09) | (points[:, 2] <= 0)
    assert torch.equal(masks[0], inside & ~(points[:, 1] >= 0))


def test_a_grid_decides_only_within_its_box():
    filled = np.zeros((2, 1, 1), bool)
    filled[0] = True
    grid = GridRegion(filled, np.array([[-0.5, -0.5, -0.5], [0.5, 0.5, 0.5]]), "half.npz")
    points = torch.tensor([[-0.2, 0, 0], [0.2, 0, 0], [0.9, 0, 0]])
    assert EditList([Edit("keep", grid)]).mask(points).tolist() == [True, False, True]
    assert EditList([Edit("erase", grid)]).mask(points).tolist() == [False, True, True]


def test_a_shape_kept_next_to_a_grid_decides_outside_the_grids_box():
    grid = GridRegion(np.zeros((1, 1, 1), bool), np.array([[-0.2] * 3, [0.2] * 3]), "empty.npz")
    mask = EditList([Edit("keep", grid), Edit("keep", ball(0.5))])
    points = torch.tensor([[0.0, 0, 0], [0.5, 0, 0], [-0.5, 0, 0]])
    assert mask.mask(points).tolist() == [False, True, False]


def test_cells_judged_cleared_or_untouched_are_so():
    filled = np.random.default_rng(0).random((6, 6, 6)) > 0.3
    grid = GridRegion(filled, np.array([[-0.9] * 3, [0.4] * 3]), "some.npz")
    lists = [
        [Edit("erase", ball(0.2)), Edit("erase", half(0, -1))],
        [Edit("keep", ball(0.2)), Edit("keep", half(1, -1))],
        [Edit("keep", grid)],
        [Edit("keep", grid), Edit("keep", ball(0.5)), Edit("erase", half(2, 1))],
    ]
    low = uniform_points(2000, -1, 0.9, seed=6)
    high = low + uniform_points(2000, 0.02, 0.2, seed=7)
    steps = torch.linspace(1e-3, 1 - 1e-3, 5)
    offsets = torch.stack(torch.meshgrid(steps, steps, steps, indexing="ij"), -1).view(1, -1, 3)
    points = (low[:, None] + offsets * (high - low)[:, None]).view(-1, 3)
    for entries in lists:
        edits = EditList(entries)
        cleared, untouched = edits.classify(low, high)
        stays = edits.mask(points).view(len(low), -1)
        assert cleared.any() and untouched.any()
        assert not stays[cleared].any()
        assert stays[untouched].all()
