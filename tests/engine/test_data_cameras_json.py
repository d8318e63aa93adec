import json
import math

import numpy as np
import pytest
from capture_files import look_at, real_capture, write_json, write_transforms

from pvd_engine.data.capture import Camera, View
from pvd_engine.data.formats.cameras_json import (
    camera_from_dict,
    camera_to_dict,
    capture_to_dict,
    read_cameras,
    write_cameras,
)
from pvd_engine.data.readers import open_capture
from pvd_engine.errors import UserError


def entry(**changes):
    values = {
        "name": "a/b",
        "width": 8,
        "height": 6,
        "fx": 10.0,
        "fy": 11,
        "cx": 4,
        "cy": 3.5,
        "camera_to_world": look_at((1 / 3, math.pi, 2)).tolist(),
    }
    return {key: value for key, value in {**values, **changes}.items() if value != "absent"}


def same_camera(a, b):
    np.testing.assert_array_equal(a.camera_to_world, b.camera_to_world)
    fields = ("width", "height", "fx", "fy", "cx", "cy", "distortion_model", "distortion")
    assert [getattr(a, f) for f in fields] == [getattr(b, f) for f in fields]


def test_written_cameras_are_read_with_every_digit(tmp_path):
    matrix = look_at((1 / 3, math.pi, math.e))
    views = [
        View("test/r_0", Camera(matrix, 8, 6, 1 / 3, 2 / 7, math.pi, 3.0), "test", None),
        View(
            "fish",
            Camera(matrix, 9, 7, 5.0, 5.0, 4.5, 3.5, "opencv_fisheye", {"k1": 0.1 / 3}),
            "test",
            None,
        ),
    ]
    read = read_cameras(write_cameras(tmp_path / "deep" / "cameras.json", views))
    assert [view.name for view in read] == ["test/r_0", "fish"]
    for view, original in zip(read, views, strict=True):
        same_camera(view.camera, original.camera)
        assert view.image_path is None
    assert list((tmp_path / "deep").iterdir()) == [tmp_path / "deep" / "cameras.json"]


def test_distortion_may_be_left_out(tmp_path):
    view = read_cameras(write_json(tmp_path / "c.json", {"cameras": [entry()]}))[0]
    assert view.camera.distortion_model == "none"
    assert (view.camera.fx, view.camera.cy) == (10, 3.5)


@pytest.mark.parametrize(
    ("content", "pattern"),
    [
        ({}, "has no cameras"),
        ({"cameras": []}, "has no cameras"),
        ({"cameras": [1]}, "camera 0: it must be"),
        ({"cameras": [entry(), entry()]}, "camera 1: an earlier camera has the name a/b"),
        ({"cameras": [entry(name="../x")]}, "below the output folder"),
        ({"cameras": [entry(name="/x")]}, "below the output folder"),
        ({"cameras": [entry(name="C:x")]}, "below the output folder"),
        ({"cameras": [entry(name="absent")]}, "below|name must be text"),
        ({"cameras": [entry(camera_to_world="absent")]}, "camera_to_world is missing"),
        ({"cameras": [entry(camera_to_world=[[1, 2], [3, 4]])]}, "4 rows of 4"),
        ({"cameras": [entry(width=0)]}, "above zero"),
        ({"cameras": [entry(width=8.5)]}, "whole number"),
        ({"cameras": [entry(height=10**9)]}, "whole number"),
        ({"cameras": [entry(fx="absent")]}, "fx must be a number, not missing"),
        ({"cameras": [entry(fy=-1)]}, "fy must be above zero"),
        ({"cameras": [entry(fx=1e-300)]}, "does not fit"),
        ({"cameras": [entry(cx=1e300)]}, "far outside"),
        ({"cameras": [entry(distortion_model="fisheye")]}, "distortion_model must be one of"),
        ({"cameras": [entry(distortion_model="fov", distortion={"omega": 4})]}, "no lens has"),
        ({"cameras": [entry(distortion_model="fov", distortion={"k1": 1})]}, "no coefficient k1"),
        ({"cameras": [entry(distortion={"k1": 1})]}, "the model none has no coefficient k1"),
        ({"cameras": [entry(distortion=[1])]}, "distortion must be an object"),
    ],
)
def test_wrong_cameras_are_one_sentence(tmp_path, content, pattern):
    with pytest.raises(UserError, match=pattern) as caught:
        read_cameras(write_json(tmp_path / "c.json", content))
    assert str(caught.value).endswith(".")


def test_a_missing_file_is_one_sentence(tmp_path):
    with pytest.raises(UserError, match=r"c\.json cannot be read"):
        read_cameras(tmp_path / "c.json")


def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot be written"):
        write_cameras(tmp_path / "file" / "c.json", [])


@pytest.mark.parametrize("name", ["nerf_synthetic_lego_200", "fox_270x480"])
def test_a_capture_described_as_json_gives_its_cameras_back_exactly(name):
    capture = open_capture(real_capture(name))
    described = json.loads(json.dumps(capture_to_dict(capture), allow_nan=False))
    assert len(described["views"]) == len(capture.views) == sum(described["counts"].values())
    for view, original in zip(described["views"], capture.views, strict=True):
        assert (view["name"], view["split"]) == (original.name, original.split)
        assert view["image_path"] == str(original.image_path)
        same_camera(camera_from_dict(view["camera"], "view"), original.camera)
    np.testing.assert_array_equal(described["box"], capture.box)
    assert described["notes"] == list(capture.notes)


def test_a_described_capture_has_the_fields_of_its_frame(tmp_path):
    write_transforms(tmp_path, 3, aabb_scale=2, offset=[0, 0.5, 1])
    described = capture_to_dict(open_capture(tmp_path))
    assert described["frame"] == {
        "applied_transform": np.eye(4)[:3].tolist(),
        "aabb_scale": 2,
        "scale": None,
        "offset": [0, 0.5, 1],
        "applied_scale": None,
        "aabb": None,
    }
    assert described["format"] == "transforms"
    assert described["root"] == str(tmp_path)
    assert described["has_alpha"] is False


def test_a_camera_survives_its_own_dictionary():
    camera = Camera(look_at((3, 2, 1)), 8, 6, 10.0, 11.0, 4.0, 3.0, "opencv", {"p2": -0.001})
    same_camera(camera_from_dict(camera_to_dict(camera), "camera"), camera)
