"""The render engine PVD Field: pictures, borders, edits, and its one process."""

import os
import time

import bpy
import numpy as np
import pytest
from mathutils import Matrix, Vector


@pytest.fixture
def frame(api, trained):
    """A capture with a teacher; the scene renders it from its first camera."""
    camera = next(item for item in trained.children if item.type == "CAMERA")
    api.look_through(camera)
    scene = bpy.context.scene
    scene.render.engine = "CONVERT_FIELD"
    scene.render.film_transparent = True
    scene.view_settings.view_transform = "Standard"
    scene.render.image_settings.file_format = "PNG"
    scene.render.image_settings.color_mode = "RGBA"
    scene.render.image_settings.compression = 0
    return trained


def rendered(path):
    """F12 into a file, as (H, W, 4) straight colours of the file, rows downwards."""
    bpy.context.scene.render.filepath = str(path)
    bpy.ops.render.render(write_still=True)
    return pixels(bpy.data.images.load(str(path)))


def pixels(image):
    width, height = image.size
    return np.array(image.pixels[:], np.float32).reshape(height, width, 4)[::-1]


def on_white(rgba):
    return rgba[..., :3] * rgba[..., 3:] + 1 - rgba[..., 3:]


def psnr(a, b):
    return -10 * np.log10(np.square(on_white(a) - on_white(b)).mean() + 1e-12)


def test_f12_of_a_dataset_camera_is_what_the_engine_renders(api, frame, tmp_path):
    picture = rendered(tmp_path / "f12.png")
    reference = pixels(api.render(frame))
    assert picture.shape == reference.shape
    assert psnr(picture, reference) > 45
    assert np.abs(picture[..., 3] - reference[..., 3]).max() < 0.01
    assert picture[..., 3].max() > 0.5


def test_percentage_border_and_an_opaque_background_are_respected(frame, tmp_path):
    scene = bpy.context.scene
    whole = rendered(tmp_path / "whole.png")
    scene.render.resolution_percentage = 50
    half = rendered(tmp_path / "half.png")
    assert half.shape[:2] == (whole.shape[0] // 2, whole.shape[1] // 2)
    height, width = half.shape[:2]
    averaged = whole.reshape(height, 2, width, 2, 4).mean(axis=(1, 3))
    assert psnr(half, averaged) > 20
    scene.render.resolution_percentage = 100
    scene.render.use_border = scene.render.use_crop_to_border = True
    scene.render.border_min_x, scene.render.border_max_x = 0.25, 0.75
    scene.render.border_min_y, scene.render.border_max_y = 0.5, 1.0
    part = rendered(tmp_path / "part.png")
    height, width = whole.shape[:2]
    cut = whole[: height // 2, width // 4 : 3 * width // 4]
    assert part.shape == cut.shape and psnr(part, cut) > 45
    scene.render.use_border = False
    scene.render.film_transparent = False
    scene.world = bpy.data.worlds.new("White")
    if scene.world.node_tree is None:
        scene.world.color = (1, 1, 1)
    else:
        node = next(n for n in scene.world.node_tree.nodes if n.type == "BACKGROUND")
        node.inputs["Color"].default_value = (1, 1, 1, 1)
    opaque = rendered(tmp_path / "opaque.png")
    assert opaque[..., 3].min() == 1
    assert np.abs(opaque[0, 0, :3] - 1).max() < 0.01


def test_edit_shapes_show_at_once(api, frame, tmp_path):
    before = rendered(tmp_path / "before.png")
    shape = api.add_shape(frame, "erase", "box", location=(0, 0, 0))
    shape.scale = (10, 10, 10)
    assert rendered(tmp_path / "erased.png")[..., 3].max() == 0
    bpy.context.scene.convert_field.live_edits = False
    assert psnr(rendered(tmp_path / "after.png"), before) > 60


def test_an_animated_camera_renders_each_frame_from_where_it_is(frame, tmp_path):
    scene = bpy.context.scene
    camera = scene.camera
    camera.keyframe_insert("location", frame=1)
    still = camera.location.copy()
    camera.location = still * 40
    camera.keyframe_insert("location", frame=2)
    scene.frame_start, scene.frame_end = 1, 2
    scene.render.filepath = str(tmp_path / "frame-")
    bpy.ops.render.render(animation=True)
    near, far = (pixels(bpy.data.images.load(str(p))) for p in sorted(tmp_path.glob("frame-*")))
    assert far[..., 3].sum() < 0.05 * near[..., 3].sum()


def test_one_process_renders_all_and_ends_with_the_add_on(frame, session, tmp_path):
    rendered(tmp_path / "one.png")
    pid = session.pictures.pid
    rendered(tmp_path / "two.png")
    assert pid is not None and session.pictures.pid == pid
    session.close_engines()
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline and runs(pid):
        time.sleep(0.05)
    assert not runs(pid)
    assert rendered(tmp_path / "three.png").shape[2] == 4, "and another starts when it is needed"


def runs(pid):
    try:
        os.kill(pid, 0)
    except OSError:
        return False
    return True


def plane(camera, depth, left, right, color):
    """A glowing plane across a camera's view at a depth, between two shares of its width."""
    half = depth * 0.6
    corners = [(2 * half * x - half, y, -depth) for x in (left, right) for y in (-half, half)]
    mesh = bpy.data.meshes.new("plane")
    mesh.from_pydata([camera.matrix_world @ Vector(c) for c in corners], [], [(0, 1, 3, 2)])
    material = bpy.data.materials.new("glow")
    if bpy.app.version < (5, 0, 0):
        material.use_nodes = True
    material.node_tree.nodes.clear()
    glow = material.node_tree.nodes.new("ShaderNodeEmission")
    glow.inputs["Color"].default_value = (*color, 1)
    out = material.node_tree.nodes.new("ShaderNodeOutputMaterial")
    material.node_tree.links.new(glow.outputs[0], out.inputs["Surface"])
    mesh.materials.append(material)
    item = bpy.data.objects.new("plane", mesh)
    bpy.context.scene.collection.objects.link(item)


def test_field_and_objects_hide_each_other_by_depth(api, frame, tmp_path):
    scene = bpy.context.scene
    field = rendered(tmp_path / "field.png")
    scene.render.engine = "CYCLES"
    scene.cycles.samples, scene.cycles.use_denoising = 1, False
    plane(scene.camera, 2.5, 0.0, 0.5, (1, 0, 0))
    plane(scene.camera, 6.0, 0.5, 1.0, (0, 0, 1))
    other = api.combine_by_depth(frame)
    assert other.render.engine == "CONVERT_FIELD" and scene.render.engine == "CYCLES"
    picture = rendered(tmp_path / "both.png")
    height, width = picture.shape[:2]
    middle = height // 2
    assert picture[middle, width // 4, 0] > 0.9 > 0.1 > picture[middle, width // 4, 2]
    ball, ground = (middle, width // 2 + 3), (1, width - 2)
    assert field[ball][3] > 0.9 and field[ground][3] < 0.1
    assert np.abs(picture[ball][:3] - field[ball][:3]).max() < 0.1, "in front of the far plane"
    assert picture[ground][2] > 0.9, "which is seen next to it"
    scenes = len(bpy.data.scenes)
    assert api.combine_by_depth(frame) == other and len(bpy.data.scenes) == scenes
    scene.render.engine = "CONVERT_FIELD"
    with pytest.raises(api.ConvertFieldError, match="another render engine"):
        api.combine_by_depth(frame)


def frames(folder):
    """An animation into files, as pictures."""
    bpy.context.scene.render.filepath = str(folder / "f-")
    bpy.ops.render.render(animation=True)
    return [pixels(bpy.data.images.load(str(path))) for path in sorted(folder.glob("f-*"))]


def test_a_combined_scene_follows_camera_size_capture_and_new_objects(api, frame, tmp_path):
    scene = bpy.context.scene
    scene.render.engine = "CYCLES"
    scene.cycles.samples, scene.cycles.use_denoising = 1, False
    api.combine_by_depth(frame)
    cameras = [item for item in frame.children if item.type == "CAMERA"]
    own = bpy.data.objects.new("Own", cameras[1].data.copy())
    own.matrix_world = cameras[1].matrix_world @ Matrix.Rotation(0.1, 4, "Z")
    scene.collection.objects.link(own)  # an object that the other scene has never seen
    scene.camera = own
    scene.render.resolution_x, scene.render.resolution_percentage = 90, 50
    scene.render.use_border = True
    scene.render.border_min_x, scene.render.border_max_x = 0.1, 0.9
    both = rendered(tmp_path / "both.png")
    scene.render.use_compositing = False
    scene.render.engine = "CONVERT_FIELD"
    alone = rendered(tmp_path / "alone.png")
    assert alone[..., 3].max() > 0.5
    assert both.shape == alone.shape and psnr(both, alone) > 45


def test_a_combined_animation_shows_each_frame_from_its_camera(api, frame, tmp_path):
    scene = bpy.context.scene
    scene.render.engine = "CYCLES"
    scene.cycles.samples, scene.cycles.use_denoising = 1, False
    scene.frame_start, scene.frame_end = 1, 3
    api.combine_by_depth(frame)
    first, second = [item for item in frame.children if item.type == "CAMERA"][:2]
    for number, camera in ((1, first), (2, second)):
        scene.timeline_markers.new(camera.name, frame=number).camera = camera
    second.keyframe_insert("location", frame=2)
    second.location.x += 0.5
    second.keyframe_insert("location", frame=3)
    (tmp_path / "both").mkdir(), (tmp_path / "alone").mkdir()
    both = frames(tmp_path / "both")
    scene.render.use_compositing = False
    scene.render.engine = "CONVERT_FIELD"
    alone = frames(tmp_path / "alone")
    assert psnr(alone[0], alone[1]) < 30 and psnr(alone[1], alone[2]) < 30
    assert len(both) == 3 and all(psnr(a, b) > 45 for a, b in zip(both, alone, strict=True))


def test_an_unexpected_failure_of_the_engine_is_said(frame, tmp_path, monkeypatch):
    from pvd_blender.render import render_engine

    def fail(*_arguments):
        raise TypeError("no such thing")

    monkeypatch.setattr(render_engine, "linear_rgba", fail)
    bpy.context.scene.render.filepath = str(tmp_path / "none.png")
    with pytest.raises(RuntimeError, match="no such thing"):
        bpy.ops.render.render(write_still=True)


def test_without_capture_camera_or_field_the_reason_is_said(api, capture, tmp_path):
    scene = bpy.context.scene
    scene.render.engine = "CONVERT_FIELD"
    scene.render.filepath = str(tmp_path / "none.png")
    scene.camera = bpy.data.objects.new("Camera", bpy.data.cameras.new("Camera"))
    scene.collection.objects.link(scene.camera)
    with pytest.raises(RuntimeError, match="no capture"):
        bpy.ops.render.render()
    frame = api.import_capture(capture)
    with pytest.raises(RuntimeError, match="train a teacher first"):
        bpy.ops.render.render()
    item = frame.convert_field.fields.add()
    item.path = str(tmp_path / "gone.safetensors")
    with pytest.raises(RuntimeError, match="is missing"):
        bpy.ops.render.render()


def test_depth_is_along_the_view_in_scene_units(add_on):
    from pvd_blender.render.field_picture import FAR, blender_depth

    camera = {"width": 8, "height": 6, "fx": 5.0, "fy": 6.0, "cx": 3.0, "cy": 2.5}
    # A wall at z = 4: the way along a ray is longer towards the corners.
    x = (np.arange(8) + 0.5 - 3.0) / 5.0
    y = (np.arange(6) + 0.5 - 2.5) / 6.0
    along = 4 * np.sqrt(1 + x[None] ** 2 + y[:, None] ** 2)
    picture = np.zeros((6, 8, 5), np.float32)
    picture[..., 3], picture[..., 4] = 1.0, along
    picture[0, 0, 3] = 0.2
    depth = blender_depth(picture, camera, 2.0)
    assert depth[0, 0] == np.float32(FAR)
    assert np.allclose(depth.ravel()[1:], 8.0, rtol=1e-5)


def test_a_view_sees_what_a_camera_with_its_matrices_sees(add_on):
    from types import SimpleNamespace

    from pvd_blender.render.viewport import reduced, view_camera
    from pvd_blender.scene.intrinsics import read_intrinsics

    scene = bpy.context.scene
    scene.render.resolution_x, scene.render.resolution_y = 640, 360
    item = bpy.data.objects.new("Camera", bpy.data.cameras.new("Camera"))
    scene.collection.objects.link(item)
    item.location, item.rotation_euler = (3, -4, 2), (1.1, 0.2, 0.6)
    item.data.lens, item.data.shift_x, item.data.shift_y = 31.0, 0.12, -0.07
    frame = bpy.data.objects.new("Frame", None)
    scene.collection.objects.link(frame)
    frame.location, frame.scale = (1, 2, 3), (2, 2, 2)
    bpy.context.view_layer.update()
    projection = item.calc_matrix_camera(bpy.context.evaluated_depsgraph_get(), x=640, y=360)
    region = SimpleNamespace(width=640, height=360)
    view = SimpleNamespace(window_matrix=projection, view_matrix=item.matrix_world.inverted())
    entry = view_camera(region, view, frame)
    k = read_intrinsics(item, scene)
    assert np.allclose([entry[n] for n in ("fx", "fy", "cx", "cy")], [k.fx, k.fy, k.cx, k.cy], 1e-4)
    pose = np.linalg.inv(np.array(frame.matrix_world)) @ np.array(item.matrix_world)
    assert np.allclose(np.array(entry["camera_to_world"])[:3, 3], pose[:3, 3], atol=1e-5)
    half = reduced(entry, 2)
    assert (half["width"], half["height"], half["cx"]) == (320, 180, entry["cx"] / 2)
    projection[3][3] = 1.0
    with pytest.raises(Exception, match="perspective"):
        view_camera(region, view, frame)


def test_colours_are_linear_and_premultiplied(add_on):
    from pvd_blender.render.field_picture import linear_rgba

    picture = np.zeros((1, 3, 5), np.float32)
    picture[0, 0, :4] = (0.5, 0.25, 0.0, 0.5)
    picture[0, 1, :4] = (1.0, 0.5, 0.02, 1.0)
    linear = linear_rgba(picture, None)
    assert np.allclose(linear[0, 0], (0.5, 0.5 * 0.21404, 0, 0.5), atol=1e-4)
    assert np.allclose(linear[0, 1], (1.0, 0.21404, 0.00154799, 1.0), atol=1e-4)
    over = linear_rgba(picture, np.array([0.1, 0.2, 0.3]))
    assert np.allclose(over[0, 2], (0.1, 0.2, 0.3, 1.0))
    assert np.allclose(over[0, 0], (0.55, 0.10702 + 0.1, 0.15, 1.0), atol=1e-4)
