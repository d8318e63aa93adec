"""Images behind cameras whose lens distorts: the engine undistorts them when they are looked at."""

import json
import os
import shutil
from pathlib import Path

import bpy
import numpy as np
import pytest
from in_window import WithWindow, pump_to_the_end
from pictures import between_pixels, read_pixels
from small_capture import SIDE
from test_panels import drawn, panels

from pvd_blender.scene.undistorted import copy_path, is_distorted

K1, K2, FOCAL = -0.3, 0.05, 30.0
OPERATORS = bpy.ops.convert_field


@pytest.fixture
def distorted(capture, tmp_path):
    """The folder of the ball's capture, with images of a lens that distorts."""
    folder = tmp_path / "bent"
    shutil.copytree(capture / "train", folder / "train")
    frames = json.loads((capture / "transforms_train.json").read_text())["frames"][:4]
    for frame in frames:
        frame["file_path"] += ".png"
    content = {"w": SIDE, "h": SIDE, "fl_x": FOCAL, "k1": K1, "k2": K2, "frames": frames}
    (folder / "transforms.json").write_text(json.dumps(content))
    return folder


@pytest.fixture
def cameras(api, distorted):
    frame = api.import_capture(distorted)
    found = [item for item in frame.children if item.type == "CAMERA"]
    assert len(found) == 4
    return sorted(found, key=lambda item: item.name)


def backgrounds(cameras):
    return [len(camera.data.background_images) for camera in cameras]


def copies(tmp_path):
    return sorted((tmp_path / "work" / "bent" / "undistorted").glob("*"))


def job_folders(tmp_path):
    return sorted((tmp_path / "work" / "bent").glob("undistort-*"))


def shown(camera):
    """The pixels that Blender has behind a camera."""
    image = camera.data.background_images[0].image
    return np.array(image.pixels[:], np.float32).reshape(SIDE, SIDE, 4)[::-1]


def image_of(camera):
    return Path(camera.data["pvd_camera"]["image_path"])


def test_a_script_waits_for_what_a_pinhole_would_have_seen(api, cameras, tmp_path):
    assert backgrounds(cameras) == [0, 0, 0, 0] and not copies(tmp_path)
    api.look_through(cameras[1])
    assert backgrounds(cameras) == [0, 1, 0, 0]
    (background,) = cameras[1].data.background_images
    assert background.frame_method == "STRETCH" and cameras[1].data.show_background_images
    (copy,) = copies(tmp_path)
    assert Path(background.image.filepath) == copy and tuple(background.image.size) == (SIDE, SIDE)
    assert not job_folders(tmp_path)
    axis = (np.arange(SIDE) + 0.5 - SIDE / 2) / FOCAL
    x, y = np.meshgrid(axis, axis)
    radial = 1 + K1 * (x * x + y * y) + K2 * (x * x + y * y) ** 2
    u, v = x * radial * FOCAL + SIDE / 2, y * radial * FOCAL + SIDE / 2
    expected, found = between_pixels(read_pixels(image_of(cameras[1])), u, v), read_pixels(copy)
    assert np.abs(found[..., 3] - expected[..., 3]).max() < 0.6 / 255
    solid = expected[..., 3] > 0.1
    assert solid.any() and np.abs(found - expected)[solid].max() < 0.6 / 255


def test_a_copy_is_made_once(api, cameras, distorted, tmp_path):
    api.look_through(cameras[0])
    (copy,) = copies(tmp_path)
    made = copy.stat().st_mtime_ns
    again = api.import_capture(distorted)
    twins = [item for item in again.children if item.type == "CAMERA"]
    other = next(item for item in twins if image_of(item) == image_of(cameras[0]))
    assert backgrounds([other]) == [1], "whose copy is there is shown at once"
    cameras[0].data.background_images.clear()
    api.configure(engine_python="")
    api.look_through(cameras[0])
    assert backgrounds(cameras)[0] == 1 and copies(tmp_path) == [copy]
    assert copy.stat().st_mtime_ns == made


def test_a_changed_image_is_undistorted_again(api, cameras, tmp_path):
    api.look_through(cameras[0])
    (copy,) = copies(tmp_path)
    shutil.copy(image_of(cameras[1]), image_of(cameras[0]))
    later = copy.stat().st_mtime + 5
    os.utime(image_of(cameras[0]), (later, later))
    before = shown(cameras[0])
    cameras[0].data.background_images.clear()
    api.look_through(cameras[0])
    assert copies(tmp_path) == [copy] and backgrounds(cameras)[0] == 1
    assert np.array_equal(shown(cameras[0]), read_pixels(copy))
    assert not np.array_equal(shown(cameras[0]), before)


def test_without_an_engine_one_sentence_says_that_the_image_is_missing(api, cameras, session):
    scene = bpy.context.scene
    api.configure(engine_python="")
    with pytest.raises(api.ConvertFieldError) as refused:
        api.look_through(cameras[2])
    said = str(refused.value)
    assert said.startswith(
        f"The image behind '{cameras[2].name}' cannot be undistorted: the engine"
    )
    assert said.count(".") == said.count(".png") + 1 and said.endswith(".")
    assert scene.camera == cameras[2] and scene.render.resolution_x == SIDE
    assert backgrounds(cameras) == [0, 0, 0, 0]
    api.look_through(cameras[1], wait=False)
    assert scene.camera == cameras[1] and backgrounds(cameras) == [0, 0, 0, 0]
    assert session.error.sentence.startswith(f"The image behind '{cameras[1].name}' cannot")


def test_a_window_goes_on_and_of_several_cameras_the_last_one_waits(
    api, cameras, session, tmp_path, monkeypatch
):
    monkeypatch.setattr("pvd_blender.ui.operators.capture.bpy", WithWindow())
    for camera in (*cameras[:3], cameras[2]):
        bpy.context.view_layer.objects.active = camera
        assert OPERATORS.look_through() == {"FINISHED"}
        assert bpy.context.scene.camera == camera
    assert backgrounds(cameras) == [0, 0, 0, 0], "nothing is shown until it is right"
    assert session.undistorting.camera_name == cameras[0].name
    assert f"Undistorting {cameras[0].name}" in drawn(panels()["Capture"])
    pump_to_the_end(session)
    assert session.error is None
    assert backgrounds(cameras) == [1, 0, 1, 0]
    assert len(copies(tmp_path)) == 2 and not job_folders(tmp_path)
    assert not any("Undistorting" in line for line in drawn(panels()["Capture"]))


def test_looking_back_at_the_camera_whose_copy_is_being_made_makes_no_second_one(
    api, cameras, session, tmp_path
):
    for camera in (cameras[0], cameras[1], cameras[0]):
        api.look_through(camera, wait=False)
    pump_to_the_end(session)
    assert backgrounds(cameras) == [1, 0, 0, 0] and len(copies(tmp_path)) == 1


def test_a_training_does_not_hold_it_up(api, cameras, session):
    from pvd_blender.jobs import tasks

    settings = tasks.FieldSettings("hash", options={"steps": 100000})
    session.start(tasks.training(cameras[0].parent, settings, {"device": "cpu"}))
    api.look_through(cameras[0])
    assert backgrounds(cameras)[0] == 1 and session.busy
    session.close_job()


def test_a_damaged_image_is_reported_and_the_next_one_is_made(api, cameras, session, tmp_path):
    image_of(cameras[0]).write_bytes(image_of(cameras[0]).read_bytes()[:300])
    with pytest.raises(api.ConvertFieldError, match=r"r_0\.png is damaged"):
        api.look_through(cameras[0])
    api.look_through(cameras[0], wait=False)
    api.look_through(cameras[1], wait=False)
    pump_to_the_end(session)
    assert "r_0.png is damaged" in session.error.sentence and session.error.log.is_file()
    assert backgrounds(cameras) == [0, 1, 0, 0]


def test_a_camera_that_is_gone_when_its_copy_is_there_is_no_failure(
    api, cameras, session, tmp_path
):
    api.look_through(cameras[0], wait=False)
    bpy.data.objects.remove(cameras[0])
    pump_to_the_end(session)
    assert session.error is None and len(copies(tmp_path)) == 1


def test_closing_ends_what_is_being_made(api, cameras, session, tmp_path):
    api.look_through(cameras[0], wait=False)
    assert job_folders(tmp_path)
    session.close_engines()
    assert session.undistorting.camera_name == "" and not job_folders(tmp_path)
    assert not session.pump()


def test_a_copys_file_depends_on_the_image_and_the_lens(cameras, tmp_path):
    camera = cameras[0].data["pvd_camera"].to_dict()
    changes = [
        {"name": "other"},
        {"image_path": "elsewhere.png"},
        {"fx": 31.0},
        {"distortion": {"k1": K1}},
        {"distortion_model": "fov"},
        {"height": SIDE + 1},
    ]
    paths = {copy_path(camera | change, tmp_path) for change in [{}, *changes]}
    assert len(paths) == 7 and {path.parent.name for path in paths} == {"undistorted"}
    assert copy_path(camera | {"split": "test"}, tmp_path) in paths


def test_which_lenses_differ_from_a_pinhole():
    assert not is_distorted({"distortion_model": "none"}) and not is_distorted({})
    for model in ("opencv", "thin_prism_fisheye", "equirectangular"):
        assert is_distorted({"distortion_model": model, "distortion": {}})
