"""Captures of other programs: what their files say is where the pixels are."""

import json

import numpy as np
import pytest
from capture_files import frames, read_but_one, real_capture, write_image, write_json
from colmap_files import write_colmap
from format_files import (
    COLUMNS,
    HEIGHT,
    POINTS,
    POSES,
    SIZE,
    WIDTH,
    WRITERS,
    check_pixels,
    pixels,
    realitycapture_row,
    refuse,
    write_donerf,
    write_llff,
    write_nsvf,
    write_polycam,
    write_realitycapture,
)

from pvd_engine.data.readers import FORMATS, open_capture


@pytest.mark.parametrize("name", WRITERS)
def test_formats_are_found_by_content_and_keep_poses_and_names(tmp_path, name):
    folder = tmp_path / "scene"
    folder.mkdir()
    WRITERS[name](folder)
    capture = open_capture(folder)
    assert capture.format == name
    assert capture.name == "scene"
    assert capture.root == folder
    assert [kind.is_in(folder) for kind in FORMATS].count(True) == (2 if name == "donerf" else 1)
    for view, matrix in zip(capture.views, POSES, strict=True):
        np.testing.assert_allclose(view.camera.camera_to_world, matrix, rtol=0, atol=1e-9)
        assert view.image_path.is_file()
        assert (view.camera.width, view.camera.height) == SIZE
    assert (capture.box[0] < capture.box[1]).all()
    refuse(tmp_path, r"holds some \(scene\)")


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("llff", "poses_bounds.npy"),
        ("dtu", "cameras_sphere.npz"),
        ("realitycapture", "cameras.csv"),
        ("nsvf", "intrinsics.txt"),
        ("donerf", "dataset_info.json"),
        ("donerf", "transforms_test.json"),
    ],
)
def test_the_file_that_lists_the_cameras_opens_its_folder(tmp_path, name, file):
    WRITERS[name](tmp_path)
    assert open_capture(tmp_path / file).format == name


def test_a_transforms_json_comes_before_what_it_was_made_from(tmp_path):
    write_llff(tmp_path)
    write_json(tmp_path / "transforms.json", {"fl_x": 9, "frames": frames(POSES, "images_8/{:03}")})
    assert open_capture(tmp_path).format == "transforms"
    assert open_capture(tmp_path / "poses_bounds.npy").format == "llff"


def test_a_file_of_a_colmap_model_opens_the_folder_with_its_images():
    folder = real_capture("colmap_toy")
    by_file = open_capture(folder / "sparse" / "0" / "images.bin")
    assert by_file.format == "colmap"
    assert by_file.root == folder
    names = [view.name for view in open_capture(folder).views]
    assert [view.name for view in by_file.views] == names


@pytest.mark.parametrize("inner", ["sparse", "sparse/0", "colmap/sparse/0", "colmap/sparse"])
def test_the_folder_of_a_colmap_model_opens_the_folder_with_its_images(tmp_path, inner):
    model = write_colmap(tmp_path / "scene")
    given = tmp_path / "scene" / inner
    if "colmap" in inner:
        (tmp_path / "scene" / "colmap").mkdir()
        model.parent.rename(tmp_path / "scene" / "colmap" / "sparse")
    capture = open_capture(given)
    assert (capture.root, capture.name) == (tmp_path / "scene", "scene")
    assert len(capture.views) == 9


def test_a_colmap_model_without_images_around_it_says_where_they_belong(tmp_path):
    model = write_colmap(tmp_path / "scene", images="photos")
    refuse(model, "no folder of images")


# NSVF


def test_nsvf_points_are_where_its_matrices_put_them(tmp_path):
    write_nsvf(tmp_path)
    capture = open_capture(tmp_path)
    expected = []
    for name in ("0_a", "0_b", "1_c", "2_d"):
        world_to_camera = np.linalg.inv(np.loadtxt(tmp_path / "pose" / f"{name}.txt"))
        matrix = np.loadtxt(tmp_path / "intrinsics.txt")
        x, y, z, _ = matrix @ world_to_camera @ np.column_stack([POINTS, np.ones(3)]).T
        expected.append(np.stack([x / z, y / z], axis=1))
    check_pixels(capture, POINTS, expected)
    assert [view.split for view in capture.views] == ["train", "train", "val", "test"]
    np.testing.assert_array_equal(capture.box, [[-1, -2, -3], [1, 2, 3]])
    assert "bbox.txt" in capture.box_source
    assert not capture.has_alpha


@pytest.mark.parametrize(
    ("text", "lens"),
    [
        ("20 0 11\n0 21 7\n0 0 1", (20, 21, 11, 7)),
        ("20 11 7 0.\n0. 0. 0.\n0.\n1.\n16 24\n", (20, 20, 11, 7)),
        ("40 22 14 0.\n0. 0. 0.\n0.\n1.\n32 48\n", (20, 20, 11, 7)),
        ("20 11 7 0", (20, 20, 11, 7)),
    ],
)
def test_nsvf_intrinsics_in_all_their_forms(tmp_path, text, lens):
    write_nsvf(tmp_path, intrinsics=text)
    camera = open_capture(tmp_path).views[0].camera
    assert (camera.fx, camera.fy, camera.cx, camera.cy) == lens


def test_without_names_of_test_views_nsvf_tests_on_those_of_val(tmp_path):
    write_nsvf(tmp_path, ("0_a", "0_b", "1_c", "1_d"))
    splits = [view.split for view in open_capture(tmp_path).views]
    assert splits == ["train", "train", "test", "test"]


def test_nsvf_names_without_splits(tmp_path):
    write_nsvf(tmp_path / "some", ("0_a", "0_b", "2_c", "extra"), mode="RGBA")
    capture = open_capture(tmp_path / "some")
    assert [view.name for view in capture.views] == ["rgb/0_a", "rgb/0_b", "rgb/2_c"]
    assert any(
        "1 view whose name does not begin with a split was left out." in note
        for note in capture.notes
    )
    assert capture.has_alpha
    write_nsvf(tmp_path / "none", ("a", "b", "c", "d"))
    (tmp_path / "none" / "bbox.txt").unlink()
    (tmp_path / "none" / "pose" / "d.txt").unlink()
    capture = open_capture(tmp_path / "none")
    assert [view.split for view in capture.views] == ["train"] * 3
    assert any("1 images in rgb have no pose" in note for note in capture.notes)
    assert "cameras" in capture.box_source


@pytest.mark.parametrize(
    ("file", "text", "pattern"),
    [
        ("intrinsics.txt", "", "must be a 3x3 or 4x4"),
        ("intrinsics.txt", "1 2 3", "must be a 3x3 or 4x4"),
        ("intrinsics.txt", "20 x 7 0", "'x' is not a finite number"),
        ("intrinsics.txt", "nan 11 7 0", "'nan' is not a finite number"),
        ("intrinsics.txt", "20 3 11\n0 21 7\n0 0 1", "without skew"),
        ("intrinsics.txt", "0 11 7 0", "above zero"),
        ("intrinsics.txt", "1 " * 100_000, "more than the limit of 66 kB"),
        ("intrinsics.txt", "\x00\ud800", "not UTF-8|not a finite"),
        ("pose/0_b.txt", "1 2 3\n", "pose/0_b.txt must have 4 rows"),
        ("pose/0_b.txt", "1 0 0 0\n0 1 0 0\n0 0 1e999 0\n0 0 0 1", "0_b.txt: '1e999'"),
        ("bbox.txt", "1 2 3", "six numbers"),
        ("bbox.txt", "1 2 3 0 3 4", "upper corner"),
        ("bbox.txt", "-1e300 2 3 1e300 3 4", "within 1e\\+12"),
    ],
)
def test_wrong_nsvf_files_are_one_sentence(tmp_path, file, text, pattern):
    write_nsvf(tmp_path)
    (tmp_path / file).write_bytes(text.encode("utf-8", "surrogatepass"))
    refuse(tmp_path, pattern)


def test_a_view_of_nsvf_whose_pose_is_none_is_left_out(tmp_path):
    write_nsvf(tmp_path)
    (tmp_path / "pose" / "0_b.txt").write_text("1 0 0 0\n0 1 0 0\n0 0 -1 0\n0 0 0 1")
    read_but_one(tmp_path, "camera entry 1 .* mirrored")


def test_nsvf_without_poses_or_images_is_one_sentence(tmp_path):
    write_nsvf(tmp_path)
    for path in (tmp_path / "rgb").iterdir():
        path.unlink()
    refuse(tmp_path, "None of the 4 images")
    for path in (tmp_path / "pose").iterdir():
        path.unlink()
    refuse(tmp_path, "holds no poses")


# DONeRF


def test_donerf_points_are_where_its_angle_of_view_puts_them(tmp_path):
    write_donerf(tmp_path)
    capture = open_capture(tmp_path)
    focal = WIDTH / 2 / np.tan(0.45)
    center = (WIDTH / 2, HEIGHT / 2)
    check_pixels(capture, POINTS, [pixels(m, POINTS, focal, center) for m in POSES])
    assert [view.split for view in capture.views] == ["train", "train", "val", "test"]
    assert capture.views[0].name == "train/00000"


def test_donerf_box_is_the_view_cell_and_what_is_seen_from_it(tmp_path):
    write_donerf(tmp_path)
    capture = open_capture(tmp_path)
    np.testing.assert_allclose(capture.box, [[-9.5, -9, -7.25], [11.5, 13, 13.25]])
    assert "view cell, grown by the far depth 10" in capture.box_source


def test_donerf_info_only_fills_what_the_cameras_lack(tmp_path):
    write_donerf(tmp_path, camera_angle_x=None, fov=60.0, depth_range=None)
    focal = WIDTH / 2 / np.tan(np.radians(30))
    capture = open_capture(tmp_path)
    assert capture.views[0].camera.fx == pytest.approx(focal)
    assert "cameras" in capture.box_source
    content = json.loads((tmp_path / "transforms_train.json").read_text())
    write_json(tmp_path / "transforms_train.json", {**content, "fl_x": 99.0})
    cameras = [view.camera for view in open_capture(tmp_path).views]
    assert cameras[0].fx == 99
    assert cameras[3].fx == pytest.approx(focal)


@pytest.mark.parametrize(
    ("info", "pattern"),
    [
        ({"resolution": [24]}, "resolution must be a list of 2"),
        ({"resolution": [24, "16"]}, "must be a number"),
        ({"view_cell_center": 3}, "view_cell_center must be a list of 3"),
        ({"view_cell_size": [1, -1, 1]}, "below zero"),
        ({"depth_range": [3, 2]}, "near depth"),
        ({"depth_range": [-3, 0]}, "above zero"),
        ({"depth_range": [1, 1e300]}, "within 1e\\+12"),
        ({"camera_angle_x": 4}, "below pi"),
        ({"camera_angle_x": None}, "no focal length"),
    ],
)
def test_a_wrong_dataset_info_is_one_sentence(tmp_path, info, pattern):
    write_donerf(tmp_path, **info)
    refuse(tmp_path, pattern)


# Polycam


def test_polycam_points_are_where_its_world_puts_them(tmp_path):
    write_polycam(tmp_path)
    capture = open_capture(tmp_path)
    expected = [pixels(m, POINTS, (20, 21), (11.5, 8.5)) for m in POSES]
    check_pixels(capture, POINTS, expected)
    applied = capture.frame.applied_transform
    np.testing.assert_array_equal(applied @ [1, 2, 3, 1], [3, 1, 2])
    camera = json.loads((tmp_path / "keyframes/cameras/1000.json").read_text())
    position = [camera["t_03"], camera["t_13"], camera["t_23"], 1]
    np.testing.assert_allclose(applied @ position, POSES[0][:3, 3])
    assert any("every 8th" in note for note in capture.notes)


def test_polycams_corrected_poses_come_first(tmp_path):
    write_polycam(tmp_path)
    write_polycam(tmp_path, "corrected_")
    write_image(tmp_path / "keyframes" / "corrected_images" / "2000.jpg", SIZE)
    capture = open_capture(tmp_path)
    assert capture.views[0].name == "keyframes/corrected_images/1000"
    assert len(capture.views) == len(POSES)
    assert any("1 image has no camera and was left out" in note for note in capture.notes)


@pytest.mark.parametrize("count", [0, 1])
def test_raw_images_of_polycam_are_read_where_few_were_corrected(tmp_path, count):
    write_polycam(tmp_path)
    write_polycam(tmp_path, "corrected_", POSES[:count])
    for name in ("corrected_images", "corrected_cameras"):
        (tmp_path / "keyframes" / name).mkdir(exist_ok=True)
    capture = open_capture(tmp_path)
    assert capture.views[0].name == "keyframes/images/1000"
    assert len(capture.views) == len(POSES)
    assert any(f"Only {count} of {len(POSES)} image" in note for note in capture.notes)


@pytest.mark.parametrize(
    ("values", "pattern"),
    [
        ({"t_11": None}, "cameras/1000.json: t_11 must be a number, not missing"),
        ({"fx": "40"}, "fx must be a number"),
        ({"fy": -3}, "fl_y must be above zero"),
        ({"width": 1e9}, "a number of pixels"),
        ({"t_00": 100.0}, "no camera pose|not a rotation"),
    ],
)
def test_wrong_polycam_cameras_are_one_sentence(tmp_path, values, pattern):
    write_polycam(tmp_path, **values)
    refuse(tmp_path, pattern)


def test_polycam_without_images_or_cameras_is_one_sentence(tmp_path):
    write_polycam(tmp_path)
    (tmp_path / "keyframes" / "cameras" / "1000.json").write_text("{")
    read_but_one(tmp_path, "1000.json is not valid JSON")
    for path in (tmp_path / "keyframes" / "cameras").iterdir():
        path.unlink()
    refuse(tmp_path, "No image in .* has a camera")


# RealityCapture


def test_realitycapture_points_are_where_its_angles_put_them(tmp_path):
    write_realitycapture(tmp_path)
    capture = open_capture(tmp_path)
    focal, center = 30.0 * WIDTH / 36, (12 + 0.01 * WIDTH, 8 - 0.02 * WIDTH)
    check_pixels(capture, POINTS, [pixels(m, POINTS, focal, center) for m in POSES])
    assert capture.views[0].name == "images/photo 0"
    assert capture.views[0].camera.distortion_model == "none"


@pytest.mark.parametrize(
    ("angles", "ahead", "up"),
    [
        ((0, 0, 0), (0, 0, -1), (0, 1, 0)),  # straight down, north at the top
        ((90, 0, 0), (0, 0, -1), (1, 0, 0)),  # headings turn from north to east
        ((0, 90, 0), (0, 1, 0), (0, 0, 1)),  # level, to the north
        ((90, 90, 0), (1, 0, 0), (0, 0, 1)),
    ],
)
def test_realitycapture_angles_mean_what_a_map_does(tmp_path, angles, ahead, up):
    values = dict(zip(("heading", "pitch", "roll"), angles, strict=True))
    write_realitycapture(tmp_path, [realitycapture_row("photo 0.jpg", np.eye(4), **values)])
    matrix = open_capture(tmp_path).views[0].camera.camera_to_world
    np.testing.assert_allclose(-matrix[:3, 2], ahead, atol=1e-12)
    np.testing.assert_allclose(matrix[:3, 1], up, atol=1e-12)


def test_realitycapture_lens_images_of_another_type_and_missing_ones(tmp_path):
    rows = [
        realitycapture_row("photo 0.tif", POSES[0], k1=0.1, k4=0.01, t2=-0.02),
        realitycapture_row("gone.jpg", POSES[1]),
    ]
    write_realitycapture(tmp_path, rows, images=".")
    (tmp_path / "a.csv").write_text("name,value\nx,1\n")
    capture = open_capture(tmp_path)
    assert [view.name for view in capture.views] == ["photo 0"]
    camera = capture.views[0].camera
    assert camera.distortion_model == "opencv"
    assert camera.distortion == {"k1": 0.1, "k4": 0.01, "p2": -0.02}
    assert any("1 of 2 listed images does not exist" in note for note in capture.notes)


@pytest.mark.parametrize(
    ("text", "pattern"),
    [
        (COLUMNS, "lists no cameras"),
        (f"{COLUMNS}\na.jpg,1,2", "line 2: there are 3 values for 16 columns"),
        (COLUMNS.replace(",f,", ",g,") + "\n" + "1," * 15 + "1", "lacks the column f"),
        (f"{COLUMNS}\na.jpg" + ",x" * 15, "camera 0, x: 'x' is not a finite number"),
        (f"{COLUMNS}\na.jpg" + ",nan" * 15, "'nan' is not a finite number"),
        (f"{COLUMNS}\n../a.jpg" + ",1" * 15, "None of the 1 images"),
        (f"{COLUMNS}\n/etc/a.jpg" + ",1" * 15, "None of the 1 images"),
        (f"{COLUMNS}\nb\0.jpg" + ",1" * 15, "no file name can have|not a readable table"),
        (f"{COLUMNS}\ngone.jpg" + ",1" * 15, "None of the 1 images"),
        (f"{COLUMNS}\nphoto 0.jpg" + ",1" * 6 + ",0" * 9, "fl_x must be above zero"),
        (f"{COLUMNS}\nphoto 0.jpg" + ",1" * 9 + ",1e9" * 6, "no lens|far outside"),
        (f"{COLUMNS}\n" + '"' + "x" * 200_000, "not a readable table"),
        (f"{COLUMNS}\n" + "\n".join(["a.jpg" + ",1" * 15] * 100_001), "more than 100000 cameras"),
        ("a,b\n1,2", "lacks the column #name"),
    ],
)
def test_wrong_tables_are_one_sentence(tmp_path, text, pattern):
    write_realitycapture(tmp_path)
    (tmp_path / "cameras.csv").write_text(text)
    refuse(tmp_path / "cameras.csv", pattern)
