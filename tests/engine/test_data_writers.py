"""Captures written in other formats: what is read from them again, and what is left when it fails.

Expected numbers come from the capture before; of COLMAP's, from the definition of its poses.
"""

import json
import math
from dataclasses import replace
from pathlib import Path

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
from colmap_files import made_model, write_colmap
from engine_process import files_below
from PIL import Image

from pvd_engine.data.capture import Capture, View
from pvd_engine.data.formats.cameras_json import camera_to_dict
from pvd_engine.data.geometry.points import read_points, write_ply
from pvd_engine.data.images.downscale import load_view
from pvd_engine.data.readers import open_capture
from pvd_engine.data.writers.colmap_text import nearest_quaternion, original_world
from pvd_engine.data.writers.nerf_synthetic import camera_angle
from pvd_engine.data.writers.pictures import PictureRules, place_pictures
from pvd_engine.data.writers.writers import FORMATS, write_capture
from pvd_engine.errors import Cancelled, UserError
from pvd_engine.jobs.job import Job
from pvd_engine.verbs.rewrite import RewriteArguments, run

TURN = np.array([[1.0, 0, 0, 0], [0, 0, 1, 0], [0, -1, 0, 0], [0, 0, 0, 1]])
"""What the reader of COLMAP's files does to its world."""

ALL = ("nerf-synthetic", "nerfstudio", "colmap")
LENSES = ("nerfstudio", "colmap")


def synthetic(folder):
    write_nerf_synthetic(folder, {"train": 4, "val": 2, "test": 3})


def portrait(folder):
    write_transforms(folder, size=(6, 8), mode="RGBA")


def off_centre(folder):
    numbers = {"fl_y": 11.7, "cx": 3.1, "cy": 3.3, "aabb_scale": 4, "scale": 0.2}
    write_transforms(folder, **numbers, offset=[0.1, 0.2, 0.7])


def own_intrinsics(folder):
    """Views of two sizes, each with a focal length of its own."""
    entries = frames(ring(9), "photos/day {}/é.png")
    for index, entry in enumerate(entries):
        size = (8, 6) if index % 2 else (7, 9)
        write_image(folder / entry["file_path"], size)
        entry |= {"fl_x": 9 + index / 7, "w": size[0], "h": size[1], "k1": 0.01 * (index % 3)}
    write_json(folder / "transforms.json", {"frames": entries, "aabb": [[-1] * 3, [1] * 3]})


def opencv(folder):
    write_transforms(folder, k1=0.1, k2=-0.02, p1=1e-3, p2=1 / 3e3)


def opencv_k3(folder):
    write_transforms(folder, k1=0.1, k3=0.007)


def opencv_k4(folder):
    write_transforms(folder, k1=0.1, k4=0.007)


def fisheye(folder):
    write_transforms(folder, camera_model="OPENCV_FISHEYE", k1=0.1, k2=0.2, k3=-0.01, k4=1 / 3e3)


def mixed_lenses(folder):
    content = write_transforms(folder, count=5)
    content["frames"][2] |= {"camera_model": "OPENCV_FISHEYE", "k1": 0.1}
    write_json(folder / "transforms.json", content)


def listed_splits(folder):
    """Splits, a world that was turned, scaled and moved, and points in a PLY file."""
    content = write_transforms(folder, count=6)
    paths = [frame["file_path"] for frame in content["frames"]]
    content |= {"train_filenames": paths[::2], "val_filenames": paths[1:2]}
    content |= {"test_filenames": paths[3::2], "ply_file_path": "p.ply", "applied_scale": 0.5}
    content["applied_transform"] = [[0, 1, 0, 0.25], [1, 0, 0, -2], [0, 0, -1, 3]]
    write_json(folder / "transforms.json", content)
    points = np.random.default_rng(2).normal(size=(20, 3))
    write_ply(folder / "p.ply", points, np.arange(60, dtype=np.uint8).reshape(20, 3))


def colmap(folder):
    write_colmap(folder, size=(40, 30))


def colmap_lenses(folder):
    numbers = (50.0, 52.0, 19.0, 16.0)
    cameras = [
        (1, 6, 40, 30, (*numbers, 0.1, 0.2, 1e-3, 2e-3, 0.01, 0.02, 0.03, 0.04)),
        (2, 7, 40, 30, (*numbers, 0.9)),
        (3, 10, 40, 30, (*numbers, *np.linspace(0.01, 0.08, 8))),
    ]
    write_colmap(folder, made_model(cameras=cameras))


MADE = {
    synthetic: ALL,
    portrait: ALL,
    off_centre: LENSES,
    own_intrinsics: LENSES,
    opencv: LENSES,
    opencv_k3: LENSES,
    opencv_k4: ("nerfstudio",),
    fisheye: LENSES,
    mixed_lenses: LENSES,
    listed_splits: ALL,
    colmap: LENSES,
    colmap_lenses: ("colmap",),
}
REAL = {
    "nerf_synthetic_lego_200": ALL,
    "fox_270x480": LENSES,
    "llff_fern_504x378": ALL,
    "colmap_toy": LENSES,
}
WRITTEN = [(make, to) for make, formats in (MADE | REAL).items() for to in formats]
REFUSED = [(make, to) for make, formats in MADE.items() for to in ALL if to not in formats]


def name_of(case):
    return getattr(case, "__name__", str(case))


def capture_of(make, folder) -> Capture:
    if isinstance(make, str):
        return open_capture(real_capture(make))
    folder.mkdir()
    make(folder)
    return open_capture(folder)


def written(capture, to, out):
    """The capture as it is read again, its views in the order of the one before."""
    notes = write_capture(capture, to, out)
    again = open_capture(out)
    places = place_pictures(capture.views, FORMATS[to].rules)
    by_file = {view.image_path: view for view in again.views}
    views = tuple(by_file[out.joinpath(*place.path.parts)] for place in places)
    assert len(views) == len(again.views)
    return replace(again, views=views), notes


def intrinsics(camera):
    return camera.width, camera.height, camera.fx, camera.fy, camera.cx, camera.cy


def lens(camera):
    """Model and coefficients; a polynomial's are those of the rational model it belongs to."""
    found = {key: value for key, value in camera.distortion.items() if value != 0}
    rational = camera.distortion_model == "full_opencv" and not {"k4", "k5", "k6"} & set(found)
    return "opencv" if rational else camera.distortion_model, found


def nearest_rotation(matrix):
    left, _, right = np.linalg.svd(matrix)
    return left @ right


def world_of(frame):
    """From the dataset frame to the world before the file's transform and scale, (4, 4)."""
    applied = np.vstack([frame.applied_transform * (frame.applied_scale or 1), [0, 0, 0, 1]])
    return np.linalg.inv(applied)


@pytest.mark.parametrize(("make", "to"), WRITTEN, ids=name_of)
def test_what_is_written_is_read_again(tmp_path, make, to):
    before = capture_of(make, tmp_path / "capture")
    after, _ = written(before, to, tmp_path / "out")
    # Focal lengths that no angle gives exactly are within a rounding or two of it.
    rounding = 1e-14 if to == "nerf-synthetic" and before.format != "nerf_synthetic" else 0
    for one, other in zip(before.views, after.views, strict=True):
        np.testing.assert_allclose(intrinsics(other.camera), intrinsics(one.camera), rtol=rounding)
        assert lens(other.camera) == lens(one.camera)
        made_png = to == "nerf-synthetic" and one.image_path.suffix != ".png"
        assert same_file(one, other) != made_png
        if to == "colmap":
            check_pose(other.camera, TURN @ world_of(before.frame) @ one.camera.camera_to_world)
            continue
        assert other.split == one.split
        np.testing.assert_array_equal(other.camera.camera_to_world, one.camera.camera_to_world)


def check_pose(camera, matrix):
    """A camera stands and looks as a matrix with one scale says, but is a proper rotation."""
    found, rotation = camera.camera_to_world, nearest_rotation(matrix[:3, :3])
    np.testing.assert_allclose(found[:3, :3], rotation, atol=1e-12)
    np.testing.assert_allclose(found[:3, 3], matrix[:3, 3], rtol=1e-12, atol=1e-12)


def same_file(one, other):
    return one.image_path.read_bytes() == other.image_path.read_bytes()


@pytest.mark.parametrize("make", [*MADE, *REAL], ids=name_of)
def test_nerfstudio_keeps_frame_box_and_points(tmp_path, make):
    if make is colmap_lenses:
        pytest.skip("its lenses have no place in a transforms.json")
    before = capture_of(make, tmp_path / "capture")
    after, notes = written(before, "nerfstudio", tmp_path / "out")
    np.testing.assert_array_equal(after.frame.applied_transform, before.frame.applied_transform)
    assert after.frame.applied_scale == before.frame.applied_scale
    if any("cube" in note for note in notes):
        center, side = before.box.mean(axis=0), np.ptp(before.box, axis=0).max()
        np.testing.assert_allclose(after.box, [center - side / 2, center + side / 2])
    else:
        np.testing.assert_allclose(after.box, before.box, rtol=1e-9)
    for key in ("aabb_scale", "scale", "offset"):
        assert getattr(after.frame, key) == getattr(before.frame, key)
    points = before.points or (before.points_path and read_points(before.points_path))
    assert (after.points_path is None) == (points is None)
    if points is not None:
        again = read_points(after.points_path)
        np.testing.assert_array_equal(again.positions, points.positions)
        np.testing.assert_array_equal(again.colors, points.colors)


@pytest.mark.parametrize("make", [colmap, listed_splits, "colmap_toy"], ids=name_of)
def test_colmap_keeps_points_in_the_world_they_came_from(tmp_path, make):
    before = capture_of(make, tmp_path / "capture")
    after, notes = written(before, "colmap", tmp_path / "out")
    points = before.points or read_points(before.points_path)
    world = TURN @ world_of(before.frame)
    expected = points.positions @ world[:3, :3].T + world[:3, 3]
    np.testing.assert_allclose(after.points.positions, expected, rtol=1e-12, atol=1e-12)
    np.testing.assert_array_equal(after.points.colors, points.colors)
    errors = -1 if points.errors is None else points.errors
    np.testing.assert_array_equal(after.points.errors, np.broadcast_to(errors, len(expected)))
    assert any("splits" in note for note in notes)


def test_what_came_from_colmap_gets_its_own_numbers_back(tmp_path):
    """Through nerfstudio's format, whose applied_transform knows the way."""
    model = made_model()
    write_colmap(tmp_path / "capture", model)
    write_capture(open_capture(tmp_path / "capture"), "nerfstudio", tmp_path / "json")
    write_capture(open_capture(tmp_path / "json"), "colmap", tmp_path / "out")
    images = (tmp_path / "out" / "sparse" / "0" / "images.txt").read_text().splitlines()[1::2]
    for line, image in zip(images, sorted(model[1], key=lambda image: image[4]), strict=True):
        identity, *numbers, camera, name = line.split()
        quaternion = np.array(image[1]) * math.copysign(1, image[1][0])
        np.testing.assert_allclose([*map(float, numbers)], [*quaternion, *image[2]], atol=1e-12)
        assert (int(identity), camera, name) == (image[0], "1", image[4])
    cameras = (tmp_path / "out" / "sparse" / "0" / "cameras.txt").read_text().splitlines()[1:]
    assert cameras == ["1 PINHOLE 40 30 50.0 52.0 19.0 16.0"]


@pytest.mark.parametrize(("make", "to"), REFUSED, ids=name_of)
def test_what_a_format_cannot_say_is_refused_and_leaves_nothing(tmp_path, make, to):
    capture = capture_of(make, tmp_path / "capture")
    with pytest.raises(UserError) as refused:
        write_capture(capture, to, tmp_path / "out")
    message = str(refused.value)
    other = next(name for name in MADE[make] if f"--to {name}" in message)
    assert message.endswith(".") and "\n" not in message
    assert files_below(tmp_path) == files_below_capture(tmp_path)
    write_capture(capture, other, tmp_path / "out", images=False)


def files_below_capture(folder):
    return [name for name in files_below(folder) if name.split("/")[0] == "capture"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"cx": 4.5}, "principal point"),
        ({"fl_y": 10.5}, "not square"),
        ({"k1": 0.1}, "pinhole"),
        ({"train_filenames": [], "test_filenames": ["images/000.png"]}, "train views"),
    ],
)
def test_nerf_synthetic_says_why_not(tmp_path, change, words):
    write_transforms(tmp_path / "capture", **change)
    with pytest.raises(UserError, match=words):
        write_capture(open_capture(tmp_path / "capture"), "nerf-synthetic", tmp_path / "out")


def test_the_angle_of_view_gives_its_focal_length_back():
    random = np.random.default_rng(1)
    for angle in random.uniform(0.01, 3, 500):
        width = int(random.integers(1, 5000))
        focal = 0.5 * width / math.tan(0.5 * angle)
        assert 0.5 * width / math.tan(0.5 * camera_angle(focal, width)) == focal


def test_only_plain_nerf_synthetic_is_written(tmp_path):
    synthetic(tmp_path)
    write_capture(open_capture(tmp_path), "nerf-synthetic", tmp_path / "out")
    content = json.loads((tmp_path / "out" / "transforms_val.json").read_text())
    assert content.keys() == {"camera_angle_x", "frames"}
    assert content["frames"][0].keys() == {"file_path", "transform_matrix"}
    assert content["frames"][1]["file_path"] == "./val/r_1"


def test_nerfstudio_has_intrinsics_where_they_differ(tmp_path):
    for make in (opencv, own_intrinsics):
        (tmp_path / make.__name__).mkdir()
        make(tmp_path / make.__name__)
        capture = open_capture(tmp_path / make.__name__)
        write_capture(capture, "nerfstudio", tmp_path / make.__name__ / "out")
    shared, own = (
        json.loads((tmp_path / name / "out" / "transforms.json").read_text())
        for name in ("opencv", "own_intrinsics")
    )
    keys = {"fl_x", "fl_y", "cx", "cy", "w", "h", "k1"}
    assert keys <= shared.keys() and shared["frames"][0].keys() & keys == set()
    assert own.keys() & keys == set() and keys - {"k1"} <= own["frames"][0].keys()
    assert shared["camera_model"] == own["camera_model"] == "OPENCV"
    assert shared["val_filenames"] == shared["test_filenames"], "nerfstudio fails without any"


@pytest.mark.parametrize("to", ALL)
def test_names_with_spaces_letters_and_folders_stay_apart(tmp_path, to):
    names = ["a b/ü 1", "a b/日本/x", "c", "images/c", "d.png", "d_png", "E/x", "e/x"]
    entries = frames(ring(len(names)))
    for index, (name, entry) in enumerate(zip(names, entries, strict=True)):
        write_image(tmp_path / "capture" / f"{name}.png", color=(index, 0, 0))
        entry["file_path"] = f"{name}.png"
    write_json(tmp_path / "capture" / "transforms.json", {"fl_x": 10, "frames": entries})
    before = open_capture(tmp_path / "capture")
    after, notes = written(before, to, tmp_path / "out")
    assert all(map(same_file, before.views, after.views))
    assert len({view.name.casefold() for view in after.views}) == len(names)
    japanese = {"colmap": "a_b/日本/x"}.get(to, "a b/日本/x")
    assert after.views[1].name == japanese
    assert any("Spaces" in note for note in notes) == (to == "colmap")


def test_no_two_pictures_share_a_path(tmp_path):
    capture = capture_of(portrait, tmp_path / "capture")
    names = ["a", "A", "images/a", "a_2", "b c", "b_c", "images/a_2"]
    views = [View(name, capture.views[0].camera, "train", None) for name in names]
    for kind in (*(kind.rules for kind in FORMATS.values()), PictureRules()):
        paths = [str(picture.path).casefold() for picture in place_pictures(views, kind)]
        assert len(set(paths)) == len(paths)


@pytest.mark.parametrize("to", ALL)
def test_smaller_images_are_written_as_png_with_cameras_that_fit(tmp_path, to):
    capture = capture_of(portrait, tmp_path / "capture")
    small = open_capture(tmp_path / "capture", downscale=2)
    after, notes = written(small, to, tmp_path / "out")
    assert any(note.startswith(f"{len(capture.views)} images") for note in notes)
    for one, other in zip(small.views, after.views, strict=True):
        assert intrinsics(other.camera)[:2] == (3, 4)
        assert intrinsics(other.camera) == pytest.approx(intrinsics(one.camera), rel=1e-14)
        np.testing.assert_array_equal(load_view(other), load_view(one))
    assert not same_file(capture.views[0], after.views[0])


@pytest.mark.parametrize("to", ALL)
def test_an_image_that_exif_turns_is_written_as_its_camera_sees_it(tmp_path, to):
    entries = frames(ring(4), "{:03d}.jpg")
    exif = Image.Exif()
    exif[0x0112] = 6
    pixels = np.random.default_rng(0).integers(0, 255, (8, 6, 3), np.uint8)
    for entry in entries:
        Image.fromarray(pixels).save(tmp_path / entry["file_path"], exif=exif)
    write_json(tmp_path / "transforms.json", {"fl_x": 9.0, "w": 8, "h": 6, "frames": entries})
    before = open_capture(tmp_path)
    after, _ = written(before, to, tmp_path / "out")
    for one, other in zip(before.views, after.views, strict=True):
        assert intrinsics(other.camera)[:2] == (8, 6) == Image.open(other.image_path).size
        np.testing.assert_array_equal(load_view(other), load_view(one))


def test_without_images_only_the_cameras_are_written(tmp_path):
    capture = capture_of(synthetic, tmp_path / "capture")
    notes = write_capture(capture, "nerf-synthetic", tmp_path / "out", images=False)
    assert files_below(tmp_path / "out") == [
        f"transforms_{s}.json" for s in ("test", "train", "val")
    ]
    assert any("not copied" in note for note in notes)


def test_a_folder_that_holds_something_is_not_touched(tmp_path):
    capture = capture_of(synthetic, tmp_path / "capture")
    out = tmp_path / "out"
    write_image(out / "mine.png")
    for taken in (out, out / "mine.png"):
        with pytest.raises(UserError, match="not an empty folder"):
            write_capture(capture, "nerfstudio", taken)
    assert files_below(out) == ["mine.png"]
    (out / "mine.png").unlink()
    write_capture(capture, "nerfstudio", out)
    assert "transforms.json" in files_below(out)


def test_an_image_that_vanishes_on_the_way_leaves_nothing(tmp_path):
    capture = capture_of(synthetic, tmp_path / "capture")

    def lose_the_last(fraction):
        if fraction > 0.5:
            Path(capture.views[-1].image_path).unlink(missing_ok=True)

    with pytest.raises(UserError, match=r"r_2\.png cannot be copied: No such file"):
        write_capture(capture, "colmap", tmp_path / "out", report=lose_the_last)
    assert files_below(tmp_path) == files_below_capture(tmp_path)
    with pytest.raises(UserError, match="does not exist"):
        write_capture(capture, "colmap", tmp_path / "out")
    assert files_below(tmp_path) == files_below_capture(tmp_path)


def test_a_job_that_is_stopped_leaves_nothing(tmp_path):
    folder = tmp_path / "capture"
    folder.mkdir()
    synthetic(folder)
    out = tmp_path / "out"
    out.mkdir()
    job = Job(tmp_path / "capture" / "job")
    job.cancel()
    with pytest.raises(Cancelled):
        run(RewriteArguments(capture=folder, to="colmap", out=out), job)
    assert files_below(tmp_path) == [*files_below_capture(tmp_path), "out"]


def test_a_world_that_was_mirrored_stays_the_datasets(tmp_path):
    write_transforms(tmp_path, applied_transform=[[-1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0]])
    capture = open_capture(tmp_path)
    assert original_world(capture.frame) is None
    after, notes = written(capture, "colmap", tmp_path / "out")
    assert any("applied_transform" in note for note in notes)
    expected = TURN @ capture.views[0].camera.camera_to_world
    np.testing.assert_allclose(after.views[0].camera.camera_to_world, expected, atol=1e-12)


def test_quaternions_of_half_turns():
    for axis in np.eye(3):
        quaternion = nearest_quaternion(2 * np.outer(axis, axis) - np.eye(3))
        np.testing.assert_allclose(np.abs(quaternion), [0, *axis], atol=1e-12)


def test_the_verb_reports_what_it_wrote(tmp_path, run_here):
    listed_splits(tmp_path)
    words = (tmp_path, "--to", "nerf-synthetic", "--out", tmp_path / "out", "--downscale", 2)
    result = run_here("rewrite", *words, "--json")
    assert result.returncode == 0, result.stderr
    told = json.loads(result.stdout)
    assert told.keys() == {"out", "format", "counts", "images", "notes"}
    assert told["counts"] == {"train": 3, "val": 1, "test": 2} and told["images"] == 6
    assert len(told["notes"]) == 3
    assert len(open_capture(tmp_path / "out").views) == 6
    again = run_here("rewrite", *words, "--json")
    assert again.returncode == 1 and "not an empty folder" in again.stderr


@pytest.mark.parametrize("to", ALL)
def test_cameras_alone_are_written_and_the_result_says_where_pictures_are_missing(tmp_path, to):
    views = capture_of(synthetic, tmp_path / "capture").views
    cameras = [
        {"name": view.name, "split": view.split, **camera_to_dict(view.camera)} for view in views
    ]
    frame = {"applied_transform": [[0, 1, 0, 0], [0, 0, 1, 0], [1, 0, 0, 2]], "scale": None}
    file = write_json(tmp_path / "cameras.json", {"cameras": cameras, "frame": frame})
    arguments = RewriteArguments(cameras=file, to=to, out=tmp_path / "out")
    told = run(arguments, Job(tmp_path / "job"))
    assert told["images"] == 0 and len(told["pictures"]) == len(views)
    assert not any("images" in note for note in told["notes"])
    for path in told["pictures"]:
        write_image(tmp_path / "out" / path)
    again = {view.image_path: view for view in open_capture(tmp_path / "out").views}
    for view, path in zip(views, told["pictures"], strict=True):
        after = again[tmp_path / "out" / path]
        assert intrinsics(after.camera) == intrinsics(view.camera)
        if to != "colmap":
            assert (after.name, after.split) == (view.name, view.split)
            np.testing.assert_array_equal(after.camera.camera_to_world, view.camera.camera_to_world)


def test_cameras_or_a_capture_is_needed_and_a_wrong_split_refused(tmp_path):
    for sources in ({}, {"capture": tmp_path, "cameras": tmp_path}):
        with pytest.raises(UserError, match="either a capture or --cameras"):
            RewriteArguments(**sources, to="colmap", out=tmp_path / "out")
    camera = camera_to_dict(capture_of(synthetic, tmp_path / "capture").views[0].camera)
    for content, words in (
        ({"cameras": [{"name": "a", "split": "best", **camera}]}, "split must be one of"),
        ({"cameras": [{"name": "a", **camera}], "frame": [1]}, "frame must be"),
    ):
        file = write_json(tmp_path / "cameras.json", content)
        arguments = RewriteArguments(cameras=file, to="colmap", out=tmp_path / "out")
        with pytest.raises(UserError, match=words):
            run(arguments, Job(tmp_path / "job"))
