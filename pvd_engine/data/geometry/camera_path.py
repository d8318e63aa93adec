"""Moving cameras for films: around a scene, through cameras, and in a spiral between them."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from scipy.interpolate import CubicSpline
from scipy.spatial.transform import Rotation, RotationSpline

from ..capture import Camera
from .bounds import looked_at, positions_spread, see_all_round
from .picture_size import fitted
from .poses import LENS, PoseDistribution, look_at

STEEPEST = np.radians(80.0)
"""Largest elevation of an orbit, radians, short of the pole where up has no meaning."""

PLAIN_SIZE, PLAIN_ANGLE = (800, 600), np.radians(40.0)
"""Width and height in pixels, and vertical angle, of a camera where none is known."""

PLAIN_ELEVATION = float(np.radians(20.0))
"""Elevation, radians, where none is known."""

JUMPY = 2.0
"""Length of a way through cameras in their order, over that from each to the nearest one left, from
which on their order is no way."""

MOST_ORDERED = 2000
"""Most cameras among which the nearest one is searched for."""

TURNS = 2
"""Turns of a spiral, as in LLFF's films."""

SPIRAL_QUANTILE = 0.9
"""Quantile of the cameras' distances from their middle that is a spiral's radius, as in LLFF."""

FOCUS = 4.0
"""Depth that a spiral looks at, over that of the near plane."""


def around_box(box: np.ndarray) -> PoseDistribution:
    """Return viewpoints from which all of a box (2, 3) is seen, where none are known.

    They are all round it and look down at 20 degrees, z being up.
    """
    radius = float(np.linalg.norm(box[1] - box[0])) / 2
    width, height = PLAIN_SIZE
    focal = height / 2 / np.tan(PLAIN_ANGLE / 2)
    distance = radius / np.sin(PLAIN_ANGLE / 2)
    numbers = (width, height, focal, focal, width / 2, height / 2)
    return PoseDistribution(
        center=box.mean(axis=0).tolist(),
        spread=0.0,
        distance=[distance, distance],
        elevation=[PLAIN_ELEVATION, PLAIN_ELEVATION],
        azimuth=[0.0, 2 * np.pi],
        up=[0.0, 0.0, 1.0],
        camera=dict(zip(LENS, map(float, numbers), strict=True)),
    )


def orbit(poses: PoseDistribution, count: int) -> list[Camera]:
    """Return the cameras of a turn around the point that others looked at.

    They keep the middle one of the others' distances and elevations, and look at the point. Where
    that was seen from all round, the camera turns once, by the same angle from each to the next.
    Else it swings from the middle to both ends of what was seen and back, slower near the ends.
    Both ways the first camera follows the last one, as in a film that repeats.

    Parameters
    ----------
    poses : PoseDistribution
    count : int
        Number of cameras.
    """
    turn = 2 * np.pi * np.arange(count) / count
    first, last = poses.azimuth
    if not poses.all_round:
        turn = (first + last) / 2 + (last - first) / 2 * np.sin(turn)
    elevation = float(np.clip(np.mean(poses.elevation), -STEEPEST, STEEPEST))
    distance = float(np.mean(poses.distance))
    return [poses.looking_in(azimuth, elevation, distance) for azimuth in turn]


def path_through(cameras: Sequence[Camera], count: int) -> list[Camera]:
    """Return the cameras of a smooth way through others.

    Positions follow a cubic spline and directions a spline of rotations, both with continuous
    acceleration. Where all look at a common point, the spline is that of the directions and
    distances from there, and what the cameras look at stays in the picture between them. Time is
    the distance between cameras, plus the angle between their directions times half the size of
    all, so that the speed is nearly constant. Lenses change linearly and are pinholes without
    distortion, unless all cameras are panoramas.

    Parameters
    ----------
    cameras : sequence of Camera
        At least one. Panoramas among other cameras are left out.
    count : int
        Number of cameras on the way, of which the first and the last are those of the others.
    """
    panoramas = all(see_all_round([camera]) for camera in cameras)
    keys = [camera for camera in cameras if see_all_round([camera]) == panoramas]
    poses = np.stack([key.camera_to_world for key in keys])
    steps = _steps(poses)
    kept = np.flatnonzero(np.append(True, steps > 1e-9 * steps.max(initial=0)))
    keys, poses = [keys[index] for index in kept], poses[kept]
    lenses = [fitted(key, keys[0].width, keys[0].height) for key in keys]
    times = np.append(0.0, np.cumsum(_steps(poses)))
    at = np.linspace(0, times[-1], count)
    center = looked_at(keys)
    positions = _positions(times, poses[:, :3, 3], center, at)
    rotations = _rotations(times, poses[:, :3, :3], at)
    if center is not None:
        targets = _smooth(times, _ahead(poses, center), at)
        rotations = _turned(rotations, targets - positions)
    values = {
        name: np.interp(at, times, [getattr(lens, name) for lens in lenses])
        for name in ("fx", "fy", "cx", "cy")
    }
    matrices = rotations.as_matrix()
    return [
        replace(
            _pinhole(keys[0]),
            camera_to_world=_pose(matrices[index], positions[index]),
            **{name: float(value[index]) for name, value in values.items()},
        )
        for index in range(count)
    ]


def spiral(
    cameras: Sequence[Camera], reference: np.ndarray, near: float, count: int
) -> list[Camera]:
    """Return the cameras of a spiral between others that look the same way, as LLFF's films have.

    It closes, and looks at one point ahead.

    Parameters
    ----------
    cameras : sequence of Camera
    reference : (4, 4) array
        Camera-to-world matrix in their middle, dataset frame.
    near : float
        A depth in front of all that they see, dataset units.
    count : int
        Number of cameras.
    """
    positions = np.stack([camera.camera_to_world[:3, 3] for camera in cameras])
    local = (positions - reference[:3, 3]) @ reference[:3, :3]
    radii = np.quantile(np.abs(local), SPIRAL_QUANTILE, axis=0)
    angle = 2 * np.pi * TURNS * np.arange(count) / count
    ways = np.stack([np.cos(angle), -np.sin(angle), -np.sin(angle / TURNS)], axis=-1)
    target = reference[:3, 3] - FOCUS * near * reference[:3, 2]
    lens = _pinhole(cameras[len(cameras) // 2])
    return [
        replace(
            lens,
            camera_to_world=look_at(
                reference[:3, 3] + reference[:3, :3] @ way, target, reference[:3, 1]
            ),
        )
        for way in ways * radii
    ]


def way_through(positions: np.ndarray) -> np.ndarray:
    """Return an order of cameras that is a way, (M,) indices.

    It is their own, unless that jumps about: then it goes from the first to the nearest one each
    time.

    Parameters
    ----------
    positions : (N, 3) array
        Of more than `MOST_ORDERED` that jump about, as many are chosen evenly.
    """
    some = evenly(len(positions), MOST_ORDERED)
    left = [int(index) for index in some]
    order = [left.pop(0)]
    while left:
        away = np.linalg.norm(positions[left] - positions[order[-1]], axis=1)
        order.append(left.pop(int(np.argmin(away))))
    if _length(positions[some]) <= JUMPY * _length(positions[order]):
        return np.arange(len(positions))
    return np.array(order)


def evenly(count: int, most: int) -> np.ndarray:
    """Return indices of at most `most` of `count` things, evenly from the first to the last."""
    return np.linspace(0, count - 1, min(count, most)).round().astype(int)


def _length(positions: np.ndarray) -> float:
    return float(np.linalg.norm(np.diff(positions, axis=0), axis=1).sum())


def _steps(poses: np.ndarray) -> np.ndarray:
    """Return the time (N - 1,) between each of N poses and the next, see `path_through`."""
    moves = np.linalg.norm(np.diff(poses[:, :3, 3], axis=0), axis=1)
    turns = np.swapaxes(poses[:-1, :3, :3], 1, 2) @ poses[1:, :3, :3]
    reach = positions_spread(poses[:, :3, 3]) / 2 or 1.0
    return moves + reach * Rotation.from_matrix(turns).magnitude() if len(turns) else moves


def _positions(
    times: np.ndarray, positions: np.ndarray, center: np.ndarray | None, at: np.ndarray
) -> np.ndarray:
    """Return the positions (M, 3) of a way at some times."""
    if center is None:
        return _smooth(times, positions, at)
    away = positions - center
    distances = np.linalg.norm(away, axis=1, keepdims=True)
    directions = _smooth(times, away / np.maximum(distances, 1e-12), at)
    length = np.maximum(np.linalg.norm(directions, axis=1, keepdims=True), 1e-12)
    return center + _smooth(times, distances, at) * directions / length


def _smooth(times: np.ndarray, values: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Return the natural cubic spline through values (N, K), at other times: (M, K)."""
    if len(times) == 1:
        return np.repeat(values, len(at), axis=0)
    return CubicSpline(times, values, bc_type="natural")(at)


def _rotations(times: np.ndarray, matrices: np.ndarray, at: np.ndarray) -> Rotation:
    if len(times) == 1:
        return Rotation.from_matrix(np.repeat(matrices, len(at), axis=0))
    return RotationSpline(times, Rotation.from_matrix(matrices))(at)


def _ahead(poses: np.ndarray, center: np.ndarray) -> np.ndarray:
    """Return the points (N, 3) on the optical axes of poses that are nearest to a centre."""
    axes = -poses[:, :3, 2]
    depths = np.einsum("ni,ni->n", center - poses[:, :3, 3], axes)
    return poses[:, :3, 3] + depths[:, None] * axes


def _turned(rotations: Rotation, towards: np.ndarray) -> Rotation:
    """Return rotations, each turned by the least angle to look along a direction (N, 3)."""
    axes = -rotations.as_matrix()[:, :, 2]
    across = np.cross(axes, towards)
    sine = np.linalg.norm(across, axis=1)
    angle = np.arctan2(sine, np.einsum("ni,ni->n", axes, towards))
    return Rotation.from_rotvec(across * (angle / np.maximum(sine, 1e-300))[:, None]) * rotations


def _pinhole(camera: Camera) -> Camera:
    if see_all_round([camera]):
        return camera
    return replace(camera, distortion_model="none", distortion={})


def _pose(rotation: np.ndarray, position: np.ndarray) -> np.ndarray:
    matrix = np.eye(4)
    matrix[:3, :3], matrix[:3, 3] = rotation, position
    return matrix
