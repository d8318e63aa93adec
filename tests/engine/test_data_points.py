import struct

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pvd_engine.data.geometry.points import read_points, write_ply
from pvd_engine.errors import UserError

POSITIONS = np.array([[0.1, -2.0, 3e6], [1 / 3, 0.0, -1e-9]])
COLORS = np.array([[0, 128, 255], [1, 2, 3]], np.uint8)


def header(form, *lines, count=2):
    start = ["ply", f"format {form} 1.0", "comment made", f"element vertex {count}"]
    return ("\n".join([*start, *lines, "end_header"]) + "\n").encode()


XYZ = ("property float x", "property float y", "property float z")


def test_points_are_written_and_read_without_loss(tmp_path):
    path = tmp_path / "new" / "points.ply"
    write_ply(path, POSITIONS, COLORS)
    points = read_points(path)
    np.testing.assert_array_equal(points.positions, POSITIONS)
    np.testing.assert_array_equal(points.colors, COLORS)
    assert points.positions.dtype == np.float64 and points.colors.dtype == np.uint8
    assert points.errors is None
    assert [entry.name for entry in path.parent.iterdir()] == ["points.ply"]


@pytest.mark.parametrize("count", [0, 2])
def test_points_without_colours(tmp_path, count):
    write_ply(tmp_path / "p.ply", POSITIONS[:count], None)
    points = read_points(tmp_path / "p.ply")
    assert points.positions.shape == (count, 3) and points.colors is None


@pytest.mark.parametrize(("form", "order"), [("little", "<"), ("big", ">")])
def test_binary_of_both_byte_orders_with_other_properties(tmp_path, form, order):
    lines = (
        "property uchar green",
        "property double z",
        "property short quality",
        "property float x",
        "property float32 y",
        "property uint8 red",
        "property uchar blue",
        "element face 1",
        "property list uchar int vertex_indices",
    )
    rows = [struct.pack(f"{order}Bdhff2B", 10 + i, 3.5, -7, 1.5 + i, 2.5, 9, 11) for i in (0, 1)]
    face = struct.pack(f"{order}B3i", 3, 0, 1, 1)
    path = tmp_path / "p.ply"
    path.write_bytes(header(f"binary_{form}_endian", *lines) + b"".join(rows) + face)
    points = read_points(path)
    np.testing.assert_array_equal(points.positions, [[1.5, 2.5, 3.5], [2.5, 2.5, 3.5]])
    np.testing.assert_array_equal(points.colors, [[9, 10, 11], [9, 11, 11]])


def test_ascii_with_an_element_before_the_vertices(tmp_path):
    text = (
        "ply\r\nformat ascii 1.0\r\nelement camera 1\r\nproperty float focal\r\n"
        "element vertex 2\r\nproperty float x\r\nproperty float y\r\nproperty float z\r\n"
        "property uchar red\r\nproperty uchar green\r\nproperty uchar blue\r\n"
        "end_header\r\n500.0\r\n1 2 3 4 5 6\r\n-1.5 2e3 .5 255 0 7"
    )
    (tmp_path / "p.ply").write_bytes(text.encode())
    points = read_points(tmp_path / "p.ply")
    np.testing.assert_array_equal(points.positions, [[1, 2, 3], [-1.5, 2000, 0.5]])
    np.testing.assert_array_equal(points.colors, [[4, 5, 6], [255, 0, 7]])


@pytest.mark.parametrize(
    ("content", "pattern"),
    [
        (b"", "not a PLY file"),
        (b"plyx\n", "not a PLY file"),
        (b"ply\nformat ascii 1.0\n", "header of the PLY file does not end"),
        (b"ply\n" + b"comment x\n" * 10000, "header of the PLY file does not end"),
        (b"ply\n" + b"x" * 10**6, "header of the PLY file does not end"),
        (b"ply\nelement vertex 1\nproperty float x\nend_header\n", "states no known format"),
        (b"ply\nformat ascii 1.0\nend_header\n", "has no vertices"),
        (b"ply\nformat ascii 1.0\nwhat is this\nend_header\n", "a line of an unknown kind"),
        (header("ascii", "property quaternion x"), "unknown type"),
        (header("ascii", "property float x"), "one x, y and z each"),
        (header("ascii", *XYZ, "property float x"), "one x, y and z each"),
        (header("ascii", *XYZ, "property list uchar int n"), "hold no lists"),
        (header("ascii", *XYZ) + b"1 2 3\n", "ends before its last point"),
        (header("ascii", *XYZ) + b"1 2 3\n4 5    \n", "missing|text that is not a number"),
        (header("ascii", *XYZ) + b"1 2 3\n4 5 six\n", "text that is not a number"),
        (header("ascii", *XYZ) + b"1 2 3 4\n4 5 6 7\n", "have too few|missing"),
        (header("ascii", *XYZ) + b"1 2 3\n\n\n\n\n\n\n\n\n", "missing|text that is not a number"),
        (header("ascii", *XYZ) + b"1 2 nan\n4 5 6\n", "without a finite position"),
        (header("ascii", *XYZ, count=10**17) + b"1 2 3\n", "ends before its last point"),
        (header("binary_little_endian", *XYZ) + b"\0" * 23, "ends before its last point"),
        (header("binary_little_endian", *XYZ, count=10**17), "ends before its last point"),
        (header("binary_little_endian", *XYZ, count="9" * 50), "ends before its last point"),
        (header("binary_little_endian", *XYZ, count=-1), "a line of an unknown kind"),
        (header("binary_little_endian", *XYZ) + b"\xff" * 24, "without a finite position"),
    ],
)
def test_wrong_files_are_one_sentence(tmp_path, content, pattern):
    (tmp_path / "p.ply").write_bytes(content)
    with pytest.raises(UserError, match=pattern) as caught:
        read_points(tmp_path / "p.ply")
    assert str(caught.value).endswith(".") and "\n" not in str(caught.value)


def test_a_missing_file_is_one_sentence(tmp_path):
    with pytest.raises(UserError, match="cannot be read"):
        read_points(tmp_path / "p.ply")


def test_colours_beyond_eight_bits_are_refused(tmp_path):
    lines = (*XYZ, "property uchar red", "property uchar green", "property uchar blue")
    (tmp_path / "p.ply").write_bytes(header("ascii", *lines, count=1) + b"1 2 3 4 5 256\n")
    with pytest.raises(UserError, match="between 0 and 255"):
        read_points(tmp_path / "p.ply")


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    ascii_form=st.booleans(),
    changes=st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), min_size=1, max_size=6),
    length=st.integers(0, 400),
)
def test_damaged_bytes_never_raise_anything_else(tmp_path, ascii_form, changes, length):
    path = tmp_path / "p.ply"
    if ascii_form:
        path.write_bytes(header("ascii", *XYZ) + b"1 2 3\n4.5 5e2 -6\n")
    else:
        write_ply(path, POSITIONS, COLORS)
    content = bytearray(path.read_bytes())
    for place, value in changes:
        content[place % len(content)] = value
    path.write_bytes(content[: max(length, 1)] if length < 200 else content)
    try:
        points = read_points(path)
    except UserError as error:
        assert "\n" not in str(error)
    else:
        assert points.positions.shape[1] == 3
