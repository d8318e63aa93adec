"""Random viewpoints stay within the capture's own ranges."""

import numpy as np
import pytest

from pvd_engine.data.capture import Camera
from pvd_engine.data.geometry.poses import PoseDistribution, look_at


def ring(count=24, radius=3.0, elevation=0.5, center=(1.0, -2.0, 0.5), arc=2 * np.pi, start=0.0):
    cameras = []
    for angle in start + np.arange(count) / count * arc:
        away = np.array(
            [
                np.cos(angle) * np.cos(elevation),
                np.sin(angle) * np.cos(elevation),
                np.sin(elevation),
            ]
        )
        matrix = look_at(np.array(center) + radius * away, np.array(center), np.eye(3)[2])
        cameras.append(Camera(matrix, 100, 80, 90.0, 90.0, 50.0, 40.0))
    return cameras


def test_look_at_gives_a_proper_rotation_that_faces_the_target():
    matrix = look_at(np.array([1.0, 2, 3]), np.array([-1.0, 0, 1]), np.eye(3)[2])
    assert np.allclose(matrix[:3, :3] @ matrix[:3, :3].T, np.eye(3))
    assert np.linalg.det(matrix[:3, :3]) == pytest.approx(1)
    assert np.allclose(-matrix[:3, 2], np.array([-2.0, -2, -2]) / np.sqrt(12))


def test_a_ring_of_cameras_gives_its_centre_distance_and_elevation():
    poses = PoseDistribution.from_cameras(ring())
    assert poses.center == pytest.approx([1.0, -2.0, 0.5], abs=1e-4)
    assert poses.distance == pytest.approx([3.0, 3.0], abs=1e-4)
    assert poses.elevation == pytest.approx([0.5, 0.5], abs=1e-4)
    assert poses.azimuth == [0.0, 2 * np.pi]


def test_random_cameras_stay_within_the_capture():
    arc = ring(arc=np.pi / 2)
    poses = PoseDistribution.from_cameras(arc)
    cameras = poses.sample(200, np.random.default_rng(0))
    origins = np.stack([camera.camera_to_world[:3, 3] for camera in cameras])
    away = origins - poses.center
    assert np.allclose(np.linalg.norm(away, axis=1), 3.0, atol=1e-3)
    angles = np.arctan2(away[:, 1], away[:, 0])
    assert angles.min() > -0.15 and angles.max() < np.pi / 2 + 0.15
    assert (cameras[0].width, cameras[0].height, cameras[0].fx) == (100, 80, 90.0)


def test_a_distribution_survives_a_field_header():
    poses = PoseDistribution.from_cameras(ring())
    assert PoseDistribution.from_json(poses.to_json()) == poses


@pytest.mark.parametrize("arc", [2 * np.pi, 1.2])
def test_a_region_contains_its_cameras_and_random_ones_and_nothing_far_from_them(arc):
    cameras = ring(arc=arc)
    poses = PoseDistribution.from_cameras(cameras)
    random = poses.sample(500, np.random.default_rng(0))
    for some in (cameras, random):
        places = np.stack([camera.camera_to_world[:3, 3] for camera in some])
        assert poses.contains(places).all()
        center = np.array([1.0, -2.0, 0.5])
        assert not poses.contains(center + 1.3 * (places - center)).any()
        assert not poses.contains(center + (places - center) * [1, 1, -1]).any()
        if arc < 2:
            assert not poses.contains(center + (places - center) * [-1, -1, 1]).any()


@pytest.mark.parametrize("start", np.arange(8) * np.pi / 4)
def test_an_arc_is_as_wide_on_whichever_side_it_is(start):
    cameras = ring(arc=1.2, start=start)
    poses = PoseDistribution.from_cameras(cameras)
    span = 1.2 * 23 / 24
    assert poses.azimuth[1] - poses.azimuth[0] == pytest.approx(span * 1.1, abs=1e-4)
    assert poses.contains(np.stack([camera.camera_to_world[:3, 3] for camera in cameras])).all()
