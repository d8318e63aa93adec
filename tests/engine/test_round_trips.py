"""Every format that is read, through every writer and back; `round_trips` prints the same table."""

import math

import numpy as np
import pytest
from capture_files import real_capture
from round_trips import FORMATS, REAL, SAMPLES, Trip, round_trip, sample

from pvd_engine.data.formats.colmap import rotation_matrix
from pvd_engine.data.readers import open_capture
from pvd_engine.data.writers.colmap_text import world_to_camera
from pvd_engine.data.writers.nerf_synthetic import camera_angle

LEFT_OUT = {
    "nerf-synthetic": {"box", "applied_transform", "points"},
    "nerfstudio": {"box", "errors of points", "tracks"},
    "colmap": {"splits", "aabb_scale", "scale", "offset", "aabb", "tracks"},
}
"""What a format has no place for; a box is kept by nerfstudio where it is a cube."""

REFUSED = {
    "nerfstudio": "its lens is not a pinhole",
    "COLMAP": "its pixels are not square",
    "nsvf": "its pixels are not square",
    "dtu": "its pixels are not square",
    "polycam": "its pixels are not square",
    "realitycapture": "its principal point",
    "fox_270x480": "its lens is not a pinhole",
}
"""Samples that NeRF-Synthetic cannot hold, and why; the other formats hold all."""


def check(trip: Trip, name: str, to: str) -> None:
    if to == "nerf-synthetic" and name in REFUSED:
        assert trip.refused.startswith(REFUSED[name])
        return
    assert not trip.refused
    assert not trip.changed, trip.cell()
    assert trip.same_files, "what was read is written as the same bytes"
    assert set(trip.left_out) <= LEFT_OUT[to], trip.cell()
    # COLMAP's quaternions; a focal length that no angle of view gives.
    allowed = {"colmap": {"poses", "points"}, "nerf-synthetic": {"intrinsics"}, "nerfstudio": set()}
    assert set(trip.rounding) <= allowed[to], trip.cell()
    assert all(size < 1e-12 for size in trip.rounding.values()), trip.cell()


@pytest.mark.parametrize("to", FORMATS)
@pytest.mark.parametrize("name", SAMPLES)
def test_a_format_through_a_writer_and_back(tmp_path, name, to):
    check(round_trip(sample(name, tmp_path / "in"), to, tmp_path), name, to)


@pytest.mark.parametrize("to", FORMATS)
@pytest.mark.parametrize("name", REAL)
def test_a_real_capture_through_a_writer_and_back(tmp_path, name, to):
    check(round_trip(open_capture(real_capture(name)), to, tmp_path), name, to)


@pytest.mark.parametrize(
    "made",
    [
        lambda rng: rng.normal(size=4),
        lambda rng: [0.0, *rng.normal(size=3)],
        lambda rng: np.eye(4)[1] + rng.choice([0.0, 1.0, -1.0, 1e-9, 1e-17], 4),
        lambda rng: rng.choice([1.0, -1.0], 4),
    ],
    ids=["any", "half turns", "axes", "equal numbers"],
)
def test_colmaps_pose_is_the_same_text_when_it_is_read_and_written_again(made):
    """For any camera, half turns and quarter turns among them, where signs and ties are decided."""
    rng = np.random.default_rng(3)
    camera = sample_camera()
    for _ in range(300):
        quaternion = np.asarray(made(rng), float)
        if not np.linalg.norm(quaternion) > 0.5:
            continue
        pose = np.eye(4)
        pose[:3, :3] = rotation_matrix(quaternion / np.linalg.norm(quaternion))
        pose[:3, 3] = rng.normal(size=3) * 10.0 ** rng.integers(-6, 6)
        first = world_to_camera(camera(pose), np.eye(4))
        again = np.eye(4)
        rotation = rotation_matrix(first[0] / math.hypot(*first[0]))
        again[:3, :3] = rotation.T @ np.diag([1.0, -1.0, -1.0])
        again[:3, 3] = -(rotation.T @ first[1])
        second = world_to_camera(camera(again), np.eye(4))
        assert [list(part) for part in first] == [list(part) for part in second]
        assert first[0][np.flatnonzero(first[0])[0]] > 0
        np.testing.assert_allclose(again[:3, :3], pose[:3, :3], atol=1e-13)
        reach = np.linalg.norm(pose[:3, 3])
        np.testing.assert_allclose(again[:3, 3], pose[:3, 3], atol=1e-13 * reach)


def sample_camera():
    from pvd_engine.data.capture import Camera

    return lambda pose: Camera(pose, 8, 6, 10.0, 10.0, 4.0, 3.0)


def test_an_angle_of_view_that_was_read_is_written_again():
    random = np.random.default_rng(1)
    for focal, width in zip(
        random.uniform(1, 5000, 500), random.integers(1, 5000, 500), strict=True
    ):
        angle = camera_angle(focal, int(width))
        read = 0.5 * width / math.tan(0.5 * angle)
        assert camera_angle(read, int(width)) == angle
        assert read == pytest.approx(focal, rel=1e-14)
