import json
import math

import pytest
from capture_files import (
    frames,
    read_but_one,
    ring,
    write_image,
    write_json,
    write_nerf_synthetic,
    write_transforms,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pvd_engine.data.capture import Capture
from pvd_engine.data.formats.transforms_keys import KEYS
from pvd_engine.data.readers import open_capture
from pvd_engine.errors import UserError
from pvd_engine.files.images import load_image

QUIET = settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def refuse(path, pattern):
    with pytest.raises(UserError, match=pattern) as caught:
        open_capture(path)
    message = str(caught.value)
    assert message.endswith(".")
    assert "\n" not in message


def changed(folder, change):
    content = write_transforms(folder, 4)
    change(content)
    return write_json(folder / "transforms.json", content)


def first_frame(**values):
    return lambda content: content["frames"][0].update(values)


def test_wrong_folders_give_different_errors(tmp_path):
    refuse(tmp_path / "nowhere", "does not exist")
    refuse(tmp_path, "is empty; give the folder of a capture")
    (tmp_path / "plain").mkdir()
    (tmp_path / "plain" / "notes.txt").write_text("hello")
    refuse(tmp_path, r"holds no capture .* transforms_train\.json .* docs/datasets\.md")
    write_nerf_synthetic(tmp_path / "lego", {"train": 2})
    refuse(tmp_path, r"holds some \(lego\)")
    (tmp_path / "notes.txt").write_text("hello")
    refuse(tmp_path / "notes.txt", "not a capture")
    write_nerf_synthetic(tmp_path / "halves", {"test": 2})
    refuse(tmp_path / "halves", "no transforms_train.json")
    (tmp_path / "colmap" / "sparse").mkdir(parents=True)
    refuse(tmp_path / "colmap", "COLMAP")
    refuse("bad\0path", "does not exist|cannot be read")


@pytest.mark.parametrize(
    ("text", "pattern"),
    [
        ("", "not valid JSON"),
        ("{", "line 1"),
        ("[]", "JSON object"),
        ("{}", 'no list "frames"'),
        ('{"frames": []}', "no camera entries"),
        ('{"frames": {}}', 'no list "frames"'),
        ('{"frames": [3]}', "camera entry 0"),
        ('{"frames": ' + "[" * 200_000, "nested too deeply|not valid JSON"),
        ('{"frames": ' + "[" * 40 + "]" * 40 + "}", "nested too deeply"),
        ('{"fl_x": ' + "9" * 5000 + ', "frames": [{}]}', "not valid JSON"),
        ("\udcff", "UTF-8"),
    ],
)
def test_bad_json_is_one_sentence(tmp_path, text, pattern):
    (tmp_path / "transforms.json").write_bytes(text.encode("utf-8", "surrogateescape"))
    refuse(tmp_path, pattern)


def test_a_byte_order_mark_does_no_harm(tmp_path):
    write_transforms(tmp_path, 2)
    path = tmp_path / "transforms.json"
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert len(open_capture(tmp_path).views) == 2


IDENTITY = [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]


def with_entry(row, column, value):
    matrix = [list(line) for line in IDENTITY]
    matrix[row][column] = value
    return matrix


@pytest.mark.parametrize(
    ("matrix", "pattern"),
    [
        (None, "transform_matrix is missing"),
        (IDENTITY[:2], "4 rows of 4"),
        ([row[:3] for row in IDENTITY], "4 rows of 4"),
        ("identity", "4 rows of 4"),
        (with_entry(0, 0, "one"), "must be a number"),
        (with_entry(0, 0, True), "must be a number"),
        (with_entry(0, 3, 1e999), "must be a finite number"),
        (with_entry(1, 3, math.nan), "must be a finite number"),
        (with_entry(3, 3, 2), "last row"),
        (with_entry(2, 2, -1), "mirrored"),
        (with_entry(2, 2, 0), "flat"),
        (with_entry(2, 2, 3), "not a rotation"),
        (with_entry(0, 1, 0.5), "not a rotation"),
        ([[0] * 4, [0] * 4, [0] * 4, [0, 0, 0, 1]], "too small"),
    ],
)
def test_an_entry_without_a_pose_is_left_out_by_its_number(tmp_path, matrix, pattern):
    path = changed(tmp_path, lambda c: c["frames"][2].update(transform_matrix=matrix))
    capture = read_but_one(path, f"camera entry 2 .*({pattern})")
    assert [view.name for view in capture.views] == ["images/000", "images/001", "images/003"]
    every = changed(tmp_path, lambda c: [f.update(transform_matrix=matrix) for f in c["frames"]])
    refuse(every, f"camera entry 0 .*({pattern}).* \\(as 3 more\\)")


def test_a_number_too_large_for_float64_is_refused(tmp_path):
    path = changed(tmp_path, lambda c: None)
    path.write_text(path.read_text().replace('"fl_x": 10.0', '"fl_x": 1e999'))
    refuse(path, "fl_x must be a finite number")


@pytest.mark.parametrize(
    ("change", "pattern"),
    [
        (lambda c: c.pop("fl_x"), "no focal length"),
        (lambda c: c.update(fl_x=0), "above zero"),
        (lambda c: c.update(fl_x=-5), "above zero"),
        (lambda c: c.update(fl_x=1e-9), "does not fit"),
        (lambda c: c.update(fl_x=math.nan), "fl_x must be a finite number"),
        (lambda c: c.update(fl_x=-math.inf), "fl_x must be a finite number"),
        (lambda c: c.update(w=8, h=0.2), "a number of pixels"),
        (lambda c: c.update(w=8, h=1e9), "a number of pixels"),
        (lambda c: c.update(cx=1e9), "far outside"),
        (lambda c: c.update(camera_model="VR180_L"), "the camera model VR180_L cannot be read"),
        (lambda c: c.update(camera_model="ORTHOPHOTO"), "ORTHOPHOTO cannot be read"),
        (lambda c: c.update(camera_model="EQUIRECTANGULAR", fl_x=3.9), "more than the whole"),
        (lambda c: c.update(camera_model="FISHEYE624"), "needs distortion_params, a list of 12"),
        (lambda c: c.update(equirectangular=True), "rows show equal areas; resample"),
        (lambda c: c.update(ftheta_p0=0), "ftheta_p1 must be a number, not missing"),
        (lambda c: c.update(ftheta_p0=0, ftheta_p1=-1), "ftheta_p1 must be above zero"),
        (lambda c: c.update(ftheta_p0=0, ftheta_p1=0.1), "ftheta_p2 must be a number"),
        (lambda c: c.update(k1=1e6), "no lens"),
        (lambda c: c.update(aabb_scale=0), "aabb_scale must be above zero"),
        (lambda c: c.update(offset=[1, 2]), "offset must have three numbers"),
        (lambda c: c.update(applied_transform=[[1]]), "applied_transform must have"),
        (lambda c: c.update(train_filenames="all"), "must be a list"),
        (lambda c: c.update(normal_mts_args={}), "Mitsuba"),
    ],
)
def test_wrong_values_are_one_sentence(tmp_path, change, pattern):
    refuse(changed(tmp_path, change), pattern)


@pytest.mark.parametrize(
    ("values", "pattern"),
    [
        ({"camera_angle_x": 3.5}, "below pi"),
        ({"fl_y": "wide"}, "must be a number"),
        ({"file_path": None}, "file_path must be text"),
        ({"file_path": "a\0b"}, "no file name can have"),
        ({"w": 6, "h": 8}, "8 x 6 pixels where the file states 6 x 8, so it was turned; "),
        ({"w": 8, "h": 4}, "8 x 6 pixels where the file states 8 x 4, so it was turned or cropped"),
    ],
)
def test_one_wrong_entry_is_left_out(tmp_path, values, pattern):
    read_but_one(changed(tmp_path, first_frame(**values)), f"camera entry 0.*{pattern}")


def test_a_size_that_is_no_whole_number_is_read_as_blender_renders_it(tmp_path):
    write_transforms(tmp_path, 4, size=(158, 118), w=158.4, h=118.8, fl_x=148.5, cx=79.2, cy=59.4)
    capture = open_capture(tmp_path)
    camera = capture.views[0].camera
    assert (camera.width, camera.height) == (158, 118)
    assert (camera.fx, camera.fy, camera.cx, camera.cy) == (148.5, 148.5, 79.2, 59.4)
    assert any("4 camera entries state a size of 158.4 x 118.8" in note for note in capture.notes)


@pytest.mark.parametrize(
    "listed",
    [
        "../images/s.png",
        "images/../../s.png",
        "/etc/hostname",
        "..\\images\\s.png",
        "C:\\images\\s.png",
        "\\\\server\\share\\s.png",
    ],
)
def test_images_outside_of_the_dataset_are_not_opened(tmp_path, listed):
    write_image(tmp_path / "images" / "s.png")
    capture = open_capture(changed(tmp_path / "inner", first_frame(file_path=listed)))
    assert len(capture.views) == 3
    assert any("1 of 4 listed images does not exist" in note for note in capture.notes)


def test_no_listed_image_exists(tmp_path):
    write_json(tmp_path / "transforms.json", {"fl_x": 10, "frames": frames(ring(3))})
    refuse(tmp_path, r"None of the 3 images .* images/000.png")
    write_json(tmp_path / "transforms_train.json", {"fl_x": 10, "frames": frames(ring(3))})
    refuse(tmp_path, "None of the 3 images")


def test_an_absurdly_long_name_is_a_missing_image(tmp_path):
    path = changed(tmp_path, first_frame(file_path="x" * 5000 + ".png"))
    assert len(open_capture(path).views) == 3


def test_an_image_that_is_none_is_left_out_by_its_name(tmp_path):
    write_transforms(tmp_path, 3)
    (tmp_path / "images" / "001.png").write_bytes(b"not an image")
    read_but_one(tmp_path, "001.png is not an image")
    for name in ("000", "002"):
        (tmp_path / "images" / f"{name}.png").write_bytes(b"")
    refuse(tmp_path, "000.png is not an image .*as 2 more")


def test_a_truncated_image_can_be_listed_but_not_loaded(tmp_path):
    write_nerf_synthetic(tmp_path, {"train": 3}, size=(64, 64))
    broken = tmp_path / "train" / "r_1.png"
    broken.write_bytes(broken.read_bytes()[:60])
    capture = open_capture(tmp_path)
    assert len(capture.views) == 3
    with pytest.raises(UserError, match=r"r_1\.png is damaged"):
        load_image(broken)


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=8,
)
NAMES = st.sampled_from([name for keys in KEYS for name in keys.names])


@pytest.fixture(scope="module")
def small_capture(tmp_path_factory):
    folder = tmp_path_factory.mktemp("fuzzed")
    return folder, json.dumps(write_transforms(folder, 3, w=8, h=6))


@QUIET
@given(key=NAMES, value=ANYTHING, in_frame=st.booleans())
def test_any_value_anywhere_gives_a_capture_or_one_sentence(small_capture, key, value, in_frame):
    folder, text = small_capture
    content = json.loads(text)
    (content["frames"][0] if in_frame else content)[key] = value
    write_json(folder / "transforms.json", content)
    try:
        assert isinstance(open_capture(folder), Capture)
    except UserError as error:
        assert str(error).endswith(".")


@QUIET
@given(start=st.integers(0, 1500), length=st.integers(0, 40), patch=st.binary(max_size=12))
def test_damaged_bytes_of_the_json_give_a_capture_or_one_sentence(
    small_capture, start, length, patch
):
    folder, text = small_capture
    data = text.encode()
    (folder / "transforms.json").write_bytes(data[:start] + patch + data[start + length :])
    try:
        assert isinstance(open_capture(folder), Capture)
    except UserError as error:
        assert str(error).endswith(".")
