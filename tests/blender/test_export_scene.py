"""A scene exported as a dataset: its cameras and pictures, and the scene afterwards."""

import json
import math
import re
from pathlib import Path

import bpy
import captures
import numpy as np
import pytest
from engine_run import printed
from mathutils import Euler, Matrix, Vector
from pictures import read_pixels

OPERATORS = bpy.ops.convert_field
FORMATS = ("nerfstudio", "nerf-synthetic", "colmap")
BALL = (0.3, -0.2, 0.4)


@pytest.fixture
def scene(api):
    """A scene with a small shining ball off the middle, rendered small by Cycles."""
    scene = bpy.context.scene
    scene.render.engine = "CYCLES"
    scene.cycles.samples, scene.cycles.use_denoising = 1, False
    scene.render.resolution_x, scene.render.resolution_y = 48, 36
    scene.render.film_transparent = True
    scene.view_settings.view_transform = "Standard"
    ball(BALL, 0.15, (0.5, 0.1, 0.02))
    return scene


def ball(location, radius, color):
    bpy.ops.mesh.primitive_uv_sphere_add(location=location, radius=radius)
    material = bpy.data.materials.new("shine")
    if bpy.app.version < (5, 0, 0):
        material.use_nodes = True
    tree = material.node_tree
    tree.nodes.clear()
    emission, output = (
        tree.nodes.new(k) for k in ("ShaderNodeEmission", "ShaderNodeOutputMaterial")
    )
    emission.inputs[0].default_value = (*color, 1)
    tree.links.new(emission.outputs[0], output.inputs[0])
    bpy.context.object.data.materials.append(material)


def camera(scene, location, **settings):
    data = bpy.data.cameras.new("free")
    for key, value in settings.items():
        setattr(data, key, value)
    item = bpy.data.objects.new("free", data)
    scene.collection.objects.link(item)
    item.location = location
    back = Vector(location) - Vector((0.1, 0, 0.2))
    item.rotation_euler = back.to_track_quat("Z", "Y").to_euler()
    bpy.context.view_layer.update()
    return item


def ring(scene, count, **settings):
    """Cameras around the ball."""
    angles = np.arange(count) * 2 * math.pi / count
    return [camera(scene, (2 * math.cos(a), 2 * math.sin(a), 1), **settings) for a in angles]


def beside_work(folder):
    """Names of what is in a test's folder, but for the work folder of the engine's jobs."""
    return sorted({path.name for path in folder.iterdir()} - {"work"})


def views_of(api, folder):
    """The dataset as the engine reads it: what `pvd info` says of each view, by name."""
    from pvd_blender.jobs.tasks import capture_work_folder

    frame = api.import_capture(folder)
    job = max(capture_work_folder(frame).glob("info-*"), key=lambda path: path.stat().st_mtime)
    described = json.loads((job / "result.json").read_text())["outputs"]["capture"]
    return frame, {view["name"]: view for view in described["views"]}


def imported(frame):
    """The imported cameras of a dataset, by the names of their views."""
    return {
        item.data["pvd_camera"]["name"]: item for item in frame.children if item.type == "CAMERA"
    }


def blender_projection(item, points):
    """Pixels of points in the world, by Blender's own projection matrix."""
    render = bpy.context.scene.render
    share = render.resolution_percentage
    width, height = (s * share // 100 for s in (render.resolution_x, render.resolution_y))
    projection = item.calc_matrix_camera(
        bpy.context.evaluated_depsgraph_get(),
        x=width,
        y=height,
        scale_x=render.pixel_aspect_x,
        scale_y=render.pixel_aspect_y,
    )
    whole = np.array(projection) @ np.array(item.matrix_world.normalized().inverted())
    seen = np.column_stack([points, np.ones(len(points))]) @ whole.T
    return (seen[:, :2] / seen[:, 3:] * (1, -1) + 1) / 2 * (width, height)


# Cameras ----------------------------------------------------------------------------------------

LENSES = {
    "plain": {},
    "vertical": {"sensor_fit": "VERTICAL", "sensor_height": 20.0, "shift_x": 0.1},
    "shifted": {"shift_x": -0.2, "shift_y": 0.15, "lens": 70.0},
    "auto": {"sensor_fit": "AUTO", "sensor_width": 30.0, "shift_y": 0.1},
}
SIZES = {
    "landscape": (48, 36, 100, 1.0, 1.0),
    "portrait": (36, 50, 100, 1.0, 1.0),
    "percentage": (97, 71, 33, 1.0, 1.0),
    "tall pixels": (48, 36, 100, 1.0, 1.7),
    "wide pixels": (36, 48, 50, 1.5, 1.0),
}


def set_size(scene, size):
    render = scene.render
    render.resolution_x, render.resolution_y, render.resolution_percentage = size[:3]
    render.pixel_aspect_x, render.pixel_aspect_y = size[3:]


@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
def test_what_was_written_is_imported_where_it_was_with_the_lens_that_it_had(
    api, scene, tmp_path, size
):
    set_size(scene, size)
    points = np.array([BALL, (0, 0, 0), (0.4, 0.1, -0.2), (-0.3, 0.2, 0.5)])
    before = {}
    for name, lens in LENSES.items():
        item = camera(scene, (2 + len(before), 1, 1.5), **lens)
        item.name = name
        before[name] = (np.array(item.matrix_world), blender_projection(item, points))
    api.export_scene(tmp_path / "d", pictures=False, test_every=0)
    for name in before:
        picture(tmp_path / "d" / "train" / f"{name}.png", *real_size(scene))
    frame, views = views_of(api, tmp_path / "d")
    again = imported(frame)
    for name, (matrix, pixels) in before.items():
        item = again[f"train/{name}"]
        assert np.abs(np.array(item.matrix_world)[:3, 3] - matrix[:3, 3]).max() < 1e-6
        assert (
            np.abs(captures.project(views[f"train/{name}"]["camera"], points) - pixels).max() < 1e-3
        )
        api.look_through(item)
        assert np.abs(blender_projection(item, points) - pixels).max() < 1e-3


def real_size(scene):
    render = scene.render
    share = render.resolution_percentage
    return render.resolution_x * share // 100, render.resolution_y * share // 100


def picture(path, width, height):
    path.parent.mkdir(parents=True, exist_ok=True)
    image = bpy.data.images.new("picture", width, height)
    image.filepath_raw, image.file_format = str(path), "PNG"
    image.save()


def test_cameras_that_only_their_parents_scale_are_exported_and_sheared_ones_refused(
    api, scene, tmp_path
):
    holder = bpy.data.objects.new("holder", None)
    scene.collection.objects.link(holder)
    holder.scale = (1, 2, 3)
    item = camera(scene, (2, 1, 1.5))
    item.parent = holder
    item.rotation_euler = (0, 0, math.pi / 2)
    api.export_scene(tmp_path / "even", pictures=False)
    item.rotation_euler = (0.3, 0.4, 0.5)
    with pytest.raises(api.SceneError, match="'free' is sheared or mirrored"):
        api.export_scene(tmp_path / "sheared", pictures=False)
    holder.scale = (-1, 1, 1)
    with pytest.raises(api.SceneError, match="'free' is sheared or mirrored"):
        api.export_scene(tmp_path / "mirrored", pictures=False)
    assert beside_work(tmp_path) == ["even"]


@pytest.mark.parametrize("kind", ["ORTHO", "PANO"])
def test_a_camera_that_is_not_perspective_is_refused_by_name(api, peculiar, tmp_path, kind):
    before = all_settings(peculiar)
    camera(peculiar, (2, 0, 1), type=kind).name = "Flat"
    with pytest.raises(api.SceneError, match="'Flat' is not a perspective camera"):
        api.export_scene(tmp_path / "d")
    assert all_settings(peculiar) == before
    assert not (tmp_path / "d").exists()


def test_cameras_of_a_capture_keep_the_files_own_numbers_splits_and_frame(api, scene, tmp_path):
    content = lens_capture(tmp_path / "capture")
    frame = api.import_capture(tmp_path / "capture")
    frame.matrix_world = Matrix.LocRotScale(
        Vector((3, 1, 2)), Euler((0.2, 0.4, 1)), Vector((2,) * 3)
    )
    items = sorted(imported(frame).items())
    moved = items[2][1]
    moved.location.x += 0.125
    bpy.context.view_layer.update()
    api.export_scene(
        tmp_path / "d", {"train": [item for _, item in items[1:]], "test": [items[0][1]]},
        pictures=False,
    )  # fmt: skip
    again = json.loads((tmp_path / "d" / "transforms.json").read_text())
    assert again["applied_transform"] == content["applied_transform"]
    assert again["aabb_scale"] == 4
    assert [again[key] for key in ("fl_x", "fl_y", "cx", "cy", "k1", "w", "h")] == [
        content[key] for key in ("fl_x", "fl_y", "cx", "cy", "k1", "w", "h")
    ]
    entries = {Path(entry["file_path"]).stem: entry for entry in again["frames"]}
    for index, entry in enumerate(content["frames"]):
        found = np.array(entries[f"{index:03d}"]["transform_matrix"])
        if index == 2:
            expected = np.array(entry["transform_matrix"])
            expected[0, 3] += 0.125
            assert 0 < np.abs(found - expected).max() < 1e-6
        else:
            assert np.array_equal(found, entry["transform_matrix"])
    # Beside a camera of the scene itself they are where Blender has them, with their lens.
    camera(scene, (2, 1, 1.5))
    api.export_scene(tmp_path / "world", pictures=False)
    views = json.loads((tmp_path / "world" / "transforms.json").read_text())["frames"]
    assert len(views) == 6
    of_file = next(entry for entry in views if entry["file_path"].endswith("001.png"))
    place = np.array(imported(frame)["images/001"].matrix_world)
    assert of_file["k1"] == content["k1"]
    assert np.abs(np.array(of_file["transform_matrix"])[:3, 3] - place[:3, 3]).max() < 1e-5


def lens_capture(folder):
    """A transforms.json with a distorted lens and a frame of its own."""
    content = {
        "fl_x": 40 + 1 / 3, "fl_y": 41.25, "cx": 15.1, "cy": 12.7, "w": 32, "h": 24, "k1": 0.1 / 3,
        "aabb_scale": 4, "applied_transform": [[0, 1, 0, 0], [0, 0, 1, 0.5], [1, 0, 0, 1 / 3]],
        "frames": [],
    }  # fmt: skip
    for index in range(5):
        turn = Matrix.Rotation(0.7 + index / 3, 4, "Z") @ Matrix.Rotation(1.1, 4, "X")
        pose = np.linalg.qr(np.array(turn))[0]
        pose[:, :3] *= np.sign(np.diag(pose.T @ np.array(turn)))[:3]
        pose[:, 3] = (*(3 * pose[:3, 2]), 1)
        pose[3, :3] = 0
        content["frames"].append(
            {"file_path": f"images/{index:03d}.png", "transform_matrix": pose.tolist()}
        )
        picture(folder / "images" / f"{index:03d}.png", 32, 24)
    (folder / "transforms.json").write_text(json.dumps(content))
    return content


def test_blender_renders_no_distortion_so_its_pictures_are_written_as_of_a_pinhole(
    api, scene, session, tmp_path
):
    content = lens_capture(tmp_path / "capture")
    frame = api.import_capture(tmp_path / "capture")
    api.export_scene(tmp_path / "d", {"train": list(imported(frame).values())})
    assert "5 cameras were written without lens distortion" in session.message
    again = json.loads((tmp_path / "d" / "transforms.json").read_text())
    assert "k1" not in again and again["fl_x"] == content["fl_x"]
    file = tmp_path / "d" / again["frames"][0]["file_path"]
    assert captures.png_size(file) == (32, 24), "a capture's camera has a size of its own"


def test_a_fields_own_pictures_keep_the_lens_that_they_were_rendered_with(
    teacher, api, scene, tmp_path
):
    content = lens_capture(tmp_path / "capture")
    frame = api.import_capture(tmp_path / "capture")
    api.add_field(frame, teacher)
    scene.render.engine = "CONVERT_FIELD"
    own = imported(frame)
    moved = own["images/003"]
    moved.location.x += 0.5
    api.export_scene(tmp_path / "d", {"train": [own["images/001"], moved]})
    entries = json.loads((tmp_path / "d" / "transforms.json").read_text())["frames"]
    lenses = {Path(entry["file_path"]).stem: entry.get("k1") for entry in entries}
    assert lenses == {"001": content["k1"], "003": None}, "a moved camera renders as a pinhole"
    for entry in entries:
        assert captures.png_size(tmp_path / "d" / entry["file_path"]) == (32, 24)


# Pictures ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("format", FORMATS)
def test_the_ball_is_seen_where_the_engine_reads_that_it_is(api, scene, tmp_path, format):
    lens = {} if format == "nerf-synthetic" else {"shift_x": 0.1, "shift_y": -0.05}
    ring(scene, 5, lens=40, **lens)
    api.export_scene(tmp_path / "d", format=format, test_every=3)
    _, views = views_of(api, tmp_path / "d")
    assert len(views) == 5
    if format != "colmap":
        splits = [view["split"] for _, view in sorted(views.items(), key=lambda v: v[0][-3:])]
        assert splits.count("test") == 2 and splits.count("train") == 3
    for view in views.values():
        seen = alpha_centre(view["image_path"])
        points = np.array([BALL])
        if format == "colmap":
            points = points @ np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]]).T
        where = captures.project(view["camera"], points)[0]
        assert np.linalg.norm(seen - where) < 0.5


def alpha_centre(path):
    alpha = read_pixels(path)[..., 3]
    y, x = np.mgrid[: alpha.shape[0], : alpha.shape[1]] + 0.5
    return np.array([(alpha * x).sum(), (alpha * y).sum()]) / alpha.sum()


def test_pictures_are_as_the_scene_says(api, scene, tmp_path):
    camera(scene, (1.2, -0.2, 0.4), lens=80).rotation_euler = (math.pi / 2, 0, math.pi / 2)
    scene.cycles.samples = 4
    api.export_scene(tmp_path / "clear")
    pixels = read_pixels(tmp_path / "clear" / "train" / "free.png")
    linear = np.array([0.5, 0.1, 0.02])
    srgb = np.where(linear > 0.0031308, 1.055 * linear ** (1 / 2.4) - 0.055, linear * 12.92)
    full = pixels[..., 3] == 1
    assert full.any() and (pixels[..., 3] == 0).any()
    assert np.abs(pixels[full][:, :3] - srgb).max() < 1.6 / 255
    scene.render.engine, scene.render.film_transparent = "BLENDER_WORKBENCH", False
    api.export_scene(tmp_path / "opaque")
    file = tmp_path / "opaque" / "train" / "free.png"
    assert file.read_bytes()[25] == 2, "PNG of three channels"


def test_an_animation_is_a_view_for_each_frame_from_the_camera_of_its_marker(api, scene, tmp_path):
    first, second = camera(scene, (2, 0, 1)), camera(scene, (0, 2, 1))
    for frame, x in ((1, 2.0), (5, 2.5)):
        first.location.x = x
        first.keyframe_insert("location", frame=frame)
    scene.camera = first
    for item, frame in ((first, 1), (second, 5)):
        scene.timeline_markers.new("cut", frame=frame).camera = item
    scene.frame_start, scene.frame_end, scene.frame_step = 1, 7, 2
    scene.frame_set(3)
    place = first.location.x
    api.export_scene(tmp_path / "d", "ANIMATION", test_every=4)
    content = json.loads((tmp_path / "d" / "transforms.json").read_text())
    places = [np.array(entry["transform_matrix"])[:3, 3] for entry in content["frames"]]
    names = [Path(entry["file_path"]).stem for entry in content["frames"]]
    assert names == ["frame_0001", "frame_0003", "frame_0005", "frame_0007"]
    assert [round(p[0], 5) for p in places] == [2.0, round(place, 5), 0.0, 0.0]
    assert content["test_filenames"] == ["test/frame_0001.png"]
    _, views = views_of(api, tmp_path / "d")
    for view in views.values():
        where = captures.project(view["camera"], np.array([BALL]))[0]
        assert np.linalg.norm(alpha_centre(view["image_path"]) - where) < 0.5
    assert scene.frame_current == 3 and scene.camera == first


def test_a_marker_does_not_take_the_camera_from_a_view(api, scene, tmp_path):
    bound = camera(scene, (0.3, -0.2, 9))
    scene.timeline_markers.new("cut", frame=scene.frame_current).camera = bound
    seen = camera(scene, (2, 1, 1.5))
    api.export_scene(tmp_path / "d", {"train": [seen]})
    _, views = views_of(api, tmp_path / "d")
    (view,) = views.values()
    where = captures.project(view["camera"], np.array([BALL]))[0]
    assert np.linalg.norm(alpha_centre(view["image_path"]) - where) < 0.5
    assert scene.timeline_markers["cut"].camera == bound


def test_what_a_format_cannot_say_is_refused_before_anything_is_rendered(api, scene, tmp_path):
    ring(scene, 3, shift_x=0.2)
    with pytest.raises(api.ConvertFieldError, match=r"principal point .* write --to nerfstudio"):
        api.export_scene(tmp_path / "d", format="nerf-synthetic")
    assert beside_work(tmp_path) == []


# The scene and the folder afterwards ------------------------------------------------------------


def all_settings(scene):
    parts = {
        "render": scene.render,
        "image": scene.render.image_settings,
        "view": scene.view_settings,
        "cycles": scene.cycles,
        "display": scene.display_settings,
    }
    out = {"camera": scene.camera}
    for name, part in parts.items():
        for item in part.bl_rna.properties:
            if item.type not in ("POINTER", "COLLECTION") and not item.is_readonly:
                value = getattr(part, item.identifier)
                out[name, item.identifier] = (
                    tuple(value) if getattr(item, "is_array", False) else value
                )
    return out


@pytest.fixture
def peculiar(scene):
    """Settings that an export changes, and that depend on each other."""
    scene.render.image_settings.file_format = "OPEN_EXR"
    scene.render.image_settings.color_depth = "32"
    scene.render.resolution_x, scene.render.resolution_percentage = 777, 35
    scene.render.pixel_aspect_x = 1.5
    scene.render.filepath = "//elsewhere"
    scene.render.use_border = True
    scene.view_settings.view_transform = "Filmic"
    scene.view_settings.look = "High Contrast"
    scene.view_settings.exposure = 1.5
    scene.cycles.samples = 7
    scene.camera = camera(scene, (0, 0, 9))
    return scene


def test_the_scenes_settings_are_as_before(api, peculiar, tmp_path):
    before = all_settings(peculiar)
    api.export_scene(tmp_path / "d", {"train": [camera(peculiar, (2, 0, 1))]})
    after = all_settings(peculiar)
    assert {k: (v, after[k]) for k, v in before.items() if after[k] != v} == {}


@pytest.mark.parametrize(
    ("doing", "rendered"),
    [("Following", 0), ("Writing", 0), ("Rendering", 0), ("Rendering", 1), ("Rendering", 2)],
)
def test_stopping_half_way_leaves_nothing_and_the_settings_as_before(
    api, peculiar, tmp_path, monkeypatch, doing, rendered
):
    from pvd_blender.export import scene_export

    # Else a quick machine follows all cameras without a step between them.
    monkeypatch.setattr(scene_export, "SECONDS_A_STEP", -1.0)
    export = scene_export.SceneExport(tmp_path / "d", cameras={"train": ring(peculiar, 2)})
    before = all_settings(peculiar)
    steps = scene_export.export_steps(peculiar, export)
    pictures = 0
    for step in steps:
        assert 0 <= step.fraction < 1
        if step.render and pictures < rendered:
            scene_export.render_now(peculiar)
            pictures += 1
        if step.text.startswith(doing) and pictures == rendered:
            break
    else:
        pytest.fail(f"no step '{doing}' after {rendered} pictures")
    steps.close()
    assert all_settings(peculiar) == before
    assert beside_work(tmp_path) == []


def test_a_render_that_was_stopped_ends_the_export(api, peculiar, tmp_path):
    from pvd_blender.errors import JobCancelledError
    from pvd_blender.export.scene_export import SceneExport, export_steps

    before = all_settings(peculiar)
    steps = export_steps(
        peculiar, SceneExport(tmp_path / "d", cameras={"train": ring(peculiar, 2)})
    )
    with pytest.raises(JobCancelledError, match="stopped, so nothing was exported"):
        list(steps)
    assert all_settings(peculiar) == before
    assert beside_work(tmp_path) == []


def test_what_an_export_left_that_was_killed_goes_with_the_next(api, scene, tmp_path):
    camera(scene, (2, 0, 1))
    (tmp_path / ".d.part").mkdir()
    (tmp_path / ".d.part" / "old.png").write_text("half")
    (tmp_path / "d").mkdir()
    api.export_scene(tmp_path / "d", pictures=False)
    assert beside_work(tmp_path) == ["d"]
    assert [path.name for path in (tmp_path / "d").iterdir()] == ["transforms.json"]


def test_a_folder_that_holds_something_is_kept(api, scene, tmp_path):
    camera(scene, (2, 0, 1))
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "mine").write_text("mine")
    with pytest.raises(api.SceneError, match="not an empty folder"):
        api.export_scene(tmp_path / "d")
    assert [path.name for path in (tmp_path / "d").iterdir()] == ["mine"]


@pytest.mark.parametrize(
    ("cameras", "words"),
    [
        ("ALL", "no camera to export"),
        ("SELECTED", "no camera to export"),
        ("ANIMATION", "no active camera"),
        ("EVERY", "cannot be 'EVERY'"),
        ({"train": []}, "no camera to export"),
        ({"holdout": [None]}, "no split 'holdout'"),
    ],
)
def test_an_export_without_cameras_is_refused(api, scene, tmp_path, cameras, words):
    with pytest.raises(api.SceneError, match=words):
        api.export_scene(tmp_path / "d", cameras)
    with pytest.raises(api.ConvertFieldError, match="no format 'plain'"):
        api.export_scene(tmp_path / "d", format="plain")
    assert [path.name for path in tmp_path.iterdir()] == []


def test_the_button_does_what_the_function_does(api, scene, session, tmp_path):
    with pytest.raises(RuntimeError, match=r"no camera|poll"):
        OPERATORS.export_scene(filepath=str(tmp_path / "none"))
    ring(scene, 4)
    words = {"format": "nerf-synthetic", "test_every": 2}
    assert OPERATORS.export_scene(filepath=str(tmp_path / "button"), **words) == {"FINISHED"}
    assert re.match(r"Exported 4 views to .*button", session.message)
    api.export_scene(tmp_path / "function", **words)
    for name in ("transforms_train.json", "transforms_test.json"):
        one, other = (tmp_path / where / name for where in ("button", "function"))
        assert one.read_bytes() == other.read_bytes()


def test_the_button_offers_the_engines_formats(add_on, warm_python):
    from pvd_blender.export.scene_export import FORMATS as KNOWN

    offered = OPERATORS.export_scene.get_rna_type().properties["format"].enum_items.keys()
    code = (
        "import typing; from pvd_engine.verbs.rewrite import RewriteArguments as A\n"
        "print(*typing.get_args(typing.get_type_hints(A)['to']))"
    )
    told = printed(warm_python, "-c", code)
    assert sorted(offered) == sorted(KNOWN) == sorted(FORMATS) == sorted(told.split())


@pytest.mark.parametrize("kept", [False, True])
def test_pictures_are_srgb_unless_the_view_transform_is_asked_for(
    api, session, scene, tmp_path, kept
):
    scene.view_settings.view_transform, scene.view_settings.exposure = "AgX", 1.0
    api.export_scene(tmp_path / "d", {"train": [camera(scene, (2, 0, 1))]}, view_transform=kept)
    (path,) = (tmp_path / "d").rglob("*.png")
    image = bpy.data.images.load(str(path))
    image.colorspace_settings.name = "Non-Color"
    pixels = np.array(image.pixels[:]).reshape(-1, 4)
    color = np.median(pixels[pixels[:, 3] > 0.99], axis=0)[:3]
    linear = np.array([0.5, 0.1, 0.02])
    srgb = np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)
    assert (np.abs(color - srgb).max() < 1.5 / 255) != kept
    assert "AgX" in session.message
    assert scene.view_settings.view_transform == "AgX"
