"""Tests against a closed mesh: the fast kernels, their reference, and what both must do."""

import pytest
import torch
from analytic_field import uniform_points
from edit_shapes import cube, torus, turned

from pvd_engine.edit.mesh_shape import closed_mesh
from pvd_engine.kernels.mesh_inside import ReferenceMeshQuery, WarpMeshQuery, winding_number

BOTH = pytest.mark.parametrize("query", [WarpMeshQuery, ReferenceMeshQuery])
MESHES = pytest.mark.parametrize(
    "mesh",
    [torus(rings=24, sides=12), cube(turned(0.7, (0.5,) * 3, (0,) * 3))],
    ids=["torus", "turned cube"],
)


def tensors(mesh):
    """Vertices and triangles of points and polygons, as queries take them."""
    vertices, triangles = closed_mesh(*mesh)
    return torch.tensor(vertices, dtype=torch.float32), torch.from_numpy(triangles)


@MESHES
def test_fast_kernels_give_what_the_reference_gives(mesh):
    vertices, triangles = tensors(mesh)
    reference, fast = ReferenceMeshQuery(vertices, triangles), WarpMeshQuery(vertices, triangles)
    points = uniform_points(8000)
    inside = reference.inside(points)
    assert torch.equal(fast.inside(points), inside)
    assert 0 < inside.sum() < len(points)
    low = uniform_points(3000, -1, 0.9, seed=4)
    high = low + uniform_points(3000, 0.01, 0.2, seed=5)
    crossed = reference.crossed(low, high)
    assert torch.equal(fast.crossed(low, high), crossed)
    assert 0 < crossed.sum() < len(low)


@MESHES
def test_winding_numbers_are_whole_away_from_the_surface(mesh):
    vertices, triangles = tensors(mesh)
    number = winding_number(uniform_points(8000), vertices[triangles])
    assert ((number - number.round()).abs() < 1e-4).float().mean() > 0.999


@BOTH
def test_inside_a_cube_is_what_its_faces_enclose(query):
    # A cube from -0.5 to 0.5.
    mesh = query(*tensors(cube(turned(0.0, (0.5,) * 3, (0.0,) * 3))))
    points = uniform_points(4000)
    clear = (points.abs() - 0.5).abs().amin(dim=1) > 1e-4
    expected = (points.abs() < 0.5).all(dim=1)
    assert torch.equal(mesh.inside(points)[clear], expected[clear])


@BOTH
def test_cells_that_touch_no_face_are_not_crossed(query):
    mesh = query(*tensors(cube(turned(0.0, (0.5,) * 3, (0.0,) * 3))))
    low = torch.tensor([[-0.2, -0.2, -0.2], [0.4, -0.1, -0.1], [0.6, 0.6, 0.6], [-0.9, -0.9, -0.9]])
    high = torch.tensor([[0.2, 0.2, 0.2], [0.6, 0.1, 0.1], [0.8, 0.8, 0.8], [0.9, 0.9, 0.9]])
    assert mesh.crossed(low, high).tolist() == [False, True, False, True]


@BOTH
def test_no_points_and_no_cells_give_nothing(query):
    mesh = query(*tensors(cube()))
    none = torch.zeros(0, 3)
    assert mesh.inside(none).shape == (0,) and mesh.crossed(none, none).shape == (0,)
