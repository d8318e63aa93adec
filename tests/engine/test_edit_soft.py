"""Soft edges: whole inside, fading out beyond the border, never skipped by the occupancy grid."""

import numpy as np
import pytest
import torch
from analytic_field import AnalyticField, gaussian_blob, uniform_points
from edit_shapes import cube, torus, turned

from pvd_engine.edit.edit_list import Edit
from pvd_engine.edit.edited_field import EditedField
from pvd_engine.edit.layer import MASKED
from pvd_engine.edit.mesh_region import MeshRegion
from pvd_engine.edit.placement import Placement
from pvd_engine.edit.regions import (
    INSIDE,
    OUTSIDE,
    BoxRegion,
    GridRegion,
    SphereRegion,
    TransformedBoxRegion,
)
from pvd_engine.edit.soft_region import SoftRegion

WIDTH = 0.3
BALL = SphereRegion(np.array([0.1, 0.0, -0.1]), 0.4)
MATRIX = turned(0.7, (0.5, 0.3, 0.2), (0.1, 0.0, 0.2))
SHEARED = MATRIX @ np.array([[1, 0.8, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1.0]])
HOLLOW = np.ones((6, 6, 6), bool)
HOLLOW[2:4, 2:4] = False

REGIONS = {
    "box": BoxRegion(np.array([-0.4, -0.3, -0.2]), np.array([0.3, 0.5, 0.4])),
    "turned box": TransformedBoxRegion(MATRIX),
    "sheared box": TransformedBoxRegion(SHEARED),
    "sphere": BALL,
    "mesh": MeshRegion(*torus(rings=24, sides=12)),
    "grid": GridRegion(HOLLOW, np.array([[-0.5, -0.4, -0.3], [0.4, 0.5, 0.6]]), "hollow.npz"),
}


def smooth(distance: np.ndarray) -> np.ndarray:
    near = np.clip(1 - distance / WIDTH, 0, 1)
    return near**2 * (3 - 2 * near)


def torus_distance(points: np.ndarray) -> np.ndarray:
    ring = np.linalg.norm(points[:, :2], axis=1) - 0.6
    return np.maximum(np.hypot(ring, points[:, 2]) - 0.25, 0)


def box_distance(points: np.ndarray) -> np.ndarray:
    """To a box, by the nearest of its points."""
    region = REGIONS["box"]
    nearest = np.clip(points, region.corners[0], region.corners[1])
    return np.linalg.norm(points - nearest, axis=1)


def turned_distance(points: np.ndarray) -> np.ndarray:
    """To the turned box: its nearest point in its own axes, back in the dataset frame."""
    local = (points - MATRIX[:3, 3]) @ np.linalg.inv(MATRIX[:3, :3]).T
    nearest = np.clip(local, -1, 1) @ MATRIX[:3, :3].T + MATRIX[:3, 3]
    return np.linalg.norm(points - nearest, axis=1)


@pytest.mark.parametrize(
    ("name", "distance", "error"),
    [
        ("box", box_distance, 1e-5),
        ("turned box", turned_distance, 1e-5),
        (
            "sphere",
            lambda p: np.maximum(np.linalg.norm(p - BALL.exact_center, axis=1) - 0.4, 0),
            1e-5,
        ),
        ("mesh", torus_distance, 0.12),
    ],
)
def test_the_weight_falls_with_the_distance(name, distance, error):
    points = uniform_points(8000)
    weight = SoftRegion(REGIONS[name], WIDTH).weight(points).numpy()
    expected = smooth(distance(points.double().numpy()))
    assert 0.05 < expected.mean() < 0.9
    assert np.abs(weight - expected).max() < error
    assert np.abs(weight - expected).mean() < error / 4


@pytest.mark.parametrize("name", REGIONS)
def test_a_soft_region_is_whole_inside_and_gone_beyond_its_width(name):
    region = REGIONS[name]
    points = uniform_points(20_000, -1.5, 1.5)
    inside = region.contains(points)
    weight = SoftRegion(region, WIDTH).weight(points)
    assert (weight[inside] == 1).all()
    assert ((weight >= 0) & (weight <= 1)).all()
    assert 0.01 < ((weight > 0) & (weight < 1)).float().mean() < 0.5
    near = torch.cdist(points, points[inside]).amin(dim=1)
    if name != "sheared box":  # whose acute corners fade out farther
        assert (weight[near > WIDTH + 0.3] == 0).all()
    assert (weight[(near < 0.05) & ~inside] > 0.5).float().mean() > 0.9


@pytest.mark.parametrize("name", REGIONS)
def test_the_weight_falls_monotonically_on_the_way_out(name):
    region = REGIONS[name]
    soft = SoftRegion(region, WIDTH)
    start = torch.tensor({"mesh": [0.6, 0, 0], "grid": [0.35, 0.4, 0.5]}.get(name, [0.1, 0, 0.1]))
    for axis in range(3):
        way = torch.zeros(3)
        way[axis] = 1.0
        points = start + torch.linspace(0, 1.6, 200)[:, None] * way
        weight = soft.weight(points)
        outside = ~region.contains(points)
        first = int(outside.nonzero()[0])
        assert outside[first:].all()
        assert weight[0] == 1 and weight[-1] == 0
        assert (weight.diff() <= 1e-6).all()
        assert (weight.diff().abs() < 0.25).all()


@pytest.mark.parametrize("name", REGIONS)
@pytest.mark.parametrize("width", [0.0, 0.05, WIDTH])
def test_cells_judged_inside_or_outside_weigh_one_or_nothing(name, width):
    soft = SoftRegion(REGIONS[name], width)
    low = uniform_points(1500, -1.2, 1.1, seed=6)
    high = low + uniform_points(1500, 0.02, 0.15, seed=7)
    steps = torch.linspace(0, 1, 5)
    offsets = torch.stack(torch.meshgrid(steps, steps, steps, indexing="ij"), -1).view(1, -1, 3)
    points = (low[:, None] + offsets * (high - low)[:, None]).view(-1, 3)
    verdict = soft.classify(low, high)
    weight = soft.weight(points).view(len(low), -1)
    assert (verdict == OUTSIDE).any() and (verdict == INSIDE).any()
    assert (weight[verdict == OUTSIDE] == 0).all()
    assert (weight[verdict == INSIDE].min() > 0.999) if width else True


def fog() -> AnalyticField:
    return AnalyticField(gaussian_blob(20.0, 0.5), lambda points, _: (points + 2) / 4)


def test_soft_edits_follow_their_formulas():
    base, points = fog(), uniform_points(5000)
    directions = torch.eye(3)[:1].expand(5000, 3)
    away = torch.tensor(BALL.exact_center, dtype=torch.float32)
    distance = ((points - away).norm(dim=1) - 0.4).clamp(min=0).numpy()
    weight = torch.tensor(smooth(distance))
    true_density, true_color = base(points, directions)
    for edit, factor, tint in (
        (Edit("erase", BALL, soft=WIDTH), 1 - weight, 1),
        (Edit("keep", BALL, soft=WIDTH), weight, 1),
        (Edit("scale_density", BALL, soft=WIDTH, factor=3.0), 1 + 2 * weight, 1),
        (
            Edit("tint", BALL, soft=WIDTH, color=(0.0, 1, 0.5)),
            1,
            1 + weight[:, None] * torch.tensor([-1, 0, -0.5]),
        ),
    ):
        log_density, color = EditedField(base, [edit])(points, directions)
        expected = true_density.double().exp() * factor
        assert torch.allclose(log_density.double().exp(), expected, rtol=1e-3, atol=1e-4)
        assert torch.allclose(color.double(), true_color.double() * tint, atol=1e-5)


def test_a_soft_move_takes_away_what_it_brings():
    base, points = fog(), uniform_points(5000)
    matrix = np.eye(4)
    matrix[2, 3] = 5
    edited = EditedField(base, [Edit("move", BALL, soft=WIDTH, to=Placement(matrix))])
    here = edited.log_density(points).exp()
    there = edited.log_density(points + torch.tensor([0, 0, 5.0])).exp()
    assert torch.allclose(here + there, base.log_density(points).exp(), rtol=1e-3, atol=1e-3)
    assert (there > 0.01).any() and (here > 0.01).any()


@pytest.mark.parametrize("name", REGIONS)
@pytest.mark.parametrize("operation", ["erase", "keep", "move"])
def test_no_cell_that_a_soft_edge_leaves_something_in_is_skipped(name, operation):
    base = fog()
    to = Placement(np.diag((1.0, 1, 1, 1))) if operation == "move" else None
    edited = EditedField(base, [Edit(operation, REGIONS[name], soft=0.1, to=to)])
    points = uniform_points(30_000)
    dense = edited.log_density(points) > base.log_density(points) + MASKED + 1
    assert dense.any()
    assert edited.occupancy.contains(points)[dense].all()


def test_a_thin_mesh_between_the_cells_of_its_table_still_counts():
    sheet = MeshRegion(*cube(np.diag((0.5, 0.5, 1e-4, 1))))
    soft = SoftRegion(sheet, 0.5)
    points = torch.tensor([[0.1, 0.1, 0.0], [0.9, 0.9, 0.9]])
    assert soft.weight(points).tolist() == [1.0, 0.0]
