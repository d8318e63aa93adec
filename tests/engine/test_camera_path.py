"""Moving cameras, against formulas of their own."""

from dataclasses import replace

import numpy as np
import pytest

from pvd_engine.data.capture import Camera
from pvd_engine.data.geometry.camera_path import (
    TURNS,
    around_box,
    evenly,
    orbit,
    path_through,
    spiral,
    way_through,
)
from pvd_engine.data.geometry.picture_size import even, fitted
from pvd_engine.data.geometry.poses import PoseDistribution, look_at

CENTER = np.array([1.0, -2.0, 0.5])
UP = np.array([0.0, 0.0, 1.0])


def seeing(origin, target=CENTER, fx=90.0):
    return Camera(look_at(np.asarray(origin, float), target, UP), 100, 80, fx, fx, 50.0, 40.0)


def ring(count=24, arc=2 * np.pi, height=1.0, radius=3.0, start=0.0):
    angles = start + arc * np.arange(count) / (count if arc > 6 else count - 1)
    away = np.stack([np.cos(angles), np.sin(angles), np.full(count, height / radius)], 1)
    return [seeing(CENTER + radius * one) for one in away]


def positions(cameras):
    return np.stack([camera.camera_to_world[:3, 3] for camera in cameras])


def pixel(camera, point):
    """Where a point is in the picture."""
    x, y, z = camera.camera_to_world[:3, :3].T @ (point - camera.camera_to_world[:3, 3])
    return np.array([camera.cx - camera.fx * x / z, camera.cy + camera.fy * y / z]), -z


def is_upright(camera):
    rotation = camera.camera_to_world[:3, :3]
    return np.allclose(rotation.T @ rotation, np.eye(3), atol=1e-9) and abs(rotation[2, 0]) < 1e-9


def test_an_orbit_keeps_its_distance_and_height_and_looks_at_the_centre():
    poses = PoseDistribution.from_cameras(ring())
    cameras = orbit(poses, 48)
    away = positions(cameras) - CENTER
    assert np.allclose(np.linalg.norm(away, axis=1), np.sqrt(10), atol=1e-6)
    assert np.allclose(away[:, 2], 1.0, atol=1e-6)
    for camera in cameras:
        assert np.allclose(pixel(camera, CENTER)[0], (50, 40), atol=1e-6)
        assert is_upright(camera)
        assert (camera.width, camera.height, camera.fx) == (100, 80, 90.0)
    assert poses.contains(positions(cameras)).all()


def test_an_orbit_turns_evenly_and_closes():
    away = positions(orbit(PoseDistribution.from_cameras(ring()), 50)) - CENTER
    angles = np.arctan2(away[:, 1], away[:, 0])
    turns = np.diff(np.append(angles, angles[0])) % (2 * np.pi)
    assert np.allclose(turns, 2 * np.pi / 50, atol=1e-9)


def test_an_orbit_of_what_was_seen_from_one_side_swings_within_it():
    poses = PoseDistribution.from_cameras(ring(arc=1.2, start=0.4))
    cameras = orbit(poses, 100)
    assert poses.contains(positions(cameras)).all()
    away = positions(cameras) - CENTER
    angles = np.arctan2(away[:, 1], away[:, 0])
    assert angles.min() == pytest.approx(0.4, abs=0.1)
    assert angles.max() == pytest.approx(1.6, abs=0.1)
    steps = np.abs(np.diff(np.append(angles, angles[0])))
    assert steps.max() < 0.7 * 2 * np.pi / 100 * 1.05


def test_an_orbit_of_cameras_above_stays_short_of_the_pole():
    above = ring(height=3.0, radius=0.3)
    for camera in orbit(PoseDistribution.from_cameras(above), 8):
        assert is_upright(camera)
        assert np.allclose(pixel(camera, CENTER)[0], (50, 40), atol=1e-6)
        away = camera.camera_to_world[:3, 3] - CENTER
        assert np.degrees(np.arcsin(away[2] / np.linalg.norm(away))) == pytest.approx(80)


@pytest.mark.parametrize("size", [(2, 2, 2), (0.1, 5, 1)])
def test_a_box_that_nothing_is_known_of_is_in_the_picture_from_all_round(size):
    box = np.array([CENTER - np.array(size) / 2, CENTER + np.array(size) / 2])
    for camera in orbit(around_box(box), 12):
        assert is_upright(camera)
        assert np.allclose(pixel(camera, CENTER)[0], (400, 300), atol=1e-6)
        for corner in np.stack(np.meshgrid(*box.T), axis=-1).reshape(-1, 3):
            (x, y), depth = pixel(camera, corner)
            assert 0 < x < 800 and 0 < y < 600 and depth > 0


def test_a_path_is_at_its_cameras_when_it_passes_them():
    keys = ring(6, arc=2.0)
    cameras = path_through(keys, 5 * 7 + 1)
    assert len(cameras) == 36
    for key, camera in zip(keys, cameras[::7], strict=True):
        assert np.allclose(camera.camera_to_world, key.camera_to_world, atol=1e-6)
        assert (camera.width, camera.height) == (100, 80)


def test_a_path_passes_cameras_at_uneven_distances_too():
    random = np.random.default_rng(1)
    keys = [seeing(CENTER + 3 * away) for away in random.normal(size=(7, 3))]
    dense = np.stack([camera.camera_to_world for camera in path_through(keys, 4001)])
    for key in keys:
        assert np.abs(dense - key.camera_to_world).max(axis=(1, 2)).min() < 0.02


def test_a_path_moves_at_a_nearly_constant_speed():
    keys = [one for index, one in enumerate(ring(24, arc=3.0)) if index not in (3, 4, 9, 15)]
    steps = np.linalg.norm(np.diff(positions(path_through(keys, 300)), axis=0), axis=1)
    assert steps.max() < 1.1 * steps.min()


def test_a_path_has_no_jerks():
    keys = [seeing(CENTER + 3 * w) for w in np.random.default_rng(2).normal(size=(6, 3))]
    poses = np.stack([camera.camera_to_world for camera in path_through(keys, 3000)])
    first, second = np.diff(poses, axis=0), np.diff(poses, n=2, axis=0)
    assert np.abs(second).max() < 0.05 * np.abs(first).max()


def test_a_path_keeps_what_its_cameras_look_at_in_the_picture_and_its_distance():
    keys = ring(5, arc=3.6)  # far apart: straight ways would cut through the middle
    for camera in path_through(keys, 60):
        place, depth = pixel(camera, CENTER)
        assert np.allclose(place, (50, 40), atol=1e-6)
        assert depth == pytest.approx(np.sqrt(10), abs=1e-6)


def test_a_path_through_cameras_that_look_ahead_is_straight_and_does_not_turn():
    ahead = np.array([0.0, 5.0, 0.0])
    places = [np.array([0.0, y, 1.6]) for y in (0, 1, 4, 5, 9)]
    cameras = path_through([seeing(place, place + ahead) for place in places], 40)
    assert np.allclose(positions(cameras)[:, [0, 2]], (0.0, 1.6), atol=1e-9)
    assert (np.diff(positions(cameras)[:, 1]) > 0).all()
    turned = np.stack([camera.camera_to_world[:3, :3] for camera in cameras])
    assert np.allclose(turned, turned[0], atol=1e-9)


def test_a_path_of_a_camera_that_only_turns_goes_on_turning():
    targets = [(np.cos(a), np.sin(a), 0.0) for a in (0.0, 0.5, 1.0)]
    cameras = path_through([seeing(np.zeros(3), np.array(one)) for one in targets], 21)
    angles = [np.arctan2(*-camera.camera_to_world[[1, 0], 2]) for camera in cameras]
    assert np.allclose(np.diff(angles), 0.05, atol=1e-6)


def test_lenses_change_evenly_and_distortion_is_left_out():
    keys = [
        replace(key, fx=f, fy=f) for key, f in zip(ring(3, arc=2.0), (80, 120, 160), strict=True)
    ]
    keys = [replace(key, distortion_model="opencv", distortion={"k1": 0.1}) for key in keys]
    cameras = path_through(keys, 9)
    assert np.allclose([camera.fx for camera in cameras], np.linspace(80, 160, 9), atol=1e-6)
    assert {camera.distortion_model for camera in cameras} == {"none"}


def test_cameras_at_one_place_and_one_camera_are_a_path_too():
    key = ring(3)[0]
    for keys in ([key], [key, key]):
        cameras = path_through(keys, 4)
        assert len(cameras) == 4
        assert all(np.allclose(one.camera_to_world, key.camera_to_world) for one in cameras)
    first, second = ring(2, arc=1.0)
    cameras = path_through([first, first, second, second], 3)
    assert np.allclose(cameras[0].camera_to_world, first.camera_to_world, atol=1e-9)
    assert np.allclose(cameras[2].camera_to_world, second.camera_to_world, atol=1e-9)


def test_panoramas_stay_panoramas_and_are_left_out_among_others():
    wide = [replace(key, distortion_model="equirectangular") for key in ring(4)]
    assert {one.distortion_model for one in path_through(wide, 5)} == {"equirectangular"}
    mixed = path_through([wide[0], *ring(4)[1:]], 5)
    assert {one.distortion_model for one in mixed} == {"none"}
    assert np.allclose(mixed[0].camera_to_world, ring(4)[1].camera_to_world)


def test_a_way_keeps_the_order_of_cameras_that_follow_each_other():
    line = positions(ring(30, arc=5.0))
    assert (way_through(line) == np.arange(30)).all()


def test_a_way_through_cameras_that_jump_about_goes_to_the_nearest():
    line = np.stack([np.arange(40.0), np.zeros(40), np.zeros(40)], axis=1)
    mixed = np.concatenate([[0], np.random.default_rng(0).permutation(np.arange(1, 40))])
    assert (line[mixed][way_through(line[mixed])] == line).all()


def test_many_cameras_are_chosen_evenly():
    assert evenly(100, 4).tolist() == [0, 33, 66, 99]
    assert evenly(3, 10).tolist() == [0, 1, 2]
    assert evenly(1, 5).tolist() == [0]


def test_a_spiral_closes_stays_among_its_cameras_and_looks_at_one_point():
    grid = [np.array([x, -5.0, z]) for x in (-0.4, 0.0, 0.4) for z in (-0.3, 0.0, 0.3)]
    keys = [seeing(place, place + np.array([0.0, 1.0, 0.0])) for place in grid]
    reference = keys[4].camera_to_world
    cameras = spiral(keys, reference, near=1.0, count=120)
    place = positions(cameras)
    assert np.abs(place[:, 0]).max() == pytest.approx(0.4, rel=0.02)
    assert np.abs(place[:, 2]).max() == pytest.approx(0.3, rel=0.02)
    target = np.array([0.0, -1.0, 0.0])
    for camera in cameras:
        assert np.allclose(pixel(camera, target)[0], (50, 40), atol=1e-6)
    steps = np.linalg.norm(np.diff(place, axis=0, append=place[:1]), axis=1)
    assert steps.max() < 0.4 * 2 * np.pi * TURNS / 120 * 1.05


@pytest.mark.parametrize("size", [(200, 160), (300, 100), (64, 200)])
def test_a_picture_of_another_size_holds_all_of_the_first(size):
    camera = seeing([4.0, -2.0, 0.5])
    other = fitted(camera, *size)
    assert (other.width, other.height) == size
    tangents = [
        np.array([side[0] * one.width / 2 / one.fx, side[1] * one.height / 2 / one.fy])
        for one in (camera, other)
        for side in ((1, 1),)
    ]
    assert (tangents[1] >= tangents[0] - 1e-12).all()
    assert np.isclose(tangents[1], tangents[0]).any()
    assert other.fx == other.fy
    assert np.allclose(pixel(other, CENTER)[0], (size[0] / 2, size[1] / 2))


def test_an_odd_picture_loses_its_last_column_and_row():
    camera = replace(seeing([4.0, -2.0, 0.5]), width=101, height=81)
    assert even(camera) == replace(camera, width=100, height=80)
    assert even(replace(camera, width=1, height=80)).width == 2


@pytest.mark.parametrize(
    "spoil",
    [
        {"center": "here"},
        {"center": [0, 0]},
        {"distance": [0, np.inf]},
        {"camera": {}},
        {"camera": {**PoseDistribution.from_cameras(ring()).camera, "width": 1e9}},
    ],
)
def test_viewpoints_of_strangers_are_checked(spoil):
    from pvd_engine.edit.merged_viewpoints import known_viewpoints

    stored = PoseDistribution.from_cameras(ring()).to_json()
    assert known_viewpoints({"viewpoints": stored}) is not None
    assert known_viewpoints({"viewpoints": stored | spoil}) is None
