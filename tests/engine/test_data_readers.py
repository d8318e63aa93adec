import json
import math
import subprocess
import sys

import numpy as np
import pytest
from capture_files import (
    frames,
    real_capture,
    ring,
    write_image,
    write_json,
    write_nerf_synthetic,
    write_transforms,
)
from engine_process import environment

from pvd_engine.data.geometry.points import write_ply
from pvd_engine.data.readers import open_capture, require_trainable
from pvd_engine.errors import UserError


def test_lego_is_read_with_its_splits_names_and_focal_length():
    folder = real_capture("nerf_synthetic_lego_200")
    capture = open_capture(folder)
    assert capture.format == "nerf_synthetic"
    assert [len(capture.split(s)) for s in ("train", "val", "test")] == [100, 10, 25]
    assert capture.has_alpha
    assert capture.notes == ()
    first = capture.split("test")[0]
    assert first.name == "test/r_0"
    assert first.image_path == folder / "test" / "r_0.png"
    camera = first.camera
    assert (camera.width, camera.height, camera.cx, camera.cy) == (200, 200, 100, 100)
    # The published focal length of lego at 800 pixels is 1111.1110311937682.
    assert camera.fx == pytest.approx(1111.1110311937682 / 4, rel=1e-12) == camera.fy


@pytest.mark.parametrize(
    ("name", "file"),
    [("nerf_synthetic_lego_200", "transforms_train.json"), ("fox_270x480", "transforms.json")],
)
def test_the_matrices_of_real_files_keep_every_digit(name, file):
    folder = real_capture(name)
    listed = {
        frame["file_path"].removeprefix("./").removesuffix(".jpg"): frame["transform_matrix"]
        for frame in json.loads((folder / file).read_text())["frames"]
    }
    views = [view for view in open_capture(folder).views if view.name in listed]
    assert len(views) >= 50
    for view in views:
        np.testing.assert_array_equal(view.camera.camera_to_world, listed[view.name])


def test_fox_drops_the_17_listed_images_that_do_not_exist_and_says_so():
    capture = open_capture(real_capture("fox_270x480"))
    assert capture.format == "transforms"
    assert len(capture.views) == 50
    assert [len(capture.split(s)) for s in ("train", "val", "test")] == [43, 0, 7]
    assert any("17 of 67" in note for note in capture.notes)
    assert not capture.has_alpha
    camera = capture.views[0].camera
    assert (camera.width, camera.height) == (270, 480)
    assert (camera.fx, camera.fy, camera.cx, camera.cy) == (343.88, 343.6225, 138.6395, 241.317)
    assert camera.distortion_model == "opencv"
    assert camera.distortion["k2"] == -0.0805099
    assert capture.frame.aabb_scale == 4


def test_a_path_to_the_file_reads_the_same_as_its_folder(tmp_path):
    write_transforms(tmp_path, 4)
    by_file, by_folder = open_capture(tmp_path / "transforms.json"), open_capture(str(tmp_path))
    assert [v.name for v in by_file.views] == [v.name for v in by_folder.views]
    assert by_file.root == by_folder.root == tmp_path


def test_split_files_come_before_a_transforms_json_next_to_them(tmp_path):
    write_transforms(tmp_path, 5)
    write_nerf_synthetic(tmp_path, {"train": 3, "val": 1, "test": 2})
    for path in (tmp_path, tmp_path / "transforms_test.json"):
        capture = open_capture(path)
        assert capture.format == "nerf_synthetic"
        assert any("transforms.json was not read" in note for note in capture.notes)
    assert open_capture(tmp_path / "transforms.json").format == "transforms"


def test_missing_val_and_test_files_are_noted(tmp_path):
    write_nerf_synthetic(tmp_path, {"train": 3})
    capture = open_capture(tmp_path)
    assert len(capture.views) == 3
    assert any("transforms_val.json is missing" in note for note in capture.notes)
    assert any("transforms_test.json is missing" in note for note in capture.notes)


def test_without_splits_every_eighth_view_in_order_of_names_is_test(tmp_path):
    matrices = ring(20)
    content = {"fl_x": 10.0, "frames": frames(matrices)[::-1]}
    for frame in content["frames"]:
        write_image(tmp_path / frame["file_path"])
    write_json(tmp_path / "transforms.json", content)
    capture = open_capture(tmp_path)
    assert {v.name for v in capture.split("test")} == {"images/000", "images/008", "images/016"}
    assert capture.views[0].name == "images/019", "file order is kept"
    assert any("every 8th view" in note for note in capture.notes)


def test_nerfstudio_split_lists_are_followed_and_no_view_both_trains_and_tests(tmp_path):
    content = write_transforms(tmp_path, 6)
    paths = [frame["file_path"] for frame in content["frames"]]
    content["train_filenames"] = [f"./{paths[0]}", paths[1], paths[2]]
    content["val_filenames"] = [paths[3], paths[2]]
    content["test_filenames"] = [paths[3], paths[4]]
    write_json(tmp_path / "transforms.json", content)
    capture = open_capture(tmp_path)
    splits = {view.name[-1]: view.split for view in capture.views}
    assert splits == {"0": "train", "1": "train", "2": "train", "3": "test", "4": "test"}
    assert any("1 camera entry is in none" in note for note in capture.notes)


def test_a_camera_entrys_own_intrinsics_come_before_the_shared_ones(tmp_path):
    content = write_transforms(tmp_path, 3, w=8, h=6, fl_y=12.0, cx=4.5, k1=0.1)
    content["frames"][1].update(fl_x=20.0, fl_y=21.0, cx=3.0, cy=2.0, k1=0.0, p1=0.01)
    content["frames"][2].update(camera_model="OPENCV_FISHEYE", k4=0.2)
    write_json(tmp_path / "transforms.json", content)
    a, b, c = (view.camera for view in open_capture(tmp_path).views)
    assert (a.fx, a.fy, a.cx, a.cy) == (10, 12, 4.5, 3)
    assert (a.distortion_model, a.distortion) == ("opencv", {"k1": 0.1})
    assert (b.fx, b.fy, b.cx, b.cy) == (20, 21, 3, 2)
    assert b.distortion == {"p1": 0.01}
    assert (c.distortion_model, c.distortion) == ("opencv_fisheye", {"k1": 0.1, "k4": 0.2})


@pytest.mark.parametrize("name", ["SIMPLE_PINHOLE", "PINHOLE", "OPENCV"])
def test_a_lens_without_coefficients_is_a_pinhole(tmp_path, name):
    write_transforms(tmp_path, 2, camera_model=name, k1=0.0, p2=0)
    assert open_capture(tmp_path).views[0].camera.distortion_model == "none"


def test_is_fisheye_makes_a_fisheye_of_a_lens_without_coefficients(tmp_path):
    write_transforms(tmp_path, 2, is_fisheye=True)
    assert open_capture(tmp_path).views[0].camera.distortion_model == "opencv_fisheye"


@pytest.mark.parametrize(
    ("keys", "fx", "fy"),
    [
        ({"camera_angle_x": 0.8}, 4 / math.tan(0.4), 4 / math.tan(0.4)),
        ({"camera_angle_x": 0.8, "camera_angle_y": 0.6}, 4 / math.tan(0.4), 3 / math.tan(0.3)),
        ({"camera_angle_y": 0.6}, 3 / math.tan(0.3), 3 / math.tan(0.3)),
        ({"fl_x": 9.0, "camera_angle_x": 0.8}, 9.0, 9.0),
        ({"fl_y": 9.0}, 9.0, 9.0),
        ({"x_fov": 90.0}, 4.0, 4.0),
    ],
)
def test_focal_lengths_from_what_the_file_gives(tmp_path, keys, fx, fy):
    content = write_transforms(tmp_path, 2)
    del content["fl_x"]
    write_json(tmp_path / "transforms.json", {**content, **keys})
    camera = open_capture(tmp_path).views[0].camera
    assert (camera.fx, camera.fy) == (pytest.approx(fx), pytest.approx(fy))


def test_intrinsics_are_rescaled_to_images_of_another_size_than_stated(tmp_path):
    write_transforms(
        tmp_path, 3, size=(8, 6), w=16, h=12, fl_x=20.0, fl_y=40.0, cx=7.0, cy=7.0, k1=0.1
    )
    capture = open_capture(tmp_path)
    camera = capture.views[0].camera
    assert (camera.width, camera.height) == (8, 6)
    assert (camera.fx, camera.fy, camera.cx, camera.cy) == (10, 20, 3.5, 3.5)
    assert camera.distortion == {"k1": 0.1}
    assert any("8 x 6 pixels where the file states 16 x 12" in note for note in capture.notes)


def test_an_angle_does_not_depend_on_the_stated_size(tmp_path):
    write_nerf_synthetic(tmp_path, {"train": 2}, size=(30, 20))
    camera = open_capture(tmp_path).views[0].camera
    assert camera.fx == pytest.approx(15 / math.tan(0.4))
    assert (camera.cx, camera.cy) == (15, 10)


@pytest.mark.parametrize("suffix", ["png", "jpg", "jpeg", "PNG"])
def test_names_without_suffix_find_their_image(tmp_path, suffix):
    entries = frames(ring(2), "images/frame.{:04d}")
    for entry in entries:
        write_image(tmp_path / f"{entry['file_path']}.{suffix}")
    write_json(tmp_path / "transforms.json", {"fl_x": 10, "frames": entries})
    assert [v.name for v in open_capture(tmp_path).views] == [
        "images/frame.0000",
        "images/frame.0001",
    ]


def test_names_are_unique_even_where_images_differ_only_in_suffix(tmp_path):
    entries = frames(ring(3))
    for entry, name in zip(entries, ("a.png", "a.jpg", "a_2.png"), strict=True):
        entry["file_path"] = name
        write_image(tmp_path / name)
    write_json(tmp_path / "transforms.json", {"fl_x": 10, "frames": entries})
    names = [v.name for v in open_capture(tmp_path).views]
    assert len(set(names)) == 3
    assert names[0] == "a"


def test_backslashes_of_windows_are_slashes(tmp_path):
    content = write_transforms(tmp_path, 2)
    for frame in content["frames"]:
        frame["file_path"] = frame["file_path"].replace("/", "\\")
    write_json(tmp_path / "transforms.json", content)
    assert open_capture(tmp_path).views[1].name == "images/001"


def test_an_absolute_path_inside_the_folder_is_read(tmp_path):
    content = write_transforms(tmp_path, 2)
    content["frames"][0]["file_path"] = str(tmp_path / "images" / "000.png")
    write_json(tmp_path / "transforms.json", content)
    assert open_capture(tmp_path).views[0].name == "images/000"


def test_3x4_matrices_are_read(tmp_path):
    content = write_transforms(tmp_path, 2)
    full = content["frames"][0]["transform_matrix"]
    content["frames"][0]["transform_matrix"] = full[:3]
    write_json(tmp_path / "transforms.json", content)
    np.testing.assert_array_equal(open_capture(tmp_path).views[0].camera.camera_to_world, full)


def test_a_uniform_scale_is_divided_out_of_the_rotation_only(tmp_path):
    content = write_transforms(tmp_path, 2)
    expected = np.array(content["frames"][0]["transform_matrix"])
    scaled = expected.copy()
    scaled[:3, :3] *= 2.5
    content["frames"][0]["transform_matrix"] = scaled.tolist()
    write_json(tmp_path / "transforms.json", content)
    capture = open_capture(tmp_path)
    np.testing.assert_allclose(capture.views[0].camera.camera_to_world, expected, atol=1e-12)
    assert any("scaled by 2.5" in note and "camera entry 0" in note for note in capture.notes)


def test_a_rotation_of_few_digits_becomes_a_proper_one(tmp_path):
    content = write_transforms(tmp_path, 2)
    rounded = np.round(content["frames"][0]["transform_matrix"], 3)
    content["frames"][0]["transform_matrix"] = rounded.tolist()
    write_json(tmp_path / "transforms.json", content)
    rotation = open_capture(tmp_path).views[0].camera.camera_to_world[:3, :3]
    np.testing.assert_allclose(rotation.T @ rotation, np.eye(3), atol=1e-14)
    np.testing.assert_allclose(rotation, rounded[:3, :3], atol=1e-3)


def test_the_fields_of_the_captures_frame_are_kept(tmp_path):
    applied = [[1.0, 0, 0, 0.5], [0, 0, 1, 0], [0, -1, 0, 2]]
    write_transforms(
        tmp_path, 2, applied_transform=applied, aabb_scale=16, scale=0.5, offset=[0.1, 0.2, 0.3]
    )
    frame = open_capture(tmp_path).frame
    np.testing.assert_array_equal(frame.applied_transform, applied)
    assert (frame.aabb_scale, frame.scale, frame.offset) == (16, 0.5, (0.1, 0.2, 0.3))


def test_sparse_points_are_found_in_the_folder_and_nowhere_else(tmp_path):
    folder = tmp_path / "in"
    write_transforms(folder, 2, ply_file_path="sparse_pc.ply")
    capture = open_capture(folder)
    assert capture.points_path is None
    assert any("sparse_pc.ply do not exist" in note for note in capture.notes)
    write_ply(folder / "sparse_pc.ply", np.eye(3), None)
    assert open_capture(folder).points_path == folder / "sparse_pc.ply"
    (tmp_path / "out.ply").touch()
    write_transforms(folder, 2, ply_file_path="../out.ply")
    assert open_capture(folder).points_path is None


def test_the_box_of_a_nerfstudio_capture_holds_its_sparse_points(tmp_path):
    points = np.random.default_rng(1).uniform([-2, -1, 0], [2, 1, 0.5], (4000, 3))
    write_ply(tmp_path / "p.ply", points, None)
    write_transforms(tmp_path, 9)
    before = open_capture(tmp_path).box
    write_transforms(tmp_path, 9, ply_file_path="p.ply")
    capture = open_capture(tmp_path)
    assert "98 % of the 4000 sparse points" in capture.box_source
    np.testing.assert_allclose(capture.box, [[-2.35, -1.18, -0.04], [2.35, 1.18, 0.54]], atol=0.02)
    assert np.ptp(before, axis=0).min() > 5
    write_transforms(tmp_path, 9, ply_file_path="p.ply", aabb_scale=4)
    assert "instant-ngp" in open_capture(tmp_path).box_source, "the file's own box comes first"


@pytest.mark.parametrize("data", [b"", b"ply\nformat ascii 1.0\nelement vertex 9\n", b"\0" * 99])
def test_a_broken_file_of_points_is_left_out_with_a_note(tmp_path, data):
    write_transforms(tmp_path, 3, ply_file_path="p.ply")
    (tmp_path / "p.ply").write_bytes(data)
    capture = open_capture(tmp_path)
    assert capture.points_path is None and len(capture.views) == 3
    assert any("points were left out" in note and "p.ply" in note for note in capture.notes)


def test_an_alpha_channel_that_is_opaque_everywhere_is_no_transparency(tmp_path):
    write_transforms(tmp_path / "a", 3, mode="RGBA")
    assert open_capture(tmp_path / "a").has_alpha
    for path in (tmp_path / "a" / "images").iterdir():
        write_image(path, mode="RGBA", color=(1, 2, 3, 255))
    assert not open_capture(tmp_path / "a").has_alpha


@pytest.mark.parametrize(("count", "sentence"), [(1, "only one train view"), (2, None)])
def test_training_needs_two_train_views(tmp_path, count, sentence):
    write_nerf_synthetic(tmp_path, {"train": count, "test": 2})
    capture = open_capture(tmp_path)
    assert len(capture.split("train")) == count, "a single image can still be looked at"
    if sentence is None:
        require_trainable(capture)
    else:
        with pytest.raises(UserError, match=sentence):
            require_trainable(capture)


def test_a_single_image_without_splits_is_a_train_view(tmp_path):
    write_transforms(tmp_path, 1)
    capture = open_capture(tmp_path)
    assert [view.split for view in capture.views] == ["train"]
    with pytest.raises(UserError, match="only one"):
        require_trainable(capture)


def test_reading_a_capture_needs_no_torch():
    code = "import sys; import pvd_engine.data.readers, pvd_engine.data.formats.cameras_json, " + (
        "pvd_engine.data.geometry.projection; assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60, env=environment())
