import json
import os
import shutil
import struct
import time
from dataclasses import replace

import numpy as np
import pytest
import torch
from capture_files import real_capture, ring, write_image
from colmap_files import (
    TO_DATASET,
    made_model,
    read_binary,
    write_binary,
    write_colmap,
    write_text,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pvd_engine.data.formats.cameras_json import camera_to_dict, capture_to_dict
from pvd_engine.data.formats.colmap import is_colmap, read_colmap
from pvd_engine.data.formats.colmap_model import image_count, read_model
from pvd_engine.data.geometry.bounds import find_box
from pvd_engine.data.geometry.point_bounds import find_box_with_points, robust_box
from pvd_engine.data.geometry.points import read_points
from pvd_engine.data.geometry.projection import project
from pvd_engine.data.readers import open_capture
from pvd_engine.errors import UserError
from pvd_engine.jobs.folder import Request
from pvd_engine.jobs.foreground import Options, run_in_foreground
from pvd_engine.jobs.job import Job
from pvd_engine.space.rays import CameraBatch, generate_rays
from pvd_engine.verbs import info
from pvd_engine.verbs.info import InfoArguments
from pvd_engine.verbs.table import VERBS

DISTORTION_OF_TOY = 0.03402547219703823

FILES = ("cameras.bin", "images.bin", "points3D.bin")


def views_by_name(capture):
    return {view.name: view for view in capture.views}


def refused(folder, pattern=""):
    """The one sentence with which a capture is refused, quickly."""
    start = time.monotonic()
    with pytest.raises(UserError, match=pattern) as caught:
        read_colmap(folder)
    assert time.monotonic() - start < 2
    message = str(caught.value)
    assert message.endswith(".") and "\n" not in message and len(message) < 600
    return message


def same_captures(one, other):
    assert one.notes == other.notes
    assert one.box_source == other.box_source
    np.testing.assert_array_equal(one.box, other.box)
    for a, b in zip(one.views, other.views, strict=True):
        assert (a.name, a.split) == (b.name, b.split)
        assert camera_to_dict(a.camera) == camera_to_dict(b.camera)
    for name in ("positions", "colors", "errors"):
        np.testing.assert_array_equal(getattr(one.points, name), getattr(other.points, name))


def reprojection_errors(capture, images, points):
    """Mean distance in pixels of each point's projections from its features."""
    cameras = {name: view.camera for name, view in views_by_name(capture).items()}
    by_id = {image[0]: image for image in images}
    errors = []
    for _, position, _, _, track in points:
        world = (TO_DATASET @ position)[None]
        distances = []
        for image_id, feature in track:
            image = by_id[image_id]
            pixel = project(cameras[image[4].removesuffix(".jpg")], world)[0]
            distances.append(np.linalg.norm(pixel - image[5][feature]))
        errors.append(np.mean(distances))
    return np.array(errors)


def test_points_of_a_real_model_reproject_with_the_errors_that_colmap_stored(tmp_path):
    folder = real_capture("colmap_toy")
    cameras, images, points = read_binary(folder / "sparse" / "0")
    stored = np.array([point[3] for point in points])
    plain = reprojection_errors(read_colmap(folder), images, points)
    assert abs(plain.mean() - stored.mean()) < 5e-3
    # COLMAP wrote this model together with undistorted images; the errors are still those of the
    # lens that the images were taken with, of which this is the one coefficient.
    identity, _, width, height, (focal, _, *center) = cameras[0]
    lens = [(identity, 2, width, height, (focal, *center, DISTORTION_OF_TOY))]
    distorted = []
    for image in images:
        plane = (np.array(image[5]) - center) / focal
        radial = 1 + DISTORTION_OF_TOY * (plane**2).sum(axis=1, keepdims=True)
        distorted.append((*image[:5], focal * plane * radial + center, image[6]))
    (tmp_path / "images").symlink_to(folder / "images")
    write_binary(tmp_path, lens, distorted, points)
    found = reprojection_errors(read_colmap(tmp_path), distorted, points)
    assert np.abs(found - stored).max() < 1e-6


def test_rays_of_a_real_model_pass_its_points():
    capture = read_colmap(real_capture("colmap_toy"))
    batch = CameraBatch.from_cameras([view.camera for view in capture.views])
    for number, view in enumerate(capture.views):
        camera, points = view.camera, capture.points.positions
        pixels = project(camera, points)
        seen = ((pixels > 0) & (pixels < (camera.width, camera.height))).all(axis=1)
        assert seen.sum() > 90
        index = torch.full((int(seen.sum()),), number)
        rays = generate_rays(batch, index, torch.from_numpy(pixels[seen]))
        towards = points[seen] - camera.camera_to_world[:3, 3]
        towards /= np.linalg.norm(towards, axis=1, keepdims=True)
        off = np.linalg.norm(rays.directions.numpy() - towards, axis=1) * camera.fx
        assert off.max() < 1e-3


def test_a_real_model_is_read_with_its_splits_and_points():
    folder = real_capture("colmap_toy")
    capture = read_colmap(folder)
    assert is_colmap(folder)
    assert (capture.format, capture.name, capture.points_path) == ("colmap", "colmap_toy", None)
    assert [view.name for view in capture.split("test")] == ["000001", "000009", "000024"]
    assert len(capture.views) == 17
    assert capture.views[0].image_path == folder / "images" / "000001.jpg"
    assert not capture.has_alpha
    assert capture.points.positions.shape == (808, 3)
    inside = (
        (capture.points.positions > capture.box[0]) & (capture.points.positions < capture.box[1])
    ).all(axis=1)
    assert inside.mean() > 0.98
    assert "660 sparse points" in capture.box_source
    upwards = np.mean([view.camera.camera_to_world[:3, 1] for view in capture.views], axis=0)
    assert upwards[2] > 0.9, "z is up"


def test_text_and_binary_of_a_real_model_give_the_same_capture(tmp_path):
    folder = real_capture("colmap_toy")
    (tmp_path / "sparse").mkdir()
    write_text(tmp_path / "sparse", *read_binary(folder / "sparse" / "0"))
    (tmp_path / "images").symlink_to(folder / "images")
    same_captures(read_colmap(folder), read_colmap(tmp_path))


def test_poses_are_turned_z_up_and_the_frame_says_how(tmp_path):
    write_colmap(tmp_path)
    capture = read_colmap(tmp_path)
    for view, expected in zip(capture.views, ring(9), strict=True):
        np.testing.assert_allclose(view.camera.camera_to_world, expected, atol=1e-12)
    np.testing.assert_array_equal(capture.frame.applied_transform[:, :3], TO_DATASET)
    np.testing.assert_array_equal(capture.frame.applied_transform[:, 3], 0)
    camera = capture.views[0].camera
    assert (camera.fx, camera.fy, camera.cx, camera.cy) == (50, 52, 19, 16)


def test_text_and_binary_of_a_made_model_give_the_same_capture(tmp_path):
    write_colmap(tmp_path / "a" / "scene")
    write_colmap(tmp_path / "b" / "scene", binary=False)
    same_captures(read_colmap(tmp_path / "a" / "scene"), read_colmap(tmp_path / "b" / "scene"))


@pytest.mark.parametrize("place", ["sparse/0", "sparse", "colmap/sparse/0", "."])
def test_the_model_is_found_in_all_usual_places(tmp_path, place):
    made = write_colmap(tmp_path / "made")
    (tmp_path / "scene" / place).mkdir(parents=True, exist_ok=True)
    for name in FILES:
        shutil.copy(made / name, tmp_path / "scene" / place / name)
    shutil.copytree(tmp_path / "made" / "images", tmp_path / "scene" / "images")
    assert is_colmap(tmp_path / "scene")
    assert len(read_colmap(tmp_path / "scene").views) == 9


def test_a_folder_without_a_model_or_images_says_so(tmp_path):
    assert not is_colmap(tmp_path)
    refused(tmp_path, "holds no COLMAP model")
    write_colmap(tmp_path)
    shutil.rmtree(tmp_path / "images")
    assert is_colmap(tmp_path)
    refused(tmp_path, "no folder of images")
    (tmp_path / "images").mkdir()
    refused(tmp_path, r"None of the 9 images .* \(the first is 000.png\)")


def test_smaller_images_rescale_the_intrinsics_with_a_note(tmp_path):
    write_colmap(tmp_path, images="images_4", size=(20, 15), model=made_model(size=(40, 30)))
    write_colmap(tmp_path, images="images_8", size=(10, 8), model=made_model(size=(40, 30)))
    capture = read_colmap(tmp_path)
    camera = capture.views[0].camera
    assert (camera.width, camera.height) == (20, 15)
    assert (camera.fx, camera.fy, camera.cx, camera.cy) == (25, 26, 9.5, 8)
    assert any("9 images have 20 x 15 pixels" in note for note in capture.notes)
    assert any("read from images_4" in note for note in capture.notes)


def test_missing_and_unposed_images_are_noted(tmp_path):
    write_colmap(tmp_path)
    (tmp_path / "images" / "004.png").unlink()
    write_image(tmp_path / "images" / "more" / "new.jpg")
    (tmp_path / "images" / "readme.txt").write_text("no image")
    capture = read_colmap(tmp_path)
    assert len(capture.views) == 8
    assert any(
        "1 of 9 listed images does not exist and was left out" in note for note in capture.notes
    )
    assert any("no pose for 1 image, which was left out" in note for note in capture.notes)


@pytest.mark.parametrize("binary", [True, False])
def test_several_cameras_and_names_with_folders_and_spaces(tmp_path, binary):
    cameras = [(1, 0, 40, 30, (50.0, 20.0, 15.0)), (7, 8, 40, 30, (30.0, 20.0, 15.0, 0.1))]
    cameras, images, points = made_model(cameras=cameras)
    names = {"000.png": "left/a b.png", "001.png": "right/é.png"}
    images = [(*i[:4], names.get(i[4], i[4]), *i[5:]) for i in images]
    write_colmap(tmp_path, (cameras, images, points), binary=binary)
    views = views_by_name(read_colmap(tmp_path))
    assert views["left/a b"].camera.distortion_model == "none"
    assert views["right/é"].camera.distortion_model == "opencv_fisheye"
    assert views["right/é"].camera.distortion == {"k1": 0.1}
    assert views["right/é"].camera.fx == views["right/é"].camera.fy == 30


def test_images_without_features_are_read(tmp_path):
    cameras, images, points = made_model()
    images = [(*image[:5], [], []) for image in images]
    write_colmap(tmp_path / "a", (cameras, images, points))
    write_colmap(tmp_path / "b", (cameras, images, points), binary=False)
    assert len(read_colmap(tmp_path / "a").views) == len(read_colmap(tmp_path / "b").views) == 9


def test_a_model_without_points_takes_its_box_from_the_cameras(tmp_path):
    sparse = write_colmap(tmp_path)
    (sparse / "points3D.bin").unlink()
    capture = read_colmap(tmp_path)
    assert capture.points is None
    assert "sparse points" not in capture.box_source


def test_the_box_holds_the_points_but_not_the_stray_ones():
    rng = np.random.default_rng(1)
    points = rng.uniform(-1, 1, (5000, 3))
    points[:5] = 1e6
    np.testing.assert_allclose(robust_box(points), [[-1.176] * 3, [1.176] * 3], atol=0.03)


def test_the_box_of_points_gives_way_where_the_cameras_know_better(tmp_path):
    write_colmap(tmp_path)
    capture = read_colmap(tmp_path)
    cameras = [view.camera for view in capture.views]
    around, source = find_box(cameras, capture.frame, False)
    rng = np.random.default_rng(1)
    spread = rng.normal(size=(300, 3))

    def box(points, tracks=None, has_alpha=False):
        return find_box_with_points(cameras, capture.frame, has_alpha, points, tracks)

    near, near_source = box(spread)
    assert (near[0] > around[0]).all() and (near[1] < around[1]).all()
    assert "300 sparse points along" in near_source
    far, far_source = box(spread * (3, 1, 1))
    np.testing.assert_array_equal(far[:, 0], around[:, 0])
    np.testing.assert_array_equal(far[:, 1:], near[:, 1:])
    assert "far beyond" in far_source
    assert box(spread + 1000)[1] == source, "points outside what the cameras see"
    assert box(spread * 100)[1] == source, "most points are far away"
    wall, _ = box(spread * (1, 0, 1))
    np.testing.assert_allclose(np.ptp(wall, axis=0)[1], 0.1 * np.ptp(wall, axis=0).max())
    assert (np.ptp(box(np.zeros((200, 3)))[0], axis=0) > 0).all()
    assert box(spread[:99])[1] == source, "too few points"
    assert box(spread, np.full(300, 2))[1] == source, "seen by too few images"
    alpha, alpha_source = box(spread, has_alpha=True)
    np.testing.assert_array_equal(alpha, find_box(cameras, capture.frame, True)[0])
    assert "frame there" in alpha_source


def test_info_leaves_the_points_in_a_job_folder_that_stays(tmp_path, monkeypatch, capfd):
    write_colmap(tmp_path / "scene")
    capture = read_colmap(tmp_path / "scene")
    monkeypatch.setattr("pvd_engine.data.readers.open_capture", lambda path: capture)
    arguments = InfoArguments(path=tmp_path / "scene")
    answer = info.run(arguments, Job(tmp_path / "job"))
    path = tmp_path / "job" / "points.ply"
    assert answer["capture"]["points_path"] == str(path)
    written = read_points(path)
    np.testing.assert_array_equal(written.positions, capture.points.positions)
    np.testing.assert_array_equal(written.colors, capture.points.colors)
    assert run_in_foreground(Request(VERBS["info"], arguments), Options(json=True)) == 0
    assert json.loads(capfd.readouterr().out)["capture"]["points_path"] is None
    options = Options(json=True, job=tmp_path / "kept")
    assert run_in_foreground(Request(VERBS["info"], arguments), options) == 0
    points = json.loads(capfd.readouterr().out)["capture"]["points_path"]
    assert points == str(tmp_path / "kept" / "points.ply")
    assert (tmp_path / "kept" / "points.ply").is_file()
    own = replace(capture, points_path=tmp_path / "own.ply")
    assert info.with_points_file(own, tmp_path / "other") is own
    json.dumps(capture_to_dict(capture), allow_nan=False)


def changed(model, kind, index, place, value):
    """The model with one entry of one camera (0), image (1) or point (2) replaced."""
    lists = [list(part) for part in model]
    entry = list(lists[kind][index])
    entry[place] = value
    lists[kind][index] = tuple(entry)
    return lists


NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize("binary", [True, False])
@pytest.mark.parametrize(
    ("change", "pattern"),
    [
        ((1, 0, 1, (0.0, 0.0, 0.0, 0.0)), "not a rotation"),
        ((1, 0, 1, (1.0, NAN, 0.0, 0.0)), "not a rotation"),
        ((1, 0, 1, (1.0, INF, 0.0, 0.0)), "not a rotation"),
        ((1, 0, 2, (NAN, 0.0, 0.0)), "pose is not finite"),
        ((1, 0, 2, (0.0, -INF, 0.0)), "pose is not finite"),
        ((1, 0, 3, 99), "has the camera 99, which the model lacks"),
        ((0, 0, 2, 0), "a size of 0 x 30 pixels is not valid"),
        ((0, 0, 3, 10**9), "pixels is not valid"),
        ((0, 0, 4, (NAN, 52.0, 19.0, 16.0)), "must be a finite number"),
        ((0, 0, 4, (-50.0, 52.0, 19.0, 16.0)), "above zero"),
        ((0, 0, 4, (50.0, 52.0, 1e9, 16.0)), "far outside"),
        ((2, 0, 1, (0.0, NAN, 0.0)), "no finite position"),
        ((2, 0, 1, (0.0, 1e300, 0.0)), "no finite position"),
    ],
)
def test_impossible_values_are_one_sentence(tmp_path, binary, change, pattern):
    write_colmap(tmp_path)
    shutil.rmtree(tmp_path / "sparse")
    (tmp_path / "sparse").mkdir()
    write = write_binary if binary else write_text
    write(tmp_path / "sparse", *changed(made_model(), *change))
    refused(tmp_path, pattern)


@pytest.mark.parametrize("binary", [True, False])
@pytest.mark.parametrize(
    ("name", "pattern"),
    [
        ("../../etc/passwd.png", "does not exist"),
        ("/etc/passwd.png", "does not exist"),
        ("..", "does not exist"),
        ("a\x07b.png", "characters that no file name"),
    ],
)
def test_one_image_with_an_impossible_name_is_left_out(tmp_path, binary, name, pattern):
    write_colmap(tmp_path)
    shutil.rmtree(tmp_path / "sparse")
    (tmp_path / "sparse").mkdir()
    write = write_binary if binary else write_text
    write(tmp_path / "sparse", *changed(made_model(), 1, 0, 4, name))
    capture = read_colmap(tmp_path)
    assert len(capture.views) == 8
    assert any("1 of 9" in note and pattern in note for note in capture.notes)


@pytest.mark.parametrize("number", [-1, 18, 19, 2**31 - 1])
def test_unknown_camera_models_are_one_sentence(tmp_path, number):
    write_colmap(tmp_path)
    write_binary(tmp_path / "sparse" / "0", *changed(made_model(), 0, 0, 1, number))
    refused(tmp_path, f"camera 3: the camera model number {number} cannot be read")


def test_the_fov_of_half_a_turn_is_refused(tmp_path):
    write_colmap(tmp_path, made_model(cameras=[(1, 7, 40, 30, (50.0, 50.0, 20.0, 15.0, 3.2))]))
    refused(tmp_path, "omega is 3.2")


def test_two_cameras_of_one_id_are_refused(tmp_path):
    camera = (3, 1, 40, 30, (50.0, 52.0, 19.0, 16.0))
    write_colmap(tmp_path, made_model(cameras=[camera, camera]))
    refused(tmp_path, "two cameras with the id 3")


@pytest.mark.parametrize("count", [2**64 - 1, 2**63, 2**40, 200])
@pytest.mark.parametrize("name", FILES)
def test_counts_beyond_the_file_are_refused_before_anything_is_allocated(tmp_path, name, count):
    path = write_colmap(tmp_path) / name
    path.write_bytes(struct.pack("<Q", count) + path.read_bytes()[8:])
    message = refused(tmp_path, "it ends too early")
    assert name in message


def test_huge_tracks_and_features_are_refused(tmp_path):
    sparse = write_colmap(tmp_path)
    content = bytearray((sparse / "points3D.bin").read_bytes())
    content[8 + 43 : 8 + 51] = struct.pack("<Q", 2**61)
    (sparse / "points3D.bin").write_bytes(content)
    refused(tmp_path, r"points3D\.bin is damaged")
    content = bytearray((sparse / "images.bin").read_bytes())
    at = 8 + 64 + len("008.png") + 1
    content[at : at + 8] = struct.pack("<Q", 2**62)
    (sparse / "images.bin").write_bytes(content)
    refused(tmp_path, r"images\.bin is damaged")


@pytest.mark.parametrize("name", FILES)
def test_files_cut_off_anywhere_are_one_sentence(tmp_path, name):
    path = write_colmap(tmp_path) / name
    for size in range(path.stat().st_size - 1, -1, -7):
        os.truncate(path, size)
        assert name in refused(tmp_path, "damaged")


def test_the_files_of_a_real_model_cut_off_at_every_97th_byte(tmp_path):
    source = real_capture("colmap_toy") / "sparse" / "0"
    for name in FILES:
        for each in FILES:
            (tmp_path / each).write_bytes((source / each).read_bytes())
        path = tmp_path / name
        for size in range((path.stat().st_size - 1) // 97 * 97, -1, -97):
            os.truncate(path, size)
            with pytest.raises(UserError, match="damaged"):
                read_model(tmp_path)


@pytest.mark.parametrize("name", ["cameras.txt", "images.txt", "points3D.txt"])
def test_text_cut_off_anywhere_is_read_or_one_sentence(tmp_path, name):
    path = write_colmap(tmp_path, binary=False) / name
    refusals = 0
    for size in range(path.stat().st_size - 9, -1, -31):
        os.truncate(path, size)
        try:
            read_colmap(tmp_path)
        except UserError as error:
            refusals += 1
            assert str(error).endswith(".")
    assert refusals


def test_more_after_the_end_of_a_file_is_damage(tmp_path):
    for name in FILES:
        path = write_colmap(tmp_path) / name
        path.write_bytes(path.read_bytes() + b"\0")
        refused(tmp_path, "there is data after its end")


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    name=st.sampled_from(FILES),
    changes=st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 255)), min_size=1, max_size=9),
)
def test_damaged_bytes_never_raise_anything_else(tmp_path, name, changes):
    path = write_colmap(tmp_path, made_model(count=4, points=20)) / name
    content = bytearray(path.read_bytes())
    for place, value in changes:
        content[place % len(content)] = value
    path.write_bytes(content)
    try:
        capture = read_colmap(tmp_path)
    except UserError as error:
        assert "\n" not in str(error)
    else:
        assert all(np.isfinite(view.camera.camera_to_world).all() for view in capture.views)


@pytest.mark.parametrize(
    ("name", "text", "pattern"),
    [
        ("cameras.txt", "1 PINHOLE 40 30 50 52 19\n", "has 4 parameters, not 3"),
        ("cameras.txt", "1 PINHOLE 40\n", "needs an id, a model"),
        ("cameras.txt", "1 ORTHOGRAPHIC 40 30 50\n", "camera model ORTHOGRAPHIC"),
        ("cameras.txt", "x PINHOLE 40 30 50 52 19 16\n", "'x' must be a whole number"),
        ("cameras.txt", "1 PINHOLE 40 30 50 52 19 1b\n", "line 1: '1b' must be a number"),
        ("cameras.txt", f"1 PINHOLE {'9' * 5000} 30 50 52 19 16\n", "must be a whole number"),
        ("images.txt", "1 1 0 0 0 0 0 0 3\n", "needs an id, a pose"),
        ("images.txt", "", "None of the 0 images"),
        ("points3D.txt", "1 0 0 0 1 2 3\n", "needs an id, a position"),
        ("points3D.txt", "1 0 0 0 1 2 300 0.5\n", "not between 0 and 255"),
        ("points3D.txt", "1 0 0 0 1 2 nan 0.5\n", "not between 0 and 255"),
    ],
)
def test_wrong_text_is_one_sentence(tmp_path, name, text, pattern):
    sparse = write_colmap(tmp_path, binary=False)
    (sparse / name).write_text(text)
    refused(tmp_path, pattern)


def test_text_that_is_no_text_is_one_sentence(tmp_path):
    sparse = write_colmap(tmp_path, binary=False)
    for name in ("cameras.txt", "images.txt", "points3D.txt"):
        (sparse / name).write_bytes(b"\xff\xfe\x00\x01\n" * 3)
        refused(tmp_path, "not UTF-8")
        write_colmap(tmp_path, binary=False)


def test_text_models_may_have_comments_blank_lines_marks_and_windows_line_ends(tmp_path):
    sparse = write_colmap(tmp_path, binary=False)
    before = open_capture(tmp_path)
    for name in ("cameras.txt", "images.txt", "points3D.txt"):
        lines = (sparse / name).read_text().splitlines()
        text = "\r\n".join(["# by hand", "", "  # more", *lines, "", ""])
        (sparse / name).write_bytes(b"\xef\xbb\xbf" + text.encode())
    after = open_capture(tmp_path)
    assert after.notes == before.notes and len(after.views) == len(before.views)
    for one, other in zip(before.views, after.views, strict=True):
        same_camera = one.camera.camera_to_world == other.camera.camera_to_world
        assert same_camera.all() and one.camera.fx == other.camera.fx


def test_images_of_a_text_model_are_counted_between_comments_and_blank_lines(tmp_path):
    sparse = write_colmap(tmp_path, binary=False)
    text = (sparse / "images.txt").read_text()
    (sparse / "images.txt").write_text(f"# a\n\n\n{text}\n\n")
    assert image_count(sparse) == len(open_capture(tmp_path).views)


@pytest.mark.parametrize("ending", ["", ".png"])
def test_lists_of_splits_are_followed(tmp_path, ending):
    sparse = write_colmap(tmp_path)
    names = [view.image_path.name for view in open_capture(tmp_path).views]
    listed = [name if ending else name.rsplit(".", 1)[0] for name in names]
    (sparse / "test.txt").write_text(f"{listed[1]}\r\n\r\n")
    capture = open_capture(tmp_path)
    assert [view.image_path.name for view in capture.split("test")] == [names[1]]
    assert len(capture.split("train")) == len(names) - 1
    assert "The splits are those of test.txt." in capture.notes
    (sparse / "test.txt").unlink()
    (tmp_path / "train_list.txt").write_text(f"{listed[0]}\n{listed[1]}\n")
    (tmp_path / "test_list.txt").write_text(f"{listed[1]}\n{listed[2]}\n")
    capture = open_capture(tmp_path)
    found = {view.image_path.name: view.split for view in capture.views}
    assert found == {names[0]: "train", names[1]: "train", names[2]: "test"}
    if len(names) > 3:
        assert any("in no list and" in note for note in capture.notes)
    (tmp_path / "train_list.txt").write_text("nothing.png\n")
    (tmp_path / "test_list.txt").unlink()
    with pytest.raises(UserError, match=r"train_list\.txt of .* names none of its images"):
        open_capture(tmp_path)
