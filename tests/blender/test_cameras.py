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
from pvd_blender.scene import cameras, crop_box, frame, undistort  # noqa: E402

LEGO = ROOT.parent / "shared" / "data" / "nerf_synthetic_lego_200"
FOX = ROOT.parent / "shared" / "data" / "fox_270x480"
needs_lego = pytest.mark.skipif(not LEGO.is_dir(), reason="the lego capture is not at hand")
needs_fox = pytest.mark.skipif(not FOX.is_dir(), reason="the fox capture is not at hand")
PIXEL = 1e-3


@pytest.fixture(autouse=True)
def empty_scene():
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)


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


# cv2.projectPoints of OpenCV 5.0.0 (full_opencv), the closed formulas of COLMAP's models, and
# bisection of those that are given backwards (division, instant-ngp's ftheta).
LENS_POINTS = np.array([[0.3, -0.4], [-0.9, 0.5], [0.0, 0.0]])
LENS_PLACES = {
    "full_opencv": (
        (0.31, 0.06, 0.002, -0.003, 0.004, 0.42, 0.11, 0.012),
        [[0.28993460293373796, -0.3870794705783173], [-0.8061961752092203, 0.4482400973384557]],
    ),
    "fov": ((0.9,), [[0.3, -0.4], [-0.7602513595869739, 0.4223618664372077]]),
    "thin_prism_fisheye": (
        (0.03, -0.01, 0.002, -0.001, 0.003, -0.0005, 0.004, -0.003),
        [[0.27993945059128056, -0.3726076934723775], [-0.7104912415571459, 0.39514398397358513]],
    ),
    "rad_tan_thin_prism_fisheye": (
        (0.03, -0.01, 0.004, -0.001, 0.0005, -0.0001, 0.002, -0.001, 0.004, 0.001, -0.003, 0.002),
        [[0.281739489211095, -0.3746245985814719], [-0.7035233707840263, 0.3915212036951546]],
    ),
    "division": (
        (-0.1,),
        [[0.29285308902090923, -0.3904707853612124], [-0.8206756608145916, 0.45593092267477314]],
    ),
    "eucm": (
        (0.6, 1.1),
        [[0.27842346565702963, -0.37123128754270623], [-0.7014589238443301, 0.3896994021357389]],
    ),
    "ftheta": (
        (0.001, 0.02, -0.05, 0.003),
        [[0.2779124052545317, -0.370549873672709], [-0.7091104993896876, 0.39395027743871536]],
    ),
}
LENS_NAMES = {
    "full_opencv": ("k1", "k2", "p1", "p2", "k3", "k4", "k5", "k6"),
    "fov": ("omega",),
    "thin_prism_fisheye": ("k1", "k2", "p1", "p2", "k3", "k4", "sx1", "sy1"),
    "rad_tan_thin_prism_fisheye": (
        *("k0", "k1", "k2", "k3", "k4", "k5"),
        *("p0", "p1", "s0", "s1", "s2", "s3"),
    ),
    "division": ("k",),
    "eucm": ("alpha", "beta"),
    "ftheta": ("a0", "a2", "a3", "a4"),
}


@pytest.mark.parametrize("model", LENS_PLACES)
def test_lenses_of_colmap_bend_as_their_formulas_say(model):
    values, expected = LENS_PLACES[model]
    lens = dict(zip(LENS_NAMES[model], values, strict=True))
    camera = {"distortion_model": model, "distortion": lens}
    assert undistort.is_distorted(camera)
    places = np.stack(undistort.distort(*LENS_POINTS.T, camera), axis=1)
    np.testing.assert_allclose(places, [*expected, [0, 0]], atol=1e-12)


def test_which_lenses_differ_from_a_pinhole():
    assert not undistort.is_distorted({"distortion_model": "fov", "distortion": {"omega": 0}})
    assert undistort.is_distorted({"distortion_model": "thin_prism_fisheye", "distortion": {}})
    assert not undistort.is_distorted({"distortion_model": "division", "distortion": {"k": 0}})
    assert undistort.is_distorted({"distortion_model": "equirectangular", "distortion": {}})
    with pytest.raises(SceneError, match="lens model mirror is unknown"):
        undistort.distort(*LENS_POINTS.T, {"distortion_model": "mirror", "distortion": {}})


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


@needs_fox
def test_a_distorted_camera_shows_an_undistorted_background(tmp_path):
    capture = captures.read_transforms(FOX)
    capture["views"] = capture["views"][:2]
    items = cameras.import_cameras(capture, frame.create_frame(capture), tmp_path)
    image = items[0].data.background_images[0].image
    assert Path(image.filepath).parent == tmp_path / "undistorted"
    assert tuple(image.size) == (270, 480)
    assert items[0].data.show_background_images


@needs_fox
def test_images_of_a_large_distorted_capture_are_undistorted_when_looked_through(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(cameras, "EAGER_PIXELS", 100_000)
    capture = captures.read_transforms(FOX)
    capture["views"] = capture["views"][:2]
    items = cameras.import_cameras(capture, frame.create_frame(capture), tmp_path)
    assert not list(tmp_path.iterdir())
    cameras.look_through(bpy.context, items[1])
    assert [len(item.data.background_images) for item in items] == [0, 1]
    assert len(list((tmp_path / "undistorted").iterdir())) == 1


@needs_lego
def test_a_pinhole_camera_shows_its_own_image_without_reading_it(tmp_path):
    capture = captures.read_nerf_synthetic(LEGO)
    capture["views"] = capture["views"][:3]
    items = cameras.import_cameras(capture, frame.create_frame(capture), tmp_path)
    image = items[2].data.background_images[0].image
    assert Path(image.filepath) == Path(capture["views"][2]["image_path"])
    assert not image.has_data
    assert not list(tmp_path.iterdir())


def smooth_picture(x, y):
    """A picture as a function of the pinhole image plane."""
    waves = [0.5 + 0.4 * np.sin(5 * x + k) * np.cos(4 * y - k) for k in range(3)]
    return np.stack([*waves, np.ones_like(x)], axis=-1).astype(np.float32)


def undistort_by_iteration(x, y, camera):
    """The inverse of the lens by fixed-point iteration."""
    a, b = x.copy(), y.copy()
    for _ in range(60):
        dx, dy = undistort.distort(a, b, camera)
        a, b = a - (dx - x), b - (dy - y)
    return a, b


@pytest.mark.parametrize(
    ("model", "coefficients"),
    [
        ("opencv", {"k1": 0.0578, "k2": -0.0805, "p1": -0.00098, "p2": 0.00016}),
        ("opencv", {"k1": -0.12, "k3": 0.01, "p1": 0.004}),
        ("opencv_fisheye", {"k1": 0.02, "k2": -0.01}),
        ("full_opencv", {"k1": 0.31, "k2": 0.06, "p1": 0.002, "k4": 0.42, "k5": 0.11}),
        ("fov", {"omega": 0.9}),
        ("thin_prism_fisheye", {"k1": 0.02, "p2": 0.002, "sx1": 0.003, "sy1": -0.002}),
        ("rad_tan_thin_prism_fisheye", {"k0": 0.02, "p0": 0.002, "s0": 0.003, "s3": -0.002}),
        ("division", {"k": -0.1}),
        ("eucm", {"alpha": 0.6, "beta": 1.1}),
        ("ftheta", {"a2": 0.02, "a3": -0.05}),
    ],
)
def test_the_undistorted_copy_shows_what_a_pinhole_would_have_seen(tmp_path, model, coefficients):
    camera = captures.view("r/0", np.eye(4), 120, 90, 110.0, 100.0, 63.0, 41.0)["camera"]
    camera |= {"name": "r/0", "distortion_model": model, "distortion": coefficients}
    plane = np.meshgrid((np.arange(120) + 0.5 - 63) / 110, (np.arange(90) + 0.5 - 41) / 100)
    shot = smooth_picture(*undistort_by_iteration(*plane, camera))
    camera["image_path"] = str(tmp_path / "shot.png")
    undistort.write_png(tmp_path / "shot.png", shot)
    copy = undistort.undistorted_copy(camera, tmp_path / "copies")
    seen, truth = undistort.read_pixels(copy), smooth_picture(*plane)
    covered = seen[..., 3] > 0
    assert covered.mean() > 0.7
    assert np.abs(seen - truth)[covered].max() < 0.012
    assert [p.name for p in copy.parent.iterdir()] == [copy.name]
    assert undistort.undistorted_copy(camera, tmp_path / "copies") == copy
