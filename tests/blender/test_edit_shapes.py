import json
import sys
from pathlib import Path

import bpy
import numpy as np
import pytest
from mathutils import Euler, Matrix, Vector

ROOT = Path(__file__).resolve().parents[2]
for folder in (ROOT, Path(__file__).resolve().parent):
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))

import captures  # noqa: E402

from pvd_blender.errors import SceneError  # noqa: E402
from pvd_blender.scene import edit_shapes, frame  # noqa: E402

PLACE = Matrix.LocRotScale(Vector((1, -2, 3)), Euler((0.4, -0.3, 1.1)), Vector((2, 2, 2)))


@pytest.fixture
def origin():
    item = frame.create_frame(captures.capture("toy", [], ((-1, -1, -1), (1, 1, 1))))
    item.matrix_world = PLACE
    bpy.context.view_layer.update()
    return item


def to_dataset(points):
    inverse = np.linalg.inv(np.array(PLACE, dtype=np.float64))
    return np.asarray(points) @ inverse[:3, :3].T + inverse[:3, 3]


def only_region(origin):
    (edit,) = edit_shapes.collect_edits(origin)
    json.dumps(edit, allow_nan=False)
    return edit["region"]


def signed_volume(mesh):
    vertices, faces = np.array(mesh["vertices"]), np.array(mesh["faces"])
    a, b, c = (vertices[faces[:, k]] for k in range(3))
    return float(np.einsum("ij,ij->i", a, np.cross(b, c)).sum() / 6)


def test_a_box_is_the_matrix_that_maps_the_unit_cube_to_what_is_seen(origin):
    item = edit_shapes.add_shape("erase", "box", (1, 2, 3), origin)
    item.rotation_euler, item.scale = (0.2, 0.5, 0.1), (0.3, 0.2, 0.1)
    matrix = np.array(only_region(origin)["box"]["matrix"])
    corners = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], dtype=float)
    seen = [item.matrix_world @ Vector(corner) for corner in corners]
    assert np.allclose(corners @ matrix[:3, :3].T + matrix[:3, 3], to_dataset(seen), atol=1e-6)


def test_a_new_shape_appears_where_it_was_asked_for(origin):
    item = edit_shapes.add_shape("keep", "sphere", (0.5, -0.5, 2.0), origin)
    bpy.context.view_layer.update()
    assert np.allclose(item.matrix_world.translation, (0.5, -0.5, 2.0), atol=1e-6)
    sphere = only_region(origin)["sphere"]
    assert np.allclose(sphere["center"], to_dataset([(0.5, -0.5, 2.0)])[0], atol=1e-6)
    assert sphere["radius"] == pytest.approx(0.25, rel=1e-5)


def test_the_size_at_which_an_empty_is_shown_counts(origin):
    item = edit_shapes.add_shape("erase", "sphere", (0, 0, 0), origin)
    item.empty_display_size = 3.0
    assert only_region(origin)["sphere"]["radius"] == pytest.approx(0.75, rel=1e-5)


def test_a_stretched_sphere_becomes_its_mesh(origin):
    item = edit_shapes.add_shape("erase", "sphere", (1, -2, 3), origin)
    item.scale = (0.5, 0.25, -0.125)
    mesh = only_region(origin)["mesh"]
    ellipsoid = np.array(mesh["vertices"]) / (0.5, 0.25, 0.125)
    assert np.allclose(np.linalg.norm(ellipsoid, axis=1), 1, atol=1e-5)
    assert signed_volume(mesh) == pytest.approx(4 / 3 * np.pi * 0.5 * 0.25 * 0.125, rel=0.005)


def marked(origin, op="erase"):
    edit_shapes.mark_meshes([bpy.context.object], op, origin)
    return bpy.context.object


def test_a_mesh_cube_that_is_a_box_is_sent_as_a_box(origin):
    bpy.ops.mesh.primitive_cube_add(size=1, location=(3, 0, 1), rotation=(0.1, 0.2, 0.3))
    item = marked(origin)
    item.scale = (1, 2, 3)
    bpy.context.view_layer.update()
    matrix = np.array(only_region(origin)["box"]["matrix"])
    seen = to_dataset([item.matrix_world @ Vector(v.co) for v in item.data.vertices])
    signs = np.linalg.solve(matrix[:3, :3], (seen - matrix[:3, 3]).T).T
    assert np.allclose(np.abs(signs), 1, atol=1e-5)


def test_a_mesh_is_sent_after_its_modifiers_in_the_dataset_frame(origin):
    bpy.ops.mesh.primitive_cylinder_add(radius=0.5, depth=2, location=(2, 1, 0))
    item = bpy.context.object
    item.modifiers.new("copies", "ARRAY").count = 3
    item.modifiers["copies"].relative_offset_displace = (2, 0, 0)
    marked(origin, "keep")
    mesh = only_region(origin)["mesh"]
    corners = np.array(mesh["vertices"])
    seen = to_dataset([item.matrix_world @ Vector(v.co) for v in item.data.vertices])
    assert len(corners) == 3 * len(seen)
    assert all(np.linalg.norm(corners - point, axis=1).min() < 1e-5 for point in seen)
    base = 32 * 0.5 * 0.5**2 * np.sin(2 * np.pi / 32)
    assert signed_volume(mesh) == pytest.approx(3 * base * 2 / 2**3, rel=1e-4)


@pytest.mark.parametrize("scale", [(1, 1, 1), (-1, 1, 1)])
@pytest.mark.parametrize("flip", [False, True])
def test_faces_look_outwards_however_the_mesh_was_made(origin, scale, flip):
    bpy.ops.mesh.primitive_ico_sphere_add(subdivisions=2, radius=1)
    if flip:
        bpy.context.object.data.flip_normals()
    bpy.context.object.scale = scale
    marked(origin)
    assert signed_volume(only_region(origin)["mesh"]) > 0


def test_curves_with_a_closed_surface_are_shapes(origin):
    bpy.ops.curve.primitive_bezier_circle_add(radius=1)
    bpy.context.object.data.bevel_depth = 0.2
    marked(origin)
    assert signed_volume(only_region(origin)["mesh"]) > 0


def test_an_open_mesh_is_refused_by_name_and_nothing_is_marked(origin):
    bpy.ops.mesh.primitive_cube_add()
    good = bpy.context.object
    bpy.ops.mesh.primitive_grid_add()
    bpy.context.object.name = "Torn sheet"
    with pytest.raises(SceneError, match=r"Torn sheet.*not closed"):
        edit_shapes.mark_meshes([good, bpy.context.object], "erase", origin)
    assert edit_shapes.collect_edits(origin) == []
    assert good.display_type == "TEXTURED"


def test_a_mesh_opened_after_it_was_marked_is_refused(origin):
    bpy.ops.mesh.primitive_ico_sphere_add()
    item = marked(origin)
    item.modifiers.new("cut", "BUILD").frame_duration = 500
    with pytest.raises(SceneError, match=item.name):
        edit_shapes.collect_edits(origin)


@pytest.mark.parametrize("kind", ["camera", "empty mesh"])
def test_what_has_no_surface_is_refused(origin, kind):
    data = bpy.data.cameras.new("x") if kind == "camera" else bpy.data.meshes.new("x")
    item = bpy.data.objects.new("Nothing", data)
    bpy.context.scene.collection.objects.link(item)
    with pytest.raises(SceneError, match="Nothing"):
        edit_shapes.mark_meshes([item], "erase", origin)


def test_a_flat_box_is_refused(origin):
    item = edit_shapes.add_shape("erase", "box", (0, 0, 0), origin)
    item.scale.z = 0
    with pytest.raises(SceneError, match="flat"):
        edit_shapes.collect_edits(origin)


@pytest.mark.parametrize(("op", "shape"), [("burn", "box"), ("erase", "torus")])
def test_unknown_words_are_refused(origin, op, shape):
    with pytest.raises(SceneError, match="use one of"):
        edit_shapes.add_shape(op, shape, (0, 0, 0), origin)


def test_shapes_belong_to_their_own_capture(origin):
    other = frame.create_frame(captures.capture("other", []))
    edit_shapes.add_shape("erase", "box", (0, 0, 0), origin)
    edit_shapes.add_shape("keep", "box", (0, 0, 0), other)
    assert [edit["op"] for edit in edit_shapes.collect_edits(origin)] == ["erase"]
    assert [edit["op"] for edit in edit_shapes.collect_edits(other)] == ["keep"]


def test_a_hidden_shape_still_works_and_a_switched_off_one_does_not(origin):
    bpy.ops.mesh.primitive_cone_add(location=(1, -2, 3))
    item = marked(origin)
    bpy.context.view_layer.update()
    shown = only_region(origin)
    item.hide_set(True)
    assert only_region(origin) == shown
    item.location.x += 2
    hidden = np.array(only_region(origin)["mesh"]["vertices"])
    moved = np.linalg.norm(hidden - np.array(shown["mesh"]["vertices"]), axis=1)
    assert np.allclose(moved, 1, atol=1e-5)
    item.hide_viewport = True
    assert edit_shapes.collect_edits(origin) == []
    assert edit_shapes.edit_shapes(origin) == []
    assert edit_shapes.edit_shapes(origin, with_off=True) == [item], "the panel lists it still"


def test_unmarking_a_mesh_makes_it_a_plain_object_again(origin):
    bpy.ops.mesh.primitive_cube_add()
    item = marked(origin)
    assert item.hide_render
    edit_shapes.unmark(item)
    assert not item.hide_render
    assert edit_shapes.collect_edits(origin) == []


# The order --------------------------------------------------------------------------------------


def names(origin, **options):
    bpy.context.view_layer.update()
    return [item.name for item in edit_shapes.edit_shapes(origin, **options)]


@pytest.fixture
def three(origin):
    """Three shapes whose names are not in the order in which they were added."""
    made = [edit_shapes.add_shape("erase", "box", (0, 0, 0), origin) for _ in range(3)]
    for item, name in zip(made, "cab", strict=True):
        item.name = name
    return made


def test_new_shapes_are_the_last_ones(origin, three):
    assert names(origin) == ["c", "a", "b"]
    three[1].name = "zzz"
    assert names(origin) == ["c", "zzz", "b"], "a name is only a name"


def test_a_shape_moves_up_and_down_and_not_beyond_the_ends(origin, three):
    c, _, b = three
    for item, steps, expected in (
        (b, -1, "cba"), (b, -1, "bca"), (b, -1, "bca"), (c, 1, "bac"), (c, 5, "bac"),
        (c, -2, "cba"),
    ):  # fmt: skip
        edit_shapes.reorder_shape(item, steps)
        assert names(origin) == list(expected)


def test_the_order_is_what_is_written(origin, three):
    for item, op in zip(three, ("erase", "tint", "keep"), strict=True):
        edit_shapes.shape_of(item).op = op
    edit_shapes.reorder_shape(three[2], -2)
    assert [edit["op"] for edit in edit_shapes.collect_edits(origin)] == ["keep", "erase", "tint"]


def test_shapes_of_earlier_files_are_in_the_order_of_their_names(origin, three):
    for item in three:
        edit_shapes.shape_of(item).property_unset("order")
    assert names(origin) == ["a", "b", "c"]
    edit_shapes.add_shape("erase", "box", (0, 0, 0), origin).name = "0"
    assert names(origin) == ["a", "b", "c", "0"]
    edit_shapes.reorder_shape(three[0], -2)
    assert names(origin) == ["c", "a", "b", "0"]


def test_copies_follow_their_shape_and_removed_ones_leave_the_rest_in_order(origin, three):
    copy = three[1].copy()
    three[1].users_collection[0].objects.link(copy)
    assert names(origin) == ["c", "a", "a.001", "b"]
    edit_shapes.reorder_shape(copy, -1)
    edit_shapes.remove_shape(three[0])
    assert names(origin) == ["a.001", "a", "b"]


def test_shapes_that_are_not_shown_keep_their_positions(origin, three):
    c, a, b = three
    hidden = bpy.data.collections.new("Hidden")
    bpy.context.scene.collection.children.link(hidden)
    for collection in a.users_collection:
        collection.objects.unlink(a)
    hidden.objects.link(a)
    bpy.context.view_layer.layer_collection.children["Hidden"].exclude = True
    b.hide_viewport = True
    edit_shapes.reorder_shape(c, 1)
    assert names(origin, with_off=True) == ["b", "c"]
    bpy.context.view_layer.layer_collection.children["Hidden"].exclude = False
    assert names(origin, with_off=True) == ["b", "a", "c"]


def test_marking_a_shape_again_keeps_its_position(origin):
    bpy.ops.mesh.primitive_cube_add()
    cube = bpy.context.object
    edit_shapes.mark_meshes([cube], "erase", origin)
    edit_shapes.add_shape("erase", "box", (0, 0, 0), origin)
    edit_shapes.mark_meshes([cube], "keep", origin)
    assert names(origin)[0] == cube.name


def test_only_shapes_can_be_moved(origin):
    with pytest.raises(SceneError, match="is no edit shape"):
        edit_shapes.reorder_shape(origin, 1)


def test_the_buttons_move_the_active_shape_and_undo_takes_it_back(add_on):
    toy = frame.create_frame(captures.capture("toy", [], ((-1, -1, -1), (1, 1, 1))))
    bpy.context.scene.convert_field.frame = toy
    operators = bpy.ops.convert_field
    for name in "ba":
        operators.add_shape(op="erase", shape="box")
        bpy.context.object.name = name
    bpy.ops.ed.undo_push(message="Two shapes")
    operators.reorder_shape(steps=-1)
    bpy.ops.ed.undo_push(message="Moved")
    assert names(toy) == ["a", "b"]
    bpy.ops.ed.undo()
    assert names(bpy.data.objects["toy frame"]) == ["b", "a"]
    bpy.context.view_layer.objects.active = bpy.data.objects["toy frame"]
    assert not operators.reorder_shape.poll()
