"""Random viewpoints like those of a capture, for the training of a student.

PVD and R2L draw poses from constants that are chosen for each dataset; here every number comes from
the capture's own cameras.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from ..capture import Camera
from .intrinsics import MAX_SIDE

LENS = ("width", "height", "fx", "fy", "cx", "cy")
"""Numbers of a typical camera."""

MARGIN = 0.05
"""Fraction by which the ranges of distance, elevation and azimuth grow on both sides."""

ROUNDING = 1e-6
"""Tolerance of angles, in radians, and of distances, as a fraction of the largest."""


@dataclass(frozen=True)
class PoseDistribution:
    """Positions and directions of the cameras of a capture, as ranges.

    Attributes
    ----------
    center : (3,) list of float
        Point that the cameras look at, dataset frame.
    spread : float
        Standard deviation of the distance by which they look past the centre, dataset units.
    distance : (2,) list of float
        Range of the distance from the centre, dataset units.
    elevation : (2,) list of float
        Range of the angle above the horizontal plane through the centre, radians.
    azimuth : (2,) list of float
        Range of the azimuth, radians; a range over 1.5 pi becomes the whole circle.
    up : (3,) list of float
        Mean up direction of the cameras.
    camera : dict
        Width, height, fx, fy, cx, cy of a typical camera.
    """

    center: list[float]
    spread: float
    distance: list[float]
    elevation: list[float]
    azimuth: list[float]
    up: list[float]
    camera: dict[str, float]

    @classmethod
    def from_cameras(cls, cameras: Sequence[Camera]) -> "PoseDistribution":
        """Return the ranges of at least one camera."""
        matrices = np.stack([camera.camera_to_world for camera in cameras])
        origins, axes = matrices[:, :3, 3], -_unit(matrices[:, :3, 2])
        center = _nearest_point(origins, axes)
        offset = np.cross(axes, center - origins)
        up = _unit(matrices[:, :3, 1].mean(axis=0))
        up = np.eye(3)[2] if abs(up[2]) > 0.5 else up
        distance, elevation, angles = _spherical(origins - center, up)
        typical = cameras[len(cameras) // 2]
        return cls(
            center=center.tolist(),
            spread=float(np.linalg.norm(offset, axis=1).std()),
            distance=_widened(distance),
            elevation=_widened(elevation),
            azimuth=_azimuth_range(np.sort(angles)),
            up=up.tolist(),
            camera={name: float(getattr(typical, name)) for name in LENS},
        )

    def moved(self, shift: np.ndarray) -> "PoseDistribution":
        """Return the ranges moved by a shift (3,) float64."""
        return replace(self, center=(np.array(self.center) + shift).tolist())

    def sample(self, count: int, random: np.random.Generator) -> list[Camera]:
        """Return cameras at random positions of the distribution that look near its centre."""
        azimuth = random.uniform(*self.azimuth, size=count)
        low, high = np.sin(np.clip(self.elevation, -np.pi / 2, np.pi / 2))
        height = random.uniform(low, high, size=count)
        flat = np.sqrt(np.maximum(1 - height**2, 0))
        local = np.stack((flat * np.cos(azimuth), flat * np.sin(azimuth), height), axis=1)
        distance = random.uniform(*self.distance, size=count)
        origins = self.center + (local * distance[:, None]) @ _basis(np.array(self.up)).T
        targets = self.center + random.normal(scale=self.spread + 1e-9, size=(count, 3))
        return [
            self._typical(look_at(origin, target, np.array(self.up)))
            for origin, target in zip(origins, targets, strict=True)
        ]

    def looking_in(self, azimuth: float, elevation: float, distance: float) -> Camera:
        """Return a typical camera that looks at the centre.

        Parameters
        ----------
        azimuth, elevation : float
            Direction from the centre to the camera, radians.
        distance : float
            Distance from the centre, dataset units.
        """
        flat = np.cos(elevation)
        local = np.array([flat * np.cos(azimuth), flat * np.sin(azimuth), np.sin(elevation)])
        center, up = np.array(self.center), np.array(self.up)
        return self._typical(look_at(center + distance * _basis(up) @ local, center, up))

    def _typical(self, camera_to_world: np.ndarray) -> Camera:
        size = self.camera
        return Camera(
            camera_to_world=camera_to_world,
            width=int(size["width"]),
            height=int(size["height"]),
            fx=size["fx"],
            fy=size["fy"],
            cx=size["cx"],
            cy=size["cy"],
        )

    @property
    def all_round(self) -> bool:
        """True where the cameras stand around the centre on nearly all sides."""
        return self.azimuth[1] - self.azimuth[0] >= 2 * np.pi - ROUNDING

    def contains(self, origins: np.ndarray) -> np.ndarray:
        """Return whether positions (N, 3) lie in the distribution: (N,) bool."""
        distance, elevation, azimuth = _spherical(origins - self.center, np.array(self.up))
        turn = (azimuth - self.azimuth[0]) % (2 * np.pi)
        return (
            _within(distance, self.distance, ROUNDING * distance.max(initial=1))
            & _within(elevation, self.elevation, ROUNDING)
            & (
                (turn <= self.azimuth[1] - self.azimuth[0] + ROUNDING)
                | (turn >= 2 * np.pi - ROUNDING)
            )
        )

    def to_json(self) -> dict[str, Any]:
        """Return the ranges by name, for a field's header."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "PoseDistribution":
        """Return the inverse of `to_json`.

        Raises
        ------
        TypeError, ValueError
            The data are not what `to_json` gives; files of others may hold anything.
        """
        poses = cls(**data)
        lengths = {"center": 3, "distance": 2, "elevation": 2, "azimuth": 2, "up": 3}
        values = [np.array(getattr(poses, name), np.float64) for name in lengths]
        sizes = [float(poses.camera[name]) for name in LENS]
        if [value.shape for value in values] != [(length,) for length in lengths.values()]:
            raise ValueError("ranges of poses have other lengths")
        if not np.isfinite([*np.concatenate(values), *sizes, poses.spread]).all():
            raise ValueError("ranges of poses must be finite")
        if min(sizes[:4]) <= 0 or max(sizes[:2]) > MAX_SIDE:
            raise ValueError("a camera of that size cannot be")
        return poses


def look_at(origin: np.ndarray, target: np.ndarray, up: np.ndarray) -> np.ndarray:
    """Return camera-to-world (4, 4), OpenGL axes, of a camera at `origin` looking at `target`."""
    back = _unit(origin - target)
    if np.linalg.norm(np.cross(up, back)) < 1e-6:
        up = np.roll(up, 1)
    right = _unit(np.cross(up, back))
    matrix = np.eye(4)
    matrix[:3, 0], matrix[:3, 1], matrix[:3, 2] = right, np.cross(back, right), back
    matrix[:3, 3] = origin
    return matrix


def _spherical(away: np.ndarray, up: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return length, elevation above the plane across `up`, and azimuth of vectors (N, 3)."""
    distance = np.linalg.norm(away, axis=1)
    local = away @ _basis(up)
    elevation = np.arcsin(np.clip(local[:, 2] / np.maximum(distance, 1e-9), -1, 1))
    return distance, elevation, np.arctan2(local[:, 1], local[:, 0])


def _within(values: np.ndarray, limits: list[float], slack: float) -> np.ndarray:
    return (values >= limits[0] - slack) & (values <= limits[1] + slack)


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-12)


def _basis(up: np.ndarray) -> np.ndarray:
    """Return orthonormal columns (x, y, up)."""
    side = np.eye(3)[np.argmin(np.abs(up))]
    x = _unit(np.cross(side, up))
    return np.stack((x, np.cross(up, x), up), axis=1)


def _nearest_point(origins: np.ndarray, axes: np.ndarray) -> np.ndarray:
    """Return the point nearest to all lines in least squares, regularised towards their origins."""
    across = np.eye(3) - axes[:, :, None] * axes[:, None, :]
    matrix = across.sum(axis=0) + 1e-6 * np.eye(3)
    return np.linalg.solve(matrix, np.einsum("nij,nj->i", across, origins))


def _widened(values: np.ndarray) -> list[float]:
    low, high = float(values.min()), float(values.max())
    margin = MARGIN * (high - low)
    return [low - margin, high + margin]


def _azimuth_range(sorted_angles: np.ndarray) -> list[float]:
    """Return the smallest range that holds all angles; the whole circle when little is missing."""
    gaps = np.diff(np.append(sorted_angles, sorted_angles[0] + 2 * np.pi))
    widest = int(np.argmax(gaps))
    start = float(sorted_angles[(widest + 1) % len(sorted_angles)])
    span = float(2 * np.pi - gaps[widest])
    if span > 1.5 * np.pi:
        return [0.0, 2 * np.pi]
    return [start - MARGIN * span, start + span * (1 + MARGIN)]
