"""Splat objects of Blender: shown, read as they are seen, saved, imported again by Blender."""

import bpy
import captures
import numpy as np
import pytest
from mathutils import Matrix
from splat_clouds import affine, cloud, same_bits
from splat_scene import (
    PLACED,
    imported_by_blender,
    keep_above,
    nearly_equal,
    needs_native,
    seen,
    select,
)

from pvd_blender.errors import ConvertFieldError, SceneError
from pvd_blender.scene.frame import create_frame
from pvd_blender.splats import native
from pvd_blender.splats.axes import RIGHT_DOWN_FORWARD
from pvd_blender.splats.cloud import Splats, transformed
from pvd_blender.splats.objects import show_splats
from pvd_blender.splats.ply import read_ply, write_ply


@pytest.fixture
def capture_frame(add_on):
    return create_frame(captures.capture("toy", [], ((-1, -1, -1), (1, 1, 1))))


def api():
    from pvd_blender import api

    return api


# Blender's own objects --------------------------------------------------------------------------


@needs_native
@pytest.mark.parametrize("degree", range(5))
def test_an_object_holds_what_it_was_given_bit_by_bit(add_on, degree):
    splats = cloud(500, degree)
    item = show_splats(splats, "Cloud")
    assert native.is_splats(item) and len(item.data.points) == 500
    found, notes = seen(item)
    assert notes == [] and same_bits(found, splats)


@needs_native
@pytest.mark.parametrize("degree", range(5))
def test_blender_imports_the_same_bits_from_our_file(add_on, tmp_path, degree):
    """Ours of a file is Blender's of it, and what is saved is imported where the object was."""
    write_ply(cloud(20_000, degree), tmp_path / "a.ply")
    theirs, _ = seen(imported_by_blender(tmp_path / "a.ply"))
    ours, _ = read_ply(tmp_path / "a.ply")
    assert same_bits(ours, theirs)
    item = imported_by_blender(tmp_path / "a.ply")
    api().save_splats(tmp_path / "b.ply", [item])
    again, _ = seen(imported_by_blender(tmp_path / "b.ply"))
    assert same_bits(again, theirs)


@needs_native
def test_a_moved_object_is_saved_where_it_is(add_on, tmp_path):
    item = show_splats(cloud(), "Cloud")
    item.matrix_world = PLACED
    expected, _ = transformed(cloud(), np.array(PLACED))
    api().save_splats(tmp_path / "a.ply", [item])
    again = imported_by_blender(tmp_path / "a.ply")
    assert again.matrix_world == Matrix()
    assert nearly_equal(seen(again)[0], expected)


@needs_native
def test_axes_of_3dgs_have_y_down_and_z_forward(add_on, tmp_path):
    splats = cloud()
    item = show_splats(splats, "Cloud")
    api().save_splats(tmp_path / "a.ply", [item], axes="3DGS")
    found, _ = read_ply(tmp_path / "a.ply")
    x, y, z = splats.centers.T
    assert np.array_equal(found.centers, np.stack([x, -z, y], axis=1))
    assert nearly_equal(found, transformed(splats, RIGHT_DOWN_FORWARD)[0])
    upright = api().import_splats(tmp_path / "a.ply", axes="3DGS")
    assert nearly_equal(seen(upright)[0], splats)


@needs_native
def test_modifiers_instances_and_meshes_with_nodes_are_seen(add_on, tmp_path):
    splats = cloud()
    item = show_splats(splats, "Cloud")
    keep_above(item)
    kept = splats.chosen(splats.centers[:, 2] >= 0)
    assert same_bits(seen(item)[0], kept)
    collection = bpy.data.collections.new("Parts")
    collection.objects.link(item)
    bpy.context.collection.objects.unlink(item)
    instance = bpy.data.objects.new("Instance", None)
    instance.instance_type, instance.instance_collection = "COLLECTION", collection
    instance.matrix_world = PLACED
    bpy.context.scene.collection.objects.link(instance)
    assert native.may_hold_splats(instance)
    assert nearly_equal(seen(instance)[0], transformed(kept, np.array(PLACED))[0])
    write_ply(splats, tmp_path / "a.ply")
    mesh = bpy.data.objects.new("Reader", bpy.data.meshes.new("Reader"))
    bpy.context.scene.collection.objects.link(mesh)
    tree = bpy.data.node_groups.new("Read", "GeometryNodeTree")
    tree.interface.new_socket("Geometry", in_out="OUTPUT", socket_type="NodeSocketGeometry")
    read, end = tree.nodes.new("GeometryNodeImportPLY"), tree.nodes.new("NodeGroupOutput")
    read.inputs[0].default_value = str(tmp_path / "a.ply")
    tree.links.new(read.outputs[0], end.inputs[0])
    mesh.modifiers.new("Read", "NODES").node_group = tree
    assert native.may_hold_splats(mesh)
    assert nearly_equal(seen(mesh)[0], splats, 1e-6)


@needs_native
def test_joined_and_several_selected_objects_are_one_cloud(add_on):
    first, second = show_splats(cloud(30, 1), "A"), show_splats(cloud(40, 3, seed=1), "B")
    second.matrix_world = PLACED
    both, _ = seen(first, second)
    assert len(both) == 70 and both.degree == 3
    moved = transformed(cloud(40, 3, seed=1), np.array(PLACED))[0]
    assert any(nearly_equal(both.chosen(part), moved) for part in (slice(30, 70), slice(0, 40)))
    second.matrix_world = Matrix()
    select(second, first)
    bpy.ops.object.join()
    joined, notes = seen(first)
    assert notes == [] and len(joined) == 70 and joined.degree == 3


@needs_native
def test_what_is_hidden_or_no_splats_is_named(add_on):
    item = show_splats(cloud(), "Cloud")
    item.hide_viewport = True
    plain = bpy.data.objects.new("Plain", bpy.data.pointclouds.new("Plain"))
    bpy.context.collection.objects.link(plain)
    for hidden in (item, plain):
        with pytest.raises(SceneError, match=f"no splats in '{hidden.name}'"):
            seen(hidden)
    item.hide_viewport = False
    item.data.attributes.remove(item.data.attributes["scale"])
    with pytest.raises(SceneError, match="no attribute 'scale'"):
        seen(item)


@needs_native
def test_a_stretched_object_is_saved_with_a_note(add_on, session, tmp_path):
    item = show_splats(cloud(), "Cloud")
    item.scale = (1, 2, 3)
    api().save_splats(tmp_path / "a.ply", [item])
    assert "'Cloud': The scale is not the same along all axes" in session.message
    expected = transformed(cloud(), np.diag([1.0, 2, 3, 1]))[0]
    assert nearly_equal(read_ply(tmp_path / "a.ply")[0], expected)


@needs_native
def test_in_a_captures_frame_splats_have_its_numbers(add_on, capture_frame):
    capture_frame.matrix_world = PLACED
    item = show_splats(cloud(), "Cloud", capture_frame)
    bpy.context.view_layer.update()
    assert item.parent == capture_frame and item.matrix_world == capture_frame.matrix_world
    assert same_bits(seen(item, frame=capture_frame)[0], cloud())
    assert nearly_equal(seen(item)[0], transformed(cloud(), np.array(PLACED))[0])
    item.location = (0.5, 0, 0)
    moved = transformed(cloud(), affine(np.eye(3), (0.5, 0, 0)))[0]
    assert nearly_equal(seen(item, frame=capture_frame)[0], moved)


@needs_native
def test_a_capture_far_from_its_origin_shows_splats_around_blenders(add_on):
    far = captures.capture("far", [], ((999, -1, -1), (1001, 1, 1)))
    frame = create_frame(far | {"origin": [1000.0, 0.0, 0.0]})
    there = transformed(cloud(), affine(np.eye(3), (1000, 0, 0)))[0]
    item = show_splats(there, "Cloud", frame)
    assert np.abs(seen(item)[0].centers).max() < 10
    found, notes = seen(item, frame=frame)
    assert nearly_equal(found, there, 1e-3) and notes == []
    frame["pvd_origin"] = [4e6, 0.0, 0.0]
    assert "steps of 0.25" in seen(item, frame=frame)[1][0]
    frame.scale = (0, 0, 0)
    with pytest.raises(SceneError, match="scale of zero"):
        seen(item, frame=frame)


@needs_native
def test_showing_again_changes_what_an_object_shows_and_keeps_its_place(add_on, capture_frame):
    item = show_splats(cloud(), "Cloud", capture_frame)
    keep_above(item, -100)
    item.location = (1, 0, 0)
    clouds = len(bpy.data.pointclouds)
    again = show_splats(cloud(10, 0), "Cloud", capture_frame, item)
    assert again == item and len(item.data.points) == 10 and len(bpy.data.pointclouds) == clouds
    assert len(item.modifiers) == 1 and item.location.x == 1
    bpy.data.objects.remove(item)
    assert show_splats(cloud(), "Cloud", capture_frame).name == "Cloud"


# Importing and saving ---------------------------------------------------------------------------


def test_a_file_is_imported_as_an_object(add_on, session, tmp_path):
    write_ply(cloud(50), tmp_path / "room.clean.ply")
    item = api().import_splats(tmp_path / "room.clean.ply")
    assert item.name == "room" and session.message.startswith("Imported 50 splats")
    if native.has_native_splats():
        assert same_bits(seen(item)[0], read_ply(tmp_path / "room.clean.ply")[0])
    else:
        assert item.type == "MESH" and "for display only" in session.message


@needs_native
def test_other_names_are_refused_before_anything_is_read(add_on, tmp_path):
    item = show_splats(cloud(), "Cloud")
    for name in ("a.obj", "a", "a.ply.txt"):
        with pytest.raises(ConvertFieldError, match="end its name with"):
            api().save_splats(tmp_path / name, [item])
    with pytest.raises(ConvertFieldError, match="no axes 'UP'"):
        api().save_splats(tmp_path / "a.ply", [item], axes="UP")
    with pytest.raises(ConvertFieldError, match="no capture"):
        api().save_splats(tmp_path / "a.ply", [item], axes="CAPTURE")
    with pytest.raises(SceneError, match="no splats in an empty selection"):
        api().save_splats(tmp_path / "a.ply", [])
    assert list(tmp_path.glob("a*")) == []


@needs_native
def test_the_button_saves_without_a_capture_and_without_an_engine(add_on, tmp_path):
    item = show_splats(cloud(), "Cloud")
    select(item)
    assert bpy.ops.convert_field.save_splats.poll()
    bpy.ops.convert_field.save_splats(filepath=str(tmp_path / "a.ply"))
    assert nearly_equal(read_ply(tmp_path / "a.ply")[0], cloud(), 1e-6)
    with pytest.raises(RuntimeError, match="no capture"):
        bpy.ops.convert_field.save_splats(filepath=str(tmp_path / "b.ply"), axes="CAPTURE")
    with pytest.raises(RuntimeError, match="engine"):
        bpy.ops.convert_field.save_splats(filepath=str(tmp_path / "b.spz"))
    select()
    assert not bpy.ops.convert_field.save_splats.poll()


@needs_native
def test_axes_of_the_capture_are_the_dataset_frame(add_on, capture_frame, tmp_path):
    capture_frame.matrix_world = PLACED
    item = show_splats(cloud(), "Cloud", capture_frame)
    bpy.context.scene.convert_field.frame = capture_frame
    select(item)
    bpy.ops.convert_field.save_splats(filepath=str(tmp_path / "a.ply"), axes="CAPTURE")
    assert nearly_equal(read_ply(tmp_path / "a.ply")[0], cloud(), 1e-6)


def test_the_reason_why_splats_cannot_be_saved_is_given(add_on):
    from pvd_blender.ui.operators.splats import why_no_splats

    reason = why_no_splats(bpy.context)
    assert ("Select" in reason) if native.has_native_splats() else ("5.3" in reason)
    if not native.has_native_splats():
        with pytest.raises(ConvertFieldError, match=r"Blender 5\.3 and later"):
            api().save_splats("/tmp/never.ply", [])


def test_the_panel_counts_the_selected_splats_or_says_what_is_missing(add_on):
    from test_panels import drawn, panels

    buttons = {"convert_field.import_splats", "convert_field.use_as_field"}
    shown = drawn(panels()["Splats"])
    assert buttons | {"convert_field.save_splats"} <= set(shown)
    assert any("Select" in text or "5.3" in text for text in shown)
    item = show_splats(cloud(1200), "Cloud")
    select(item)
    shown = drawn(panels()["Splats"])
    if native.has_native_splats():
        assert "Cloud: 1,200 splats" in shown and "Field in: A frame of its own" in shown
    else:
        assert not any("1,200" in text for text in shown)


@needs_native
def test_splats_of_a_file_are_saved_on_the_command_line(add_on, capsys, tmp_path):
    from pvd_blender.api.commands import run_command

    show_splats(cloud(30), "A")
    show_splats(cloud(20, seed=1), "B").location = (1, 0, 0)
    scene = tmp_path / "a.blend"
    bpy.ops.wm.save_as_mainfile(filepath=str(scene))
    assert run_command(["save-splats", str(scene), str(tmp_path / "all.ply")]) == 0
    assert len(read_ply(tmp_path / "all.ply")[0]) == 50
    some = ["save-splats", str(scene), str(tmp_path / "b.ply"), "--object", "B", "--axes", "3DGS"]
    assert run_command(some) == 0
    moved, _ = transformed(cloud(20, seed=1), affine(np.eye(3), (1, 0, 0)))
    expected, _ = transformed(moved, RIGHT_DOWN_FORWARD)
    assert nearly_equal(read_ply(tmp_path / "b.ply")[0], expected)
    assert run_command([*some[:4], "Nobody"]) == 1
    assert run_command(["save-splats", str(tmp_path / "no.blend"), str(tmp_path / "c.ply")]) == 1
    said = capsys.readouterr().err
    assert "has no object 'Nobody'" in said and "cannot be opened" in said


def test_a_dropped_file_is_offered_our_import(add_on):
    from pvd_blender.ui.drops import CLASSES

    handler = next(cls for cls in CLASSES if ".spz" in cls.bl_file_extensions)
    assert handler.is_registered and ".ply" in handler.bl_file_extensions.split(";")
    group, name = handler.bl_import_operator.split(".")
    known = getattr(getattr(bpy.ops, group), name).get_rna_type().properties
    assert known["filepath"].subtype == "FILE_PATH"


def test_the_import_button_makes_an_object_or_says_what_is_wrong(add_on, tmp_path):
    write_ply(cloud(5), tmp_path / "a.ply")
    bpy.ops.convert_field.import_splats(filepath=str(tmp_path / "a.ply"), use="OBJECT")
    assert bpy.context.active_object.name == "a" and bpy.context.active_object.select_get()
    (tmp_path / "mesh.ply").write_bytes(b"ply\n")
    with pytest.raises(RuntimeError, match="header"):
        bpy.ops.convert_field.import_splats(filepath=str(tmp_path / "mesh.ply"), use="OBJECT")
    with pytest.raises(RuntimeError, match="engine"):
        bpy.ops.convert_field.import_splats(filepath=str(tmp_path / "a.ply"), use="FIELD")


# Points for display -----------------------------------------------------------------------------


def test_points_for_display_have_the_splats_colours_and_sizes(add_on):
    from pvd_blender.splats.display import display_data, draw_as_points

    splats = Splats(
        np.array([[0, 0, 0], [3, 0, 0]], np.float32),
        np.array([[0.1, 0.2, 0.4], [0.5, 0.5, 0.01]], np.float32),
        np.array([[1, 0, 0, 0]] * 2, np.float32),
        np.array([0.5, 1.0], np.float32),
        np.array([[[0, 0, 0]], [[5, -5, 0.5 / 0.28209479177387814]]], np.float32),
    )
    data = display_data(splats, "Points")
    item = bpy.data.objects.new("Points", data)
    bpy.context.collection.objects.link(item)
    draw_as_points(item)
    colors = np.array([entry.color_srgb[:] for entry in data.attributes["Col"].data])
    assert np.allclose(colors, [[0.5, 0.5, 0.5, 1], [1, 0, 1, 1]], atol=1e-3)
    radii = [entry.value for entry in data.attributes["radius"].data]
    assert np.allclose(radii, [np.sqrt(0.2 * 0.4), np.sqrt(2) * 0.5])
    evaluated = item.evaluated_get(bpy.context.evaluated_depsgraph_get())
    if hasattr(evaluated, "evaluated_geometry"):  # from Blender 5.0 on
        shown = evaluated.evaluated_geometry()
        points = shown.pointcloud.points
        assert np.allclose([point.radius for point in points], radii)


def test_points_for_display_are_drawn(add_on, tmp_path):
    """One large splat in front of a camera covers the middle of the picture in its colour."""
    from pictures import read_pixels

    from pvd_blender.splats.display import display_data, draw_as_points

    part = cloud(1, 0)
    splats = Splats(
        np.zeros((1, 3), np.float32), np.full((1, 3), 0.5, np.float32), part.rotations,
        np.ones(1, np.float32), np.array([[[1.0, 0, -1.0]]], np.float32),
    )  # fmt: skip
    item = bpy.data.objects.new("Points", display_data(splats, "Points"))
    bpy.context.collection.objects.link(item)
    draw_as_points(item)
    camera = bpy.data.objects.new("Camera", bpy.data.cameras.new("Camera"))
    camera.location = (0, 0, 5)
    bpy.context.collection.objects.link(camera)
    scene = bpy.context.scene
    scene.camera, scene.render.engine = camera, "CYCLES"
    scene.cycles.samples, scene.render.film_transparent = 4, True
    scene.cycles.use_denoising = False
    scene.view_settings.view_transform = "Standard"
    scene.render.resolution_x = scene.render.resolution_y = 32
    scene.render.filepath = str(tmp_path / "a.png")
    bpy.ops.render.render(write_still=True)
    middle = read_pixels(tmp_path / "a.png")[16, 16]
    expected = np.clip(0.5 + 0.28209479 * np.array([1.0, 0, -1.0]), 0, 1)
    assert middle[3] == 1 and np.abs(middle[:3] - expected).max() < 0.02
    assert read_pixels(tmp_path / "a.png")[0, 0, 3] == 0
