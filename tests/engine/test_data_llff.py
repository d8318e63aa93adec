"""LLFF captures."""

import numpy as np
import pytest
from capture_files import look_at, read_but_one, real_capture, ring
from format_files import (
    HEIGHT,
    POINTS,
    POSES,
    SIZE,
    WIDTH,
    Trap,
    check_pixels,
    llff_rows,
    npy_bytes,
    pixels,
    promising,
    refuse,
    write_llff,
)

from pvd_engine.data.capture import Camera
from pvd_engine.data.formats.llff import upright_turn
from pvd_engine.data.geometry.bounds import box_between
from pvd_engine.data.readers import open_capture


def test_llff_points_are_where_its_axes_put_them(tmp_path):
    write_llff(tmp_path)
    capture = open_capture(tmp_path)
    center = (WIDTH / 2, HEIGHT / 2)
    check_pixels(capture, POINTS, [pixels(m, POINTS, 160.0 / 8, center) for m in POSES])
    assert any("24 x 16" in note and "192 x 128" in note for note in capture.notes)


def test_llff_holds_out_every_eighth_image_from_the_first(tmp_path):
    write_llff(tmp_path, ring(17))
    test = [view.name for view in open_capture(tmp_path).split("test")]
    assert test == ["images_8/000", "images_8/008", "images_8/016"]


def test_llff_takes_the_largest_images(tmp_path):
    write_llff(tmp_path)
    write_llff(tmp_path, images="images_4")
    assert open_capture(tmp_path).views[0].name == "images_4/000"
    write_llff(tmp_path, images="images", size=SIZE, focal=20.0)
    capture = open_capture(tmp_path)
    assert capture.views[0].name == "images/000"
    assert not any("rescaled" in note for note in capture.notes)


def test_llff_box_holds_all_frusta_between_near_and_far(tmp_path):
    level = look_at((0, -1, 0), (0, 0, 0))
    write_llff(tmp_path, [level] * 3)
    capture = open_capture(tmp_path)
    # At depth 6 the image of 192 x 128 pixels with a focal length of 160 is 7.2 x 4.8 units.
    np.testing.assert_allclose(capture.box, [[-3.6, 1, -2.4], [3.6, 5, 2.4]], atol=1e-12)
    assert "near and far depths of the file (2 to 6)" in capture.box_source


def test_one_odd_view_does_not_set_the_size_of_the_box():
    cameras = [Camera(np.eye(4), 100, 100, 50, 50, 50, 50)] * 200
    near, far = np.full(200, 1.0), np.full(200, 10.0)
    near[3], far[4] = 1e-3, 1e4
    box, _ = box_between(cameras, near, far)
    np.testing.assert_allclose(box, [[-10, -10, -10], [10, 10, -1]])


@pytest.mark.parametrize("axis", range(3))
@pytest.mark.parametrize("sign", [1, -1])
def test_llff_stands_upright_by_an_exact_turn(tmp_path, axis, sign):
    up = 0.2 * np.ones(3)
    up[axis] = 3.0 * sign
    turn = upright_turn(up)
    np.testing.assert_array_equal(turn @ (np.eye(3)[axis] * sign), [0, 0, 1])
    assert sorted(np.abs(turn).ravel()) == [0] * 6 + [1] * 3 and np.linalg.det(turn) == 1
    whole = np.eye(4)
    whole[:3, :3] = turn
    poses = [whole.T @ pose for pose in POSES]
    write_llff(tmp_path, poses)
    capture = open_capture(tmp_path)
    np.testing.assert_array_equal(capture.frame.applied_transform, whole[:3])
    for view, pose in zip(capture.views, poses, strict=True):
        np.testing.assert_array_equal(turn.T @ view.camera.camera_to_world[:3], pose[:3])


def test_fern_is_read_as_published():
    folder = real_capture("llff_fern_504x378")
    capture = open_capture(folder)
    assert capture.format == "llff"
    assert [len(capture.split(split)) for split in ("train", "test")] == [17, 3]
    focal = np.load(folder / "poses_bounds.npy")[0, 14]
    for view in capture.views:
        camera = view.camera
        assert (camera.width, camera.height, camera.cx, camera.cy) == (504, 378, 252, 189)
        assert camera.fx == pytest.approx(focal / 8, rel=1e-12) == camera.fy
    forward = np.array([-view.camera.camera_to_world[:3, 2] for view in capture.views])
    assert (forward @ forward.T).min() > np.cos(np.radians(45))
    up = np.mean([view.camera.camera_to_world[:3, 1] for view in capture.views], axis=0)
    assert up[2] > 0.99
    centers = np.array([view.camera.camera_to_world[:3, 3] for view in capture.views])
    mean = forward.mean(axis=0) / np.linalg.norm(forward.mean(axis=0))
    ahead = (capture.box.mean(axis=0) - centers.mean(axis=0)) @ mean
    assert 17 < ahead < 80
    # Its nearest and farthest depths are 16.99 and 80.002.
    assert "near and far depths of the file (17.03 to 79.78)" in capture.box_source


def damaged(rows, index, value):
    rows = rows.copy()
    rows[index] = value
    return rows


@pytest.mark.parametrize(
    ("rows", "pattern"),
    [
        (np.zeros((4, 16)), "rows of 17 numbers, but its shape is 4 x 16"),
        (np.zeros(17), "rows of 17 numbers"),
        (np.zeros((0, 17)), "rows of 17 numbers"),
        (np.array(3.0), "a single number"),
        (damaged(llff_rows(POSES), (2, 5), np.nan), "NaN or infinity for view 2"),
        (damaged(llff_rows(POSES), (1, 15), 9.0), "view 1 has depths from 9 to 6"),
        (damaged(llff_rows(POSES), (1, 15), 0.0), "view 1 has depths"),
        (damaged(llff_rows(POSES), (1, 16), 1e300), "view 1 has depths"),
        (llff_rows(POSES[:3]), "has 3 poses, but .* has 4 images"),
        (np.array([["a"] * 17] * 4), "must hold numbers"),
        (np.full((4, 17), 1 + 2j), "must hold numbers"),
    ],
)
def test_a_wrong_poses_bounds_is_one_sentence(tmp_path, rows, pattern):
    write_llff(tmp_path)
    np.save(tmp_path / "poses_bounds.npy", rows)
    refuse(tmp_path, pattern)


@pytest.mark.parametrize(
    ("rows", "pattern"),
    [
        (damaged(llff_rows(POSES), (1, slice(0, 15, 5)), 0.0), "camera entry 1 .* no camera pose"),
        (damaged(llff_rows(POSES), (1, 14), -3.0), "camera entry 1 .* above zero"),
        (damaged(llff_rows(POSES), (1, 4), 1e300), "camera entry 1 .* a number of pixels"),
    ],
)
def test_one_wrong_camera_is_left_out(tmp_path, rows, pattern):
    write_llff(tmp_path)
    np.save(tmp_path / "poses_bounds.npy", rows)
    assert len(read_but_one(tmp_path, pattern).views) == len(POSES) - 1


PICKLED = npy_bytes(np.array([[Trap()] * 17] * 4, dtype=object), allow_pickle=True)


@pytest.mark.parametrize(
    ("data", "pattern"),
    [
        (b"", "not a NumPy array"),
        (b"\x93NUMPY\x01\x00\xff\xff{", "not a NumPy array"),
        (b"\x93NUMPY\x09\x09", "not a NumPy array"),
        (PICKLED, "must hold numbers, not object"),
        (promising((10**12, 17)), "its size differs from its header"),
        (promising((-4, 17)), "its size differs"),
        (promising((4, 17)) + b"\0" * 99, "its size differs"),
        (promising((4, 17)) + b"\0" * 30_000_000, "more than the"),
    ],
)
def test_a_hostile_npy_is_one_sentence(tmp_path, data, pattern):
    write_llff(tmp_path)
    (tmp_path / "poses_bounds.npy").write_bytes(data)
    refuse(tmp_path, pattern)


def test_llff_without_its_images_is_one_sentence(tmp_path):
    np.save(tmp_path / "poses_bounds.npy", llff_rows(POSES))
    refuse(tmp_path, "has no folder of images")
    (tmp_path / "images_8").mkdir()
    refuse(tmp_path, "images_8 holds no images")
