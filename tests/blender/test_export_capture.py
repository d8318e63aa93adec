import json
import math
import sys
from pathlib import Path

import bpy
import numpy as np
import pytest
from mathutils import Euler, Vector

ROOT = Path(__file__).resolve().parents[2]
for folder in (ROOT, Path(__file__).resolve().parent):
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))

import captures  # noqa: E402

from pvd_blender.scene import cameras, export_capture, frame, undistort  # noqa: E402
from pvd_blender.scene.errors import SceneError  # noqa: E402
from pvd_blender.scene.intrinsics import read_intrinsics  # noqa: E402
from pvd_blender.scene.sphere_cameras import sphere_cameras  # noqa: E402

QUICK = {"resolution": (48, 36), "samples": 4, "denoise": False}


@pytest.fixture
def scene():
    """A scene with a small shining ball off the middle."""
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    scene = bpy.context.scene
    scene.render.engine = "CYCLES"
    ball((0.3, -0.2, 0.4), 0.15, (0.5, 0.1, 0.02))
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


def read(folder, split):
    return json.loads((folder / f"transforms_{split}.json").read_text())


def entry_camera(content, entry):
    merged = {k: v for k, v in content.items() if k != "frames"} | entry
    names = {"fl_x": "fx", "fl_y": "fy", "w": "width", "h": "height"}
    out = {names.get(k, k): v for k, v in merged.items()}
    return out | {"camera_to_world": entry["transform_matrix"]}


def test_the_ball_is_seen_where_the_written_cameras_project_it(scene, tmp_path):
    splits = {
        "train": [
            camera(scene, (2, 1, 1.5), lens=40, sensor_fit="VERTICAL", shift_x=0.1, shift_y=-0.05),
            camera(scene, (-1, 2, 0.5), lens=30),
        ],
        "test": [camera(scene, (0.5, -2, 1), lens=35, shift_y=0.1)],
    }
    folder = export_capture.export_capture(scene, splits, tmp_path / "ball", **QUICK)
    for split, items in splits.items():
        content = read(folder, split)
        assert len(content["frames"]) == len(items)
        for entry in content["frames"]:
            k = entry_camera(content, entry)
            assert k["camera_angle_x"] == pytest.approx(2 * math.atan(k["width"] / 2 / k["fx"]))
            pixels = undistort.read_pixels(folder / (entry["file_path"] + ".png"))
            assert pixels.shape == (36, 48, 4)
            alpha = pixels[..., 3]
            y, x = np.mgrid[0:36, 0:48] + 0.5
            seen = np.array([(alpha * x).sum(), (alpha * y).sum()]) / alpha.sum()
            center = captures.project(k, np.array([[0.3, -0.2, 0.4]]))[0]
            assert np.linalg.norm(seen - center) < 0.35


def test_pictures_hold_plain_srgb_with_straight_alpha(scene, tmp_path):
    scene.view_settings.exposure = 3
    item = camera(scene, (1.2, -0.2, 0.4), lens=80)
    item.rotation_euler = Euler((math.pi / 2, 0, math.pi / 2))
    folder = export_capture.export_capture(scene, {"train": [item]}, tmp_path / "c", **QUICK)
    pixels = undistort.read_pixels(folder / "train" / "r_000.png")
    linear = np.array([0.5, 0.1, 0.02])
    srgb = np.where(linear > 0.0031308, 1.055 * linear ** (1 / 2.4) - 0.055, linear * 12.92)
    full = pixels[..., 3] == 1
    assert full.any() and (pixels[..., 3] == 0).any()
    assert np.abs(pixels[full][:, :3] - srgb).max() < 1.6 / 255
    partly = (pixels[..., 3] > 0.4) & ~full
    assert np.abs(pixels[partly][:, :3] - srgb).max() < 0.05


def test_what_was_written_imports_again_exactly(scene, tmp_path):
    splits = sphere_cameras(scene, {"train": 5}, radius=3, angle=33.0, seed=4)
    before = {c.name: np.array(c.matrix_world) for c in splits["train"]}
    folder = export_capture.export_capture(scene, splits, tmp_path / "c", **QUICK)
    content = read(folder, "train")
    views = []
    for entry, item in zip(content["frames"], splits["train"], strict=True):
        assert np.array_equal(np.array(entry["transform_matrix"]), before[item.name])
        k = entry_camera(content, entry)
        size = (k["width"], k["height"], k["fx"], k["fy"], k["cx"], k["cy"])
        views.append(captures.view(entry["file_path"], k["camera_to_world"], *size))
    capture = captures.capture("again", views)
    items = cameras.import_cameras(capture, frame.create_frame(capture), tmp_path)
    for item, original in zip(items, splits["train"], strict=True):
        assert np.abs(np.array(item.matrix_world) - before[original.name]).max() < 1e-6
        assert item.data.lens == pytest.approx(original.data.lens, rel=1e-6)


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
    """Settings that differ from those of an export, and depend on each other."""
    scene.render.image_settings.file_format = "OPEN_EXR"
    scene.render.image_settings.color_depth = "32"
    scene.render.resolution_x, scene.render.resolution_percentage = 777, 35
    scene.render.pixel_aspect_x = 1.5
    scene.render.filepath = "//elsewhere"
    scene.view_settings.view_transform = "Filmic"
    scene.view_settings.look = "High Contrast"
    scene.view_settings.exposure = 1.5
    scene.cycles.samples = 777
    scene.camera = camera(scene, (0, 0, 9))
    return scene


def test_the_scenes_settings_are_as_before(peculiar, tmp_path):
    item = camera(peculiar, (2, 0, 1))
    before = all_settings(peculiar)
    export_capture.export_capture(peculiar, {"train": [item]}, tmp_path / "c", **QUICK)
    after = all_settings(peculiar)
    assert {k: (v, after[k]) for k, v in before.items() if after[k] != v} == {}


def test_stopping_half_way_leaves_no_capture_and_the_settings_as_before(peculiar, tmp_path):
    splits = {"train": [camera(peculiar, (2, 0, 1)), camera(peculiar, (0, 2, 1))]}
    before = all_settings(peculiar)

    def stop(done, total, name):
        assert (done, total, name) == (1, 2, "train/r_000")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        export_capture.export_capture(peculiar, splits, tmp_path / "c", progress=stop, **QUICK)
    assert all_settings(peculiar) == before
    assert not list((tmp_path / "c").glob("*.json"))
    export_capture.export_capture(peculiar, splits, tmp_path / "c", **QUICK)
    assert len(read(tmp_path / "c", "train")["frames"]) == 2


def test_a_folder_with_a_capture_is_kept_unless_told_otherwise(scene, tmp_path):
    items = {"train": [camera(scene, (2, 0, 1))]}
    (tmp_path / "transforms_test.json").write_text("{}")
    with pytest.raises(SceneError, match="already"):
        export_capture.export_capture(scene, items, tmp_path, **QUICK)
    export_capture.export_capture(scene, items, tmp_path, overwrite=True, **QUICK)
    assert sorted(p.name for p in tmp_path.glob("*.json")) == ["transforms_train.json"]


@pytest.mark.parametrize("splits", [{}, {"train": []}, {"holdout": [None]}])
def test_an_export_without_cameras_is_refused(scene, tmp_path, splits):
    with pytest.raises(SceneError):
        export_capture.export_capture(scene, splits, tmp_path / "c", **QUICK)
    assert not (tmp_path / "c").exists()


def test_an_orthographic_camera_is_refused_and_leaves_the_settings(peculiar, tmp_path):
    before = all_settings(peculiar)
    item = camera(peculiar, (2, 0, 1), type="ORTHO")
    with pytest.raises(SceneError, match=item.name):
        export_capture.export_capture(peculiar, {"train": [item]}, tmp_path / "c", **QUICK)
    assert all_settings(peculiar) == before


def test_cameras_on_a_sphere_look_at_its_centre_from_the_band(scene):
    center = np.array([1.0, 2.0, 0.5])
    made = sphere_cameras(
        scene,
        {"train": 60, "test": 7},
        center=tuple(center),
        radius=2.5,
        elevation=(-10, 60),
        angle=35.0,
        seed=1,
    )
    assert [len(made[s]) for s in ("train", "test")] == [60, 7]
    scene.render.resolution_x = scene.render.resolution_y = 100
    poses = [np.array(c.matrix_world) for items in made.values() for c in items]
    for item, pose in zip([c for items in made.values() for c in items], poses, strict=True):
        offset = pose[:3, 3] - center
        assert np.linalg.norm(offset) == pytest.approx(2.5, rel=1e-5)
        assert np.allclose(pose[:3, 2], offset / 2.5, atol=1e-5)
        assert abs(pose[2, 0]) < 1e-6
        assert pose[2, 1] > 0
        assert -10.01 < math.degrees(math.asin(offset[2] / 2.5)) < 60.01
        wanted = 50 / math.tan(math.radians(17.5))
        assert read_intrinsics(item, scene).fx == pytest.approx(wanted, rel=1e-5)
    assert np.linalg.norm(np.mean([p[:2, 3] for p in poses[:60]], 0) - center[:2]) < 0.2


def test_the_same_seed_gives_the_same_cameras(scene):
    poses = [
        [np.array(c.matrix_world) for c in sphere_cameras(scene, {"train": 4}, seed=s)["train"]]
        for s in (5, 5, 6)
    ]
    assert np.array_equal(poses[0], poses[1])
    assert not np.allclose(poses[0], poses[2])
