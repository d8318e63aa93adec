"""Captures that cannot teach what is expected of them: said at import and in training."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from ball_capture import write_ball_capture
from PIL import Image
from short_teachers import run_train

from pvd_engine.data.capture import Camera, Capture, Frame, View
from pvd_engine.data.geometry.camera_notes import camera_notes
from pvd_engine.data.geometry.points import SparsePoints
from pvd_engine.data.images.empty import empty_images, shows_nothing
from pvd_engine.data.readers import open_capture
from pvd_engine.jobs.job import Job
from pvd_engine.verbs import info
from pvd_engine.verbs.info import InfoArguments

DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data"
REAL = ("nerf_synthetic_lego_200", "fox_270x480", "llff_fern_504x378", "colmap_toy")


def looking(position, direction, model="pinhole"):
    """A camera at a position that looks along a direction."""
    back = -np.asarray(direction, float) / np.linalg.norm(direction)
    right = np.cross((0, 0, 1), back)
    right /= np.linalg.norm(right)
    pose = np.eye(4)
    pose[:3, :3] = np.stack([right, np.cross(back, right), back], axis=-1)
    pose[:3, 3] = position
    return replace(Camera(pose, 64, 48, 60.0, 60.0, 32.0, 24.0), distortion_model=model)


def capture(cameras, splits=None, **more):
    splits = splits or ["train"] * len(cameras)
    views = tuple(
        View(f"{split}/{number}", camera, split, None)
        for number, (camera, split) in enumerate(zip(cameras, splits, strict=True))
    )
    box = np.array([[-1.0] * 3, [1.0] * 3])
    return Capture("c", Path(), "colmap", views, box, "", Frame(), has_alpha=False, **more)


def ring(count, radius, towards, model="pinhole"):
    """Cameras on a circle; they look out (1), in (-1) or along it (0)."""
    cameras = []
    for angle in np.arange(count) * 2 * np.pi / count:
        out = np.array([np.cos(angle), np.sin(angle), 0.0])
        along = np.array([-np.sin(angle), np.cos(angle), 0.0])
        cameras.append(looking(radius * out, towards * out if towards else along, model))
    return cameras


SPOT = "All 8 cameras stand on one spot"
ROUTE = [looking((x, 0.1 * np.sin(x), 1.6), (1, 0.2 * np.cos(x), 0)) for x in range(20)]


@pytest.mark.parametrize("around", [(0, 0, 0), (400.0, 20.0, 3.0)])
def test_cameras_on_one_spot_are_said(around):
    turned = ring(8, 0.0, 1)
    for camera in turned:
        camera.camera_to_world[:3, 3] = around
    (note,) = camera_notes(capture(turned))
    assert note.startswith(SPOT) and "add images from other positions" in note


@pytest.mark.parametrize(("radius", "said"), [(0.01, True), (0.5, False)])
def test_a_tripods_arm_is_one_spot_by_how_far_away_things_are(radius, said):
    far = SparsePoints(np.full((5, 3), 10.0), None)
    notes = camera_notes(capture(ring(8, radius, 1), points=far))
    assert any(note.startswith(SPOT) for note in notes) == said


def test_cameras_that_look_outward_are_said_with_what_to_choose():
    (note,) = camera_notes(capture(ring(12, 1.0, 1)))
    assert note.startswith("The cameras look outward") and "--crop" in note
    (note,) = camera_notes(replace(capture(ring(12, 1.0, 1)), has_alpha=True))
    assert "--scene unbounded" in note
    assert camera_notes(capture(ring(12, 1.0, 1), bounded=True)) == []


@pytest.mark.parametrize(
    "cameras",
    [
        ring(12, 3.0, -1),
        ring(12, 3.0, 0),
        ring(5, 2.0, 1, "equirectangular"),
        ROUTE,
        ROUTE + [looking((20 - x, 2, 1.6), (-1, 0, 0)) for x in range(20)],
        [looking((x, 0, 0), (0, 1, 0)) for x in (-1, 0, 1)],
        [looking((x, 0, z), (0.1 * x, 1, 0.1 * z)) for x in (-1, 0, 1) for z in (-1, 0, 1)],
        ring(1, 1.0, 1),
    ],
    ids=("inward", "along", "panoramas", "walk", "there and back", "rail", "fan", "one"),
)
def test_nothing_is_said_of_ordinary_captures(cameras):
    assert camera_notes(capture(cameras)) == []


@pytest.mark.parametrize("name", REAL)
def test_nothing_is_said_of_real_captures(name):
    if not (DATA / name).is_dir():
        pytest.skip(f"there is no {DATA / name}")
    found = open_capture(DATA / name)
    assert camera_notes(found) == [] and empty_images(found.views) == []


def test_repeated_poses_are_counted_and_the_first_is_named():
    cameras = ring(6, 3.0, -1)
    (note,) = camera_notes(capture([*cameras, cameras[2], cameras[2], cameras[4]]))
    assert note.startswith("3 of 9 cameras repeat the poses of others; where their images differ")
    assert note.endswith("The first: train/6, as train/2.")

    (note,) = camera_notes(capture([*cameras, cameras[1]], ["train"] * 6 + ["test"]))
    assert note.startswith("1 of 7 cameras is held out although one with its pose is trained on")
    assert note.endswith("The first: test/6, as train/1.")

    other = replace(cameras[0], fx=90.0, fy=90.0)
    assert camera_notes(capture([*cameras, other])) == [], "another lens shows something else"


def test_cameras_of_one_pose_are_one_sentence():
    (note,) = camera_notes(capture([looking((3, 0, 1), (-1, 0, 0))] * 5))
    assert note.startswith("All 5 cameras have the same pose")


def flat(value=200, alpha=255):
    return np.full((24, 24, 4), (value, value, value, alpha), np.uint8)


@pytest.mark.parametrize(
    ("pixels", "expected"),
    [
        (flat(), True),
        (flat(alpha=0), True),
        (flat() - np.arange(3, dtype=np.uint8)[np.arange(24) % 3][:, None, None], True),
        (np.concatenate([flat(0, 0), flat(9, 0)]), True),
        (np.concatenate([flat(200)[:23], flat(180)[:1]]), False),
        (np.concatenate([flat(0, 0), flat(0, 255)]), False),
        (flat().astype(np.uint16) * 257, True),
    ],
)
def test_what_shows_nothing_is_transparent_or_of_one_colour(pixels, expected):
    assert shows_nothing(pixels) == expected


def test_empty_pictures_are_said_at_import_and_in_training(tmp_path):
    folder = write_ball_capture(tmp_path / "ball", 24)
    count = len(list(folder.rglob("*.png")))
    assert info.run(InfoArguments(path=folder), Job(tmp_path / "a"))["capture"]["notes"] == (
        list(open_capture(folder).notes)
    )
    for name, pixels in (("r_1", flat()), ("r_3", flat(0, 0))):
        Image.fromarray(pixels).save(folder / "train" / f"{name}.png")
    notes = info.run(InfoArguments(path=folder), Job(tmp_path / "b"))["capture"]["notes"]
    (note,) = (note for note in notes if "show nothing" in note)
    assert note.startswith(f"2 of {count} images show nothing") and note.endswith("train/r_1.")

    result = run_train(folder, tmp_path / "f.safetensors", steps=1)
    (note,) = (note for note in result["warnings"] if "show nothing" in note)
    trained = len(list((folder / "train").glob("*.png")))
    assert note.startswith(f"2 of {trained} images show nothing") and note.endswith("train/r_1.")


def test_training_says_what_is_wrong_with_the_cameras(tmp_path):
    folder = write_ball_capture(tmp_path / "ball", 24)
    path = folder / "transforms_train.json"
    content = json.loads(path.read_text())
    shutil.copyfile(folder / "train" / "r_0.png", folder / "train" / "again.png")
    content["frames"].append(content["frames"][0] | {"file_path": "./train/again"})
    path.write_text(json.dumps(content))
    result = run_train(folder, tmp_path / "f.safetensors", steps=1)
    (note,) = (note for note in result["warnings"] if "repeat" in note)
    assert note.endswith("The first: train/again, as train/r_0.")
