"""Regions contain what their formula says, and never misjudge a cell."""

import copy

import numpy as np
import pytest
import torch
from analytic_field import uniform_points
from edit_shapes import cube, torus, turned

from pvd_engine.edit.cell_counts import count_in_blocks, summed_volume
from pvd_engine.edit.mesh_region import MeshRegion
from pvd_engine.edit.region_state import region_from_state
from pvd_engine.edit.regions import (
    INSIDE,
    OUTSIDE,
    BoxRegion,
    GridRegion,
    SphereRegion,
    TransformedBoxRegion,
)

MATRIX = turned(0.7, (0.5, 0.3, 0.4), (0.1, -0.2, 0.15))
GRID_BOX = np.array([[-0.8, -0.5, -0.6], [0.7, 0.9, 0.4]])


def grid_cells() -> np.ndarray:
    return np.random.default_rng(5).random((5, 7, 4)) > 0.5


def solid_grid() -> GridRegion:
    filled = np.zeros((20, 20, 20), bool)
    filled[3:15, 4:16, 5:17] = True
    return GridRegion(filled, GRID_BOX, "solid.npz")


def regions() -> dict:
    return {
        "box": BoxRegion(np.array([-0.5, -0.3, -0.7]), np.array([0.2, 0.6, 0.4])),
        "turned box": TransformedBoxRegion(MATRIX),
        "sphere": SphereRegion(np.array([0.2, 0.1, -0.1]), 0.55),
        "mesh": MeshRegion(*torus()),
        "grid": GridRegion(grid_cells(), GRID_BOX, "some.npz"),
        "solid grid": solid_grid(),
    }


REGIONS = sorted(regions())


def test_a_box_contains_the_points_between_its_corners_and_its_border():
    region = regions()["box"]
    points = torch.tensor(
        [[-0.5, -0.3, -0.7], [0.2, 0.6, 0.4], [0, 0, 0], [0.21, 0, 0], [0, 0, -1]]
    )
    assert region.contains(points).tolist() == [True, True, True, False, False]


def test_a_turned_box_contains_what_its_inverse_maps_into_the_cube():
    points = uniform_points(20000)
    local = np.linalg.solve(MATRIX[:3, :3], (points.double().numpy() - MATRIX[:3, 3]).T).T
    clear = np.abs(np.abs(local).max(axis=1) - 1) > 1e-5
    found = regions()["turned box"].contains(points).numpy()
    assert np.array_equal(found[clear], (np.abs(local).max(axis=1) < 1)[clear])
    assert found.mean() == pytest.approx(8 * 0.5 * 0.3 * 0.4 / 8, rel=0.1)


def test_a_sphere_contains_the_points_within_its_radius():
    points = uniform_points(20000)
    distance = np.linalg.norm(points.double().numpy() - (0.2, 0.1, -0.1), axis=1)
    clear = np.abs(distance - 0.55) > 1e-5
    found = regions()["sphere"].contains(points).numpy()
    assert np.array_equal(found[clear], (distance < 0.55)[clear])


def test_a_grid_contains_the_points_of_its_filled_cells_and_nothing_outside_its_box():
    filled, region = grid_cells(), regions()["grid"]
    centers = [
        GRID_BOX[0] + (np.array(index) + 0.5) / filled.shape * (GRID_BOX[1] - GRID_BOX[0])
        for index in np.ndindex(filled.shape)
    ]
    found = region.contains(torch.tensor(np.array(centers), dtype=torch.float32))
    assert np.array_equal(found.numpy(), filled.reshape(-1))
    outside = torch.tensor([[-0.81, 0, 0], [0.71, 0, 0], [0, 0.91, 0], [0, 0, 0.41]])
    full = GridRegion(np.ones((2, 2, 2), bool), GRID_BOX, "full.npz")
    assert not full.contains(outside).any()


@pytest.mark.parametrize("name", REGIONS)
def test_a_cell_judged_inside_or_outside_is_so_at_every_point(name):
    region = regions()[name]
    low = uniform_points(800, -1.2, 1.1, seed=2)
    high = low + uniform_points(800, 0.01, 0.2, seed=3)
    verdict = region.classify(low, high)
    assert (verdict == INSIDE).any() or name == "grid"
    assert (verdict == OUTSIDE).any()
    steps = torch.linspace(1e-3, 1 - 1e-3, 5)
    offsets = torch.stack(torch.meshgrid(steps, steps, steps, indexing="ij"), -1).view(1, -1, 3)
    points = low[:, None] + offsets * (high - low)[:, None]
    inside = region.contains(points.view(-1, 3)).view(len(low), -1)
    assert inside[verdict == INSIDE].all()
    assert not inside[verdict == OUTSIDE].any()


@pytest.mark.parametrize("name", ["box", "turned box", "sphere", "mesh", "solid grid"])
def test_most_cells_away_from_the_border_are_judged(name):
    region = regions()[name]
    steps = torch.arange(32) / 16 - 1
    low = torch.stack(torch.meshgrid(steps, steps, steps, indexing="ij"), dim=-1).view(-1, 3)
    assert (region.classify(low, low + 1 / 16) == 0).float().mean() < 0.12


@pytest.mark.parametrize("name", REGIONS)
def test_a_region_from_its_description_and_tensors_gives_the_same_values_as_before(name):
    region, points = regions()[name], uniform_points(20000)
    again = region_from_state(region.description(), region.tensors())
    assert torch.equal(region.contains(points), again.contains(points))
    assert again.description() == region.description()


@pytest.mark.parametrize("name", REGIONS)
def test_a_region_in_use_can_be_copied(name):
    region, points = regions()[name], uniform_points(2000)
    before = region.contains(points)
    assert torch.equal(copy.deepcopy(region).contains(points), before)


@pytest.mark.parametrize("name", REGIONS)
def test_a_region_gives_no_values_for_no_points(name):
    region, nothing = regions()[name], torch.zeros((0, 3))
    assert region.contains(nothing).shape == (0,)
    assert region.classify(nothing, nothing).shape == (0,)


def test_a_cube_as_mesh_box_and_matrix_is_one_region():
    points = uniform_points(20000)
    mesh = MeshRegion(*cube(MATRIX)).contains(points)
    matrix = TransformedBoxRegion(MATRIX).contains(points)
    assert (mesh != matrix).sum() <= 2
    straight = np.diag((0.4, 0.5, 0.6, 1.0))
    box = BoxRegion(np.array([-0.4, -0.5, -0.6]), np.array([0.4, 0.5, 0.6])).contains(points)
    assert (TransformedBoxRegion(straight).contains(points) != box).sum() <= 2


def test_counts_in_blocks_are_those_of_a_plain_sum():
    filled = torch.from_numpy(grid_cells())
    generator = np.random.default_rng(1)
    first = generator.integers(0, (5, 7, 4), (200, 3))
    last = generator.integers(0, np.array((5, 7, 4)) + 1, (200, 3))
    counts = count_in_blocks(summed_volume(filled), torch.tensor(first), torch.tensor(last))
    for a, b, count in zip(first, last, counts.tolist(), strict=True):
        assert count == int(filled[a[0] : b[0], a[1] : b[1], a[2] : b[2]].sum())
