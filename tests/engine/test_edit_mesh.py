"""The inside of closed meshes, by the reference and by Warp alike."""

import numpy as np
import pytest
import torch
from analytic_field import uniform_points
from edit_shapes import CUBE_FACES, cube, joined, torus, turned

from pvd_engine.edit.mesh_region import MeshRegion
from pvd_engine.edit.regions import InvalidRegionError
from pvd_engine.kernels import mesh_inside
from pvd_engine.kernels.launch import warp_available

needs_warp = pytest.mark.skipif(not warp_available(), reason="Warp is not installed")


@pytest.fixture(params=["reference", pytest.param("warp", marks=needs_warp)])
def kernels(request, monkeypatch):
    """Each test runs with either implementation."""
    monkeypatch.setattr(mesh_inside, "use_warp", lambda device: request.param == "warp")


def moved(scale: float, center: tuple) -> np.ndarray:
    return turned(0.0, (scale,) * 3, center)


def test_a_torus_contains_what_its_formula_says(kernels):
    points = uniform_points(6000)
    x, y, z = points.double().numpy().T
    distance = np.hypot(np.hypot(x, y) - 0.6, z)
    clear = np.abs(distance - 0.25) > 0.01
    found = MeshRegion(*torus()).contains(points).numpy()
    assert np.array_equal(found[clear], (distance < 0.25)[clear])


def test_a_mesh_far_away_and_small_contains_its_middle(kernels):
    center = (1000.0, -2000.0, 500.0)
    region = MeshRegion(*cube(moved(0.5, center)))
    points = torch.tensor([center, (1000.6, -2000.0, 500.0), (1000.4, -2000.4, 500.4)])
    assert region.contains(points).tolist() == [True, False, True]


def test_meshes_that_overlap_count_as_their_union(kernels):
    region = MeshRegion(*joined(cube(moved(0.5, (-0.2, 0, 0))), cube(moved(0.5, (0.2, 0, 0)))))
    points = torch.tensor([[0.0, 0, 0], [0.65, 0, 0], [-0.65, 0, 0], [0.75, 0, 0]])
    assert region.contains(points).tolist() == [True, True, True, False]


def test_a_shell_facing_inward_inside_another_is_a_hollow(kernels):
    points, faces = cube(moved(0.3, (0, 0, 0)))
    inner = points, [face[::-1] for face in faces]
    region = MeshRegion(*joined(cube(moved(0.8, (0, 0, 0))), inner))
    asked = torch.tensor([[0.0, 0, 0], [0.5, 0, 0], [0.9, 0, 0]])
    assert region.contains(asked).tolist() == [False, True, False]


def test_a_mesh_turned_inside_out_contains_the_same(kernels):
    vertices, faces = torus()
    points = uniform_points(2000)
    inverted = MeshRegion(vertices, [face[::-1] for face in faces])
    assert torch.equal(inverted.contains(points), MeshRegion(vertices, faces).contains(points))


def test_a_concave_polygon_is_filled_rightly(kernels):
    outline = np.array([[0, 0], [1, 0], [1, 0.4], [0.4, 0.4], [0.4, 1], [0, 1]])
    vertices = np.concatenate([np.c_[outline, np.full(6, z)] for z in (0.0, 1.0)])
    sides = [[i, (i + 1) % 6, (i + 1) % 6 + 6, i + 6] for i in range(6)]
    # Fans from a corner that cannot see the whole outline.
    caps = [[1, 0, 5, 4, 3, 2], [7, 8, 9, 10, 11, 6]]
    points = uniform_points(4000, -0.1, 1.1)
    x, y, z = points.T
    ell = (x > 0) & (y > 0) & (z > 0) & (z < 1) & (x < 1) & (y < 1) & ((x < 0.4) | (y < 0.4))
    found = MeshRegion(vertices, sides + caps).contains(points)
    near = (points.abs() < 1e-4) | ((points - 0.4).abs() < 1e-4) | ((points - 1).abs() < 1e-4)
    clear = ~near.any(dim=1)
    assert torch.equal(found[clear], ell[clear])


def test_faces_that_share_no_vertices_but_touch_are_closed():
    vertices, faces = cube()
    split = np.concatenate([vertices[face] for face in faces])
    region = MeshRegion(split, [[4 * i, 4 * i + 1, 4 * i + 2, 4 * i + 3] for i in range(6)])
    assert region.contains(torch.zeros((1, 3))).all()


def test_a_mesh_with_a_hole_is_refused():
    with pytest.raises(InvalidRegionError, match="not closed: 4 edges"):
        MeshRegion(cube()[0], CUBE_FACES[:5])


def test_a_mesh_with_faces_both_ways_is_refused():
    faces = [CUBE_FACES[0][::-1], *CUBE_FACES[1:]]
    with pytest.raises(InvalidRegionError, match="normals"):
        MeshRegion(cube()[0], faces)


def test_a_flat_mesh_is_refused():
    vertices, faces = cube()
    with pytest.raises(InvalidRegionError, match=r"volume|no face"):
        MeshRegion(vertices * (1, 1, 0), faces)
