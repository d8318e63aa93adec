"""What edit shapes write into an edits.json besides their region."""

import bpy
import captures
import numpy as np
import pytest
from mathutils import Euler, Matrix, Vector

from pvd_blender.errors import SceneError
from pvd_blender.scene import edit_shapes, frame
from pvd_blender.scene.edit_properties import shape_of

SCALE = 2.0
PLACE = Matrix.LocRotScale(Vector((1, -2, 3)), Euler((0.4, -0.3, 1.1)), Vector((SCALE,) * 3))
SHAPE = Matrix.LocRotScale(Vector((0.5, 0.2, 2)), Euler((0.1, 0.7, -0.2)), Vector((0.4, 0.4, 0.4)))
GOAL = Matrix.LocRotScale(Vector((-3, 1, 4)), Euler((1.0, 0.2, 2.0)), Vector((1.2, 1.2, 1.2)))


@pytest.fixture
def origin():
    item = frame.create_frame(captures.capture("toy", [], ((-1, -1, -1), (1, 1, 1))))
    item.matrix_world = PLACE
    bpy.context.view_layer.update()
    return item


def new_empty(matrix):
    item = bpy.data.objects.new("Goal", None)
    bpy.context.scene.collection.objects.link(item)
    item.matrix_world = matrix
    return item


def only_edit(origin):
    (edit,) = edit_shapes.collect_edits(origin)
    return edit


def similarity(matrix):
    square = matrix[:3, :3].T @ matrix[:3, :3]
    assert np.allclose(square, square[0, 0] * np.eye(3), atol=1e-5)
    return np.sqrt(square[0, 0])


@pytest.mark.parametrize("op", ["move", "duplicate"])
def test_content_goes_where_the_target_stands_in_the_dataset_frame(origin, op):
    item = edit_shapes.add_shape(op, "box", (0, 0, 0), origin, new_empty(GOAL))
    item.matrix_world = SHAPE
    edit = only_edit(origin)
    place, shape, goal = (np.array(m, dtype=np.float64) for m in (PLACE, SHAPE, GOAL))
    expected = np.linalg.inv(place) @ goal @ np.linalg.inv(shape) @ place
    to = np.array(edit["to"])
    assert edit["op"] == op and np.allclose(to, expected, atol=1e-5)
    assert to[3].tolist() == [0, 0, 0, 1]
    # A corner of the box, told in the dataset frame, arrives at the same corner of the goal.
    corner = np.array(edit["region"]["box"]["matrix"]) @ [1, -1, 1, 1]
    assert np.allclose(place @ to @ corner, goal @ [1, -1, 1, 1], atol=1e-5)
    assert similarity(to) == pytest.approx(3, rel=1e-5)


def test_a_new_target_keeps_the_size_however_the_shape_is_scaled(origin):
    item = edit_shapes.add_shape("move", "box", (1, 2, 3), origin)
    target = shape_of(item).target
    to = np.array(only_edit(origin)["to"])
    assert np.allclose(to[:3, :3], np.eye(3), atol=1e-5) and np.linalg.norm(to[:3, 3]) > 0.1
    item.scale, item.rotation_euler = (0.3, 0.2, 0.1), (0.3, 0, 0)
    target.rotation_euler = (1, 2, 3)
    assert similarity(np.array(only_edit(origin)["to"])) == pytest.approx(1, rel=1e-5)
    target.scale = (2, 2, 2)
    assert similarity(np.array(only_edit(origin)["to"])) == pytest.approx(2, rel=1e-5)


def test_a_marked_mesh_that_moves_gets_a_target_of_its_size(origin):
    bpy.ops.mesh.primitive_cone_add(location=(1, -2, 3), scale=(1, 2, 3))
    edit_shapes.mark_meshes([bpy.context.object], "duplicate", origin)
    edit = only_edit(origin)
    assert "mesh" in edit["region"]
    assert np.allclose(np.array(edit["to"])[:3, :3], np.eye(3), atol=1e-5)


@pytest.mark.parametrize("scale", [(1, 1, 1.5), (-1, 1, 1)])
def test_content_that_would_be_stretched_or_mirrored_is_refused_by_name(origin, scale):
    goal = new_empty(GOAL)
    goal.scale = scale
    item = edit_shapes.add_shape("move", "sphere", (0, 0, 0), origin, goal)
    with pytest.raises(SceneError, match=rf"{item.name}.*stretched, sheared or mirrored.*Goal"):
        edit_shapes.collect_edits(origin)


def test_a_shape_without_its_target_is_refused_by_name(origin):
    item = edit_shapes.add_shape("move", "sphere", (0, 0, 0), origin)
    bpy.data.objects.remove(shape_of(item).target)
    with pytest.raises(SceneError, match=f"{item.name}.*has no target"):
        edit_shapes.collect_edits(origin)


def test_a_target_that_was_deleted_in_the_scene_is_no_target(origin):
    item = edit_shapes.add_shape("move", "sphere", (0, 0, 0), origin)
    target = shape_of(item).target
    for collection in target.users_collection:
        collection.objects.unlink(target)
    with pytest.raises(SceneError, match="has no target"):
        edit_shapes.collect_edits(origin)


def test_removing_a_shape_removes_the_target_that_was_made_for_it_and_no_other(origin):
    goal = new_empty(GOAL)
    own = edit_shapes.add_shape("move", "box", (0, 0, 0), origin)
    made = shape_of(own).target.name
    other = edit_shapes.add_shape("move", "box", (0, 0, 0), origin, goal)
    edit_shapes.remove_shape(own)
    edit_shapes.remove_shape(other)
    assert made not in bpy.data.objects and goal.name in bpy.data.objects
    assert edit_shapes.collect_edits(origin) == []


def test_factor_tint_and_soft_edge_are_written_and_only_where_they_belong(origin):
    thin = edit_shapes.add_shape("scale_density", "box", (0, 0, 0), origin)
    shape_of(thin).factor = 0.25
    tint = edit_shapes.add_shape("tint", "sphere", (0, 0, 0), origin)
    shape_of(tint).color = (1, 0.5, 0)
    shape_of(tint).soft = 0.3
    edit_shapes.add_shape("erase", "box", (0, 0, 0), origin)
    thin, tint, erase = edit_shapes.collect_edits(origin)
    assert set(erase) == {"id", "op", "region"} and erase["op"] == "erase"
    assert set(thin) == {"id", "op", "region", "factor"} and thin["factor"] == 0.25
    assert set(tint) == {"id", "op", "region", "color", "soft"} and tint["color"] == [1, 0.5, 0]
    assert tint["soft"] == pytest.approx(0.3 / SCALE, rel=1e-6)


def test_a_soft_edge_in_a_stretched_frame_is_refused(origin):
    item = edit_shapes.add_shape("erase", "box", (0, 0, 0), origin)
    shape_of(item).soft = 0.1
    origin.scale = (1, 2, 1)
    with pytest.raises(SceneError, match="frame is stretched"):
        edit_shapes.collect_edits(origin)
