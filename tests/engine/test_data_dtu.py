"""Captures in IDR's and NeuS's layout."""

import zipfile

import numpy as np
import pytest
from format_files import (
    POINTS,
    POSES,
    SCALE_MAT,
    Trap,
    check_pixels,
    dtu_arrays,
    promising,
    refuse,
    write_dtu,
)

from pvd_engine.data.readers import open_capture


@pytest.mark.parametrize("factor", [1.0, -3.0])
def test_dtu_points_are_where_its_projections_put_them(tmp_path, factor):
    arrays = dtu_arrays(factor=factor)
    write_dtu(tmp_path, arrays)
    capture = open_capture(tmp_path)
    expected = []
    for index in range(len(POSES)):
        projection = arrays[f"world_mat_{index}"] @ arrays[f"scale_mat_{index}"]
        x, y, z = projection[:3] @ np.column_stack([POINTS, np.ones(3)]).T
        # Its pixels are counted from the first one's centre, ours from its corner.
        expected.append(np.stack([x / z, y / z], axis=1) + 0.5)
    check_pixels(capture, POINTS, expected)


def test_dtu_is_read_in_the_frame_of_the_unit_sphere(tmp_path):
    write_dtu(tmp_path, file="cameras.npz")
    capture = open_capture(tmp_path)
    np.testing.assert_array_equal(capture.box, [[-1] * 3, [1] * 3])
    assert "scale_mat" in capture.box_source
    world = SCALE_MAT @ [0.1, 0.2, 0.3, 1]
    np.testing.assert_allclose(capture.frame.applied_transform @ world, [0.1, 0.2, 0.3])
    assert any("has mask, but the masks are not used" in note for note in capture.notes)


def test_skew_of_a_dtu_camera_is_noted(tmp_path):
    write_dtu(tmp_path, dtu_arrays(np.array([[20.0, 3, 11], [0, 20, 7], [0, 0, 1]])))
    assert any("skew, up to 2.1 pixels" in note for note in open_capture(tmp_path).notes)


@pytest.mark.parametrize(
    ("change", "pattern"),
    [
        ({"world_mat_1": np.zeros((4, 4))}, "camera 1: the matrices are not a projection"),
        ({"world_mat_1": np.full((4, 4), np.nan)}, "world_mat_1 must be 4 x 4"),
        ({"world_mat_1": np.full((4, 4), 1e200)}, "world_mat_1 must be 4 x 4"),
        ({"world_mat_1": np.zeros(16)}, "world_mat_1 must be 4 x 4"),
        ({"world_mat_1": np.zeros((2000, 2000))}, "world_mat_1 is larger than"),
        ({"world_mat_1": np.array([[Trap()]], dtype=object)}, "must hold numbers, not object"),
        ({"world_mat_4": np.eye(4)}, "lacks the array scale_mat_4|5 cameras"),
        ({"world_mat_900000": np.eye(4)}, "lacks the array world_mat_4"),
        ({"scale_mat_2": np.eye(4)}, "different scale_mat"),
        ({f"scale_mat_{i}": np.zeros((4, 4)) for i in range(4)}, "cannot be inverted"),
    ],
)
def test_wrong_dtu_matrices_are_one_sentence(tmp_path, change, pattern):
    write_dtu(tmp_path, {**dtu_arrays(), **change})
    refuse(tmp_path, pattern)


def test_dtu_arrays_of_other_names_are_not_opened(tmp_path):
    write_dtu(tmp_path, {**dtu_arrays(), "other": np.array([Trap()], dtype=object)})
    assert len(open_capture(tmp_path).views) == 4


def test_a_hostile_npz_is_one_sentence(tmp_path):
    write_dtu(tmp_path)
    file = tmp_path / "cameras_sphere.npz"
    file.write_bytes(file.read_bytes()[:-40])
    refuse(tmp_path, "damaged or not an .npz")
    file.write_bytes(b"not a zip")
    refuse(tmp_path, "damaged or not an .npz")
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("world_mat_0.npy", promising((10**12, 4)) + b"\0" * 50_000_000)
    refuse(tmp_path, "world_mat_0 is larger than")
    np.savez(file)
    refuse(tmp_path, "holds 0 arrays")


def test_dtu_needs_an_image_for_every_camera(tmp_path):
    write_dtu(tmp_path, count=3)
    refuse(tmp_path, "has 4 cameras, but .* has 3 images")
