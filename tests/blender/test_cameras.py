import math
import sys
from pathlib import Path

import bpy
import numpy as np
import pytest
from bpy_extras.object_utils import world_to_camera_view
from mathutils import Euler, Matrix, Vector

ROOT = Path(__file__).resolve().parents[2]
for folder in (ROOT, Path(__file__).resolve().parent):
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))

import captures  # noqa: E402

from pvd_blender.errors import SceneError  # noqa: E402
from pvd_blender.scene import cameras, crop_box, frame  # noqa: E402

LEGO = ROOT.parent / "shared" / "data" / "nerf_synthetic_lego_200"
FOX = ROOT.parent / "shared" / "data" / "fox_270x480"
needs_lego = pytest.mark.skipif(not LEGO.is_dir(), reason="the lego capture is not at hand")
needs_fox = pytest.mark.skipif(not FOX.is_dir(), reason="the fox capture is not at hand")
PIXEL = 1e-3


def random_pose(rng, reach=3.0):
    turn = Euler(rng.uniform(-math.pi, math.pi, 3)).to_matrix().to_4x4()
    pose = np.array([list(row) for row in turn], dtype=np.float64)
    basis, _ = np.linalg.qr(pose[:3, :3])
    pose[:3, :3] = basis * np.sign(np.linalg.det(basis))
    pose[:3, 3] = rng.uniform(-reach, reach, 3)
    return pose


def blender_pixels(item, points):
    """Pixels of world points by Blender's own projection matrix for the scene as it is."""
    render = bpy.context.scene.render
    depsgraph = bpy.context.evaluated_depsgraph_get()
    width, height = render.resolution_x, render.resolution_y
    projection = item.calc_matrix_camera(
        depsgraph, x=width, y=height, scale_x=render.pixel_aspect_x, scale_y=render.pixel_aspect_y
    )
    world_to_camera = np.linalg.inv(np.array(item.matrix_world.normalized(), dtype=np.float64))
    clip = np.c_[points, np.ones(len(points))] @ (np.array(projection) @ world_to_camera).T
    ndc = clip[:, :2] / clip[:, 3:]
    return np.stack([(ndc[:, 0] + 1) / 2 * width, (1 - ndc[:, 1]) / 2 * height], axis=1)


def placed(location, turn, scale):
    return Matrix.LocRotScale(Vector(location), Euler(turn), Vector((scale,) * 3))


def worst_reprojection(capture, tmp_path, place=None):
    origin = frame.create_frame(capture)
    if place is not None:
        origin.matrix_world = place
    items = cameras.import_cameras(capture, origin, tmp_path)
    rng = np.random.default_rng(0)
    place = np.eye(4) if place is None else np.array(place, dtype=np.float64)
    worst = 0.0
    for item, view in zip(items, capture["views"], strict=True):
        camera = view["camera"]
        cameras.look_through(bpy.context, item)
        pixels = rng.uniform(0, [camera["width"], camera["height"]], (40, 2))
        points = captures.unproject(camera, pixels, rng.uniform(1, 8, 40))
        expected = captures.project(camera, points)
        assert np.allclose(expected, pixels)
        world = points @ place[:3, :3].T + place[:3, 3]
        bpy.context.view_layer.update()
        worst = max(worst, np.abs(blender_pixels(item, world) - expected).max())
    return worst


ODD = {
    "portrait": (270, 480, 343.9, 343.9, 135.0, 240.0),
    "landscape": (640, 360, 500.0, 500.0, 320.0, 180.0),
    "off_centre": (400, 300, 350.0, 350.0, 120.5, 210.25),
    "off_centre_portrait": (300, 400, 350.0, 350.0, 190.5, 90.25),
    "wide_pixels": (400, 300, 300.0, 420.0, 210.0, 140.0),
    "tall_pixels": (300, 500, 420.0, 300.0, 140.0, 260.0),
    "large": (4000, 3000, 3100.0, 3120.0, 2040.0, 1480.0),
}


@needs_lego
def test_lego_cameras_reproject(tmp_path, record_property):
    worst = worst_reprojection(captures.read_nerf_synthetic(LEGO), tmp_path)
    record_property("worst_pixels", float(worst))
    assert worst < PIXEL


@needs_fox
def test_fox_cameras_reproject(tmp_path, record_property):
    worst = worst_reprojection(captures.read_transforms(FOX), tmp_path)
    record_property("worst_pixels", float(worst))
    assert worst < PIXEL


@pytest.mark.parametrize("name", ODD)
def test_any_pinhole_camera_reprojects(name, tmp_path, record_property):
    rng = np.random.default_rng(7)
    views = [captures.view(f"v{i}", random_pose(rng), *ODD[name]) for i in range(5)]
    worst = worst_reprojection(captures.capture(name, views), tmp_path)
    record_property("worst_pixels", float(worst))
    assert worst < PIXEL


def test_cameras_follow_a_moved_turned_and_scaled_frame(tmp_path):
    rng = np.random.default_rng(8)
    views = [captures.view(f"v{i}", random_pose(rng), *ODD["off_centre"]) for i in range(3)]
    place = placed((3, -2, 1), (0.3, 0.5, -0.9), 2)
    assert worst_reprojection(captures.capture("moved", views), tmp_path, place) < PIXEL


def test_the_view_formula_of_bpy_extras_agrees(tmp_path):
    view = captures.view("v", random_pose(np.random.default_rng(3)), *ODD["wide_pixels"])
    capture = captures.capture("one", [view])
    (item,) = cameras.import_cameras(capture, frame.create_frame(capture), tmp_path)
    cameras.look_through(bpy.context, item)
    bpy.context.view_layer.update()
    camera = view["camera"]
    points = captures.unproject(camera, np.array([[10.0, 20.0], [333.0, 251.0]]), np.full(2, 4.0))
    for point, pixel in zip(points, captures.project(camera, points), strict=True):
        x, y, _ = world_to_camera_view(bpy.context.scene, item, Vector(point))
        assert abs(x * camera["width"] - pixel[0]) < PIXEL
        assert abs((1 - y) * camera["height"] - pixel[1]) < PIXEL


def test_an_unchanged_camera_gives_back_the_files_float64_numbers(tmp_path):
    rng = np.random.default_rng(4)
    distortion = {"k1": 0.1 / 3, "p2": -0.01}
    views = [
        captures.view(f"v{i}", random_pose(rng), *ODD["tall_pixels"], distortion=distortion)
        for i in range(8)
    ]
    capture = captures.capture("kept", views)
    origin = frame.create_frame(capture)
    items = cameras.import_cameras(capture, origin, tmp_path)
    origin.matrix_world = placed((9, 2, 1), (1, 2, 3), 3)
    for item, view in zip(items, views, strict=True):
        entry = cameras.camera_to_dict(item, bpy.context.scene, origin)
        assert entry == {"name": view["name"], **view["camera"]}


def test_a_moved_dataset_camera_gives_its_new_pose_as_a_pinhole(tmp_path):
    view = captures.view("v", np.eye(4), *ODD["off_centre"], distortion={"k1": 0.1})
    capture = captures.capture("moved", [view])
    origin = frame.create_frame(capture)
    (item,) = cameras.import_cameras(capture, origin, tmp_path)
    cameras.look_through(bpy.context, item)
    item.location.x += 0.001
    entry = cameras.camera_to_dict(item, bpy.context.scene, origin)
    assert entry["camera_to_world"][0][3] == pytest.approx(0.001)
    assert "distortion" not in entry
    for key in ("width", "height", "fx", "fy", "cx", "cy"):
        assert entry[key] == pytest.approx(view["camera"][key], rel=1e-6)


@pytest.mark.parametrize("fit", ["AUTO", "HORIZONTAL", "VERTICAL"])
@pytest.mark.parametrize("size", [(640, 360), (360, 640), (500, 500)])
@pytest.mark.parametrize("aspect", [(1.0, 1.0), (1.0, 1.5), (2.0, 1.0)])
def test_blender_cameras_of_any_setting_are_read_as_blender_projects(fit, size, aspect):
    scene = bpy.context.scene
    scene.render.resolution_x, scene.render.resolution_y = size
    scene.render.pixel_aspect_x, scene.render.pixel_aspect_y = aspect
    capture = captures.capture("any", [])
    origin = frame.create_frame(capture)
    origin.matrix_world = Matrix.LocRotScale(
        Vector((1, 2, 3)), Euler((1, 0, 2)), Vector((0.5,) * 3)
    )
    data = bpy.data.cameras.new("free")
    data.sensor_fit, data.sensor_width, data.sensor_height = fit, 30.0, 20.0
    data.lens, data.shift_x, data.shift_y = 41.0, 0.13, -0.21
    item = bpy.data.objects.new("free", data)
    scene.collection.objects.link(item)
    item.matrix_world = Matrix.LocRotScale(
        Vector((4, -5, 2)), Euler((1, 0.2, 0.6)), Vector((3,) * 3)
    )
    entry = cameras.camera_to_dict(item, scene, origin)
    assert (entry["width"], entry["height"]) == size
    rng = np.random.default_rng(5)
    pixels = rng.uniform(0, size, (20, 2))
    points = captures.unproject(entry, pixels, rng.uniform(1, 5, 20))
    world = np.c_[points, np.ones(20)] @ np.array(origin.matrix_world).T
    assert np.abs(blender_pixels(item, world[:, :3]) - pixels).max() < PIXEL


def test_the_resolution_percentage_scales_the_intrinsics():
    scene = bpy.context.scene
    scene.render.resolution_x, scene.render.resolution_y = 333, 201
    scene.render.resolution_percentage = 50
    origin = frame.create_frame(captures.capture("p", []))
    item = bpy.data.objects.new("c", bpy.data.cameras.new("c"))
    scene.collection.objects.link(item)
    entry = cameras.camera_to_dict(item, scene, origin)
    assert (entry["width"], entry["height"]) == (166, 100)
    assert entry["fx"] == pytest.approx(item.data.lens / 36 * 166)


def test_an_orthographic_camera_is_refused():
    origin = frame.create_frame(captures.capture("o", []))
    item = bpy.data.objects.new("plan", bpy.data.cameras.new("plan"))
    item.data.type = "ORTHO"
    bpy.context.scene.collection.objects.link(item)
    with pytest.raises(SceneError, match="plan"):
        cameras.camera_to_dict(item, bpy.context.scene, origin)


def test_a_stretched_frame_is_refused():
    origin = frame.create_frame(captures.capture("s", []))
    origin.scale = (1, 1, 2)
    item = bpy.data.objects.new("c", bpy.data.cameras.new("c"))
    bpy.context.scene.collection.objects.link(item)
    with pytest.raises(SceneError, match="stretched"):
        cameras.camera_to_dict(item, bpy.context.scene, origin)


def test_cameras_lie_in_collections_by_split_and_hang_on_the_frame(tmp_path):
    views = [
        captures.view(f"{split}/r_{i}", np.eye(4), *ODD["landscape"], split=split)
        for split in ("train", "val", "test")
        for i in range(2)
    ]
    capture = captures.capture("toy", views)
    origin = frame.create_frame(capture)
    items = cameras.import_cameras(capture, origin, tmp_path)
    names = {
        c.name: sorted(o.name for o in c.objects) for c in bpy.data.collections["toy"].children
    }
    assert names == {
        "toy Train": ["train/r_0", "train/r_1"],
        "toy Val": ["val/r_0", "val/r_1"],
        "toy Test": ["test/r_0", "test/r_1"],
    }
    assert all(item.parent == origin for item in items)


def test_the_frame_carries_the_files_own_numbers():
    applied = (np.arange(12).reshape(3, 4) / 7).tolist()
    capture = captures.capture("f", [])
    capture["frame"] = {
        "applied_transform": applied,
        "aabb_scale": 4.0,
        "scale": 0.33,
        "offset": [0.1, 0.2, 0.3],
        "applied_scale": 1 / 3,
        "aabb": [[-1.0, -2.0, -3.0], [0.1, 0.2, 0.3]],
    }
    assert frame.file_frame(frame.create_frame(capture)) == capture["frame"]


def test_fields_that_the_file_lacks_are_not_made_up():
    capture = captures.capture("f", [], scale=None, offset=None, aabb_scale=None)
    kept = frame.file_frame(frame.create_frame(capture))
    assert kept == {"applied_transform": np.eye(4)[:3].tolist()}


def test_the_crop_box_maps_the_unit_cube_to_the_captures_box():
    capture = captures.capture("b", [], box=((-1, -2, 0), (3, 2, 0.5)))
    origin = frame.create_frame(capture)
    item = crop_box.create_crop_box(capture, origin)
    origin.location = (5, 5, 5)
    bpy.context.view_layer.update()
    matrix = crop_box.crop_box_matrix(item, origin)
    assert np.allclose(matrix @ [-1, -1, -1, 1], [-1, -2, 0, 1], atol=1e-6)
    assert np.allclose(matrix @ [1, 1, 1, 1], [3, 2, 0.5, 1], atol=1e-6)


def test_a_crop_box_that_was_changed_bounds_the_training():
    capture = captures.capture("b", [], box=((-1, -2, 0), (3, 2, 0.5)))
    origin = frame.create_frame(capture)
    item = crop_box.create_crop_box(capture, origin)
    origin.location, origin.scale = (5, 5, 5), (2, 2, 2)
    bpy.context.view_layer.update()
    assert crop_box.changed_crop(origin) is None
    item.scale *= 0.5
    bpy.context.view_layer.update()
    assert np.allclose(crop_box.changed_crop(origin), [0, -1, 0.125, 2, 1, 0.375], atol=1e-5)
    bpy.data.objects.remove(item)
    assert crop_box.changed_crop(origin) is None


@needs_lego
def test_a_pinhole_camera_shows_its_own_image_without_reading_it(tmp_path):
    capture = captures.read_nerf_synthetic(LEGO)
    capture["views"] = capture["views"][:3]
    items = cameras.import_cameras(capture, frame.create_frame(capture), tmp_path)
    image = items[2].data.background_images[0].image
    assert Path(image.filepath) == Path(capture["views"][2]["image_path"])
    assert not image.has_data
    assert not list(tmp_path.iterdir())
