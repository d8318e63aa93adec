"""The scene's box: as the file states it, else from the directions of the cameras.

instant-ngp trains in the unit cube about 0.5, grown by ``aabb_scale``. It maps a dataset position p
into the cube as ``cycle(p * scale + offset)``; the axes are cycled after the offset is added
(``NerfDataset::nerf_position_to_ngp``). The cube is the same along every axis, so the cycling
moves none of its faces, and the offset belongs to the dataset's axes.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from ...errors import UserError
from ..capture import Camera, Frame
from .far_origin import far_origin

NGP_SCALE = 0.33
"""Default of instant-ngp's ``scale``."""
NGP_OFFSET = (0.5, 0.5, 0.5)
"""Default of instant-ngp's ``offset``."""

MARGIN = 1.05
"""Factor by which a box from the cameras is larger than what they see."""

FRAMING_QUANTILE = 0.9
"""Quantile of the cameras' framings that sets the size: above close-ups, below far cameras."""

SURROUNDINGS = 1.5
"""Half side of an opaque capture's box over its cameras' median distance from the centre, as
instant-ngp's COLMAP script sets it for *fox* (``aabb_scale`` 4)."""

MIN_SPREAD = np.sin(np.radians(10.0)) ** 2
"""Smallest mean squared sine between the optical axes and their mean for a reliable centre."""

AGREEMENT = 0.8
"""Fraction of the cameras that must have the common centre in view."""

FORWARD_DEPTH = 10.0
"""Depth of a forward-facing box, in sizes of the camera array, where no depth is known."""

SAME_WAY = 0.8
"""Smallest length of the mean optical axis of cameras that look the same way."""

FARTHEST = 1e12
"""Largest coordinate or depth, in dataset units; larger ones are mistakes, as in camera poses."""

LEAST_SIDE = 1e-6
"""Smallest side of a box over its largest coordinate: a few float32 roundings."""

ODD_BOUNDS = 0.01
"""Fraction of the known near and far depths, at either end, that a box ignores."""


def crop_box(corners: npt.ArrayLike) -> np.ndarray:
    """Return the box that a user gives, (2, 3) float64, from its six numbers.

    Raises
    ------
    UserError
        Its minimum is not below its maximum.
    """
    crop = np.asarray(corners, np.float64)
    crop = crop.reshape(2, 3) if crop.size == 6 else crop
    if crop.shape != (2, 3) or not np.isfinite(crop).all() or not (crop[0] < crop[1]).all():
        raise UserError(
            "The crop box is not valid; its minimum corner must lie below its maximum corner."
        )
    return crop


def file_box(corners: npt.ArrayLike, where: str) -> np.ndarray:
    """Return the box that a file states, (2, 3) float64, from its two corners.

    Raises
    ------
    UserError
        Its lower corner is not below its upper one in float32, or a corner lies beyond `FARTHEST`.
    """
    box = np.asarray(corners, np.float64)
    if not (np.abs(box) <= FARTHEST).all() or not (np.float32(box[0]) < np.float32(box[1])).all():
        raise UserError(
            f"{where}: the box's upper corner must lie above the lower one, both within "
            f"{FARTHEST:g} units; correct the file."
        )
    return box


def find_box(cameras: Sequence[Camera], frame: Frame, has_alpha: bool) -> tuple[np.ndarray, str]:
    """Return the box of a scene.

    Parameters
    ----------
    cameras : sequence of Camera
        At least one.
    frame : Frame
        The capture's frame; its ``aabb``, ``aabb_scale``, ``scale`` and ``offset`` take precedence.
    has_alpha : bool
        The images show an object on a transparent background, so the box needs no surroundings.

    Returns
    -------
    box : (2, 3) float64 array
        Minimum and maximum corner, dataset frame.
    source : str
        Origin of the box, one sentence.

    Raises
    ------
    UserError
        As `file_box`, for a box that the file states.
    """
    if frame.aabb is not None:
        return _box_from_aabb(frame)
    if frame.aabb_scale is not None or frame.scale is not None or frame.offset is not None:
        return _box_from_ngp(frame)
    box, source = _box_of_cameras(cameras, has_alpha)
    return _with_volume(box, far_origin(cameras, box)), source


def _box_of_cameras(cameras: Sequence[Camera], has_alpha: bool) -> tuple[np.ndarray, str]:
    positions = np.array([camera.camera_to_world[:3, 3] for camera in cameras])
    axes = np.array([optical_axis(camera) for camera in cameras])
    center = looked_at(cameras)
    if center is not None:
        return _box_around(cameras, positions, axes, center, has_alpha)
    if look_the_same_way(cameras):
        return _box_ahead(cameras, positions)
    return _box_about_cameras(positions)


def box_between(
    cameras: Sequence[Camera], near: np.ndarray, far: np.ndarray
) -> tuple[np.ndarray, str]:
    """Return the box of what cameras see between known depths.

    Parameters
    ----------
    cameras : sequence of Camera
    near, far : (N,) array
        Depths along each camera's optical axis between which the scene lies, dataset frame.

    Returns
    -------
    box : (2, 3) float64 array
        Box around every camera's frustum between its two depths, dataset frame. The nearest and
        the farthest 1 % of all depths (`ODD_BOUNDS`) are clamped, so that one odd view does not
        set the size.
    source : str
        Origin of the box, one sentence.
    """
    nearest = np.maximum(near, np.quantile(near, ODD_BOUNDS))
    farthest = np.minimum(far, np.quantile(far, 1 - ODD_BOUNDS))
    corners = [
        corners_at(camera, depth)
        for camera, *depths in zip(cameras, nearest, farthest, strict=True)
        for depth in depths
    ]
    points = np.concatenate(corners)
    return np.stack([points.min(axis=0), points.max(axis=0)]), (
        "The box holds what the cameras see between the near and far depths of the file "
        f"({nearest.min():.4g} to {farthest.max():.4g})."
    )


def looked_at(cameras: Sequence[Camera]) -> np.ndarray | None:
    """Return the point, (3,) dataset frame, that the cameras look at; None if they share none."""
    if see_all_round(cameras):
        return None
    positions = np.array([camera.camera_to_world[:3, 3] for camera in cameras])
    axes = np.array([optical_axis(camera) for camera in cameras])
    center = common_center(positions, axes)
    return center if center is not None and _mostly_in_view(cameras, center) else None


def common_center(positions: np.ndarray, axes: np.ndarray) -> np.ndarray | None:
    """Return the point nearest to all optical axes, in the least-squares sense.

    Parameters
    ----------
    positions : (N, 3) array
    axes : (N, 3) array
        Unit vectors.

    Returns
    -------
    (3,) array or None
        None when the axes are so nearly parallel that the point is not reliable.
    """
    projectors = np.eye(3) - axes[:, :, None] * axes[:, None, :]
    system = projectors.mean(axis=0)
    if np.linalg.eigvalsh(system)[0] < MIN_SPREAD:
        return None
    return np.linalg.solve(system, np.einsum("nij,nj->i", projectors, positions) / len(positions))


def _box_from_aabb(frame: Frame) -> tuple[np.ndarray, str]:
    assert frame.aabb is not None
    center = frame.aabb.mean(axis=0)
    half = 0.5 * (frame.aabb[1] - frame.aabb[0]).max() * (frame.aabb_scale or 1.0)
    return file_box(_cube(center, half), "aabb"), (
        "The box is the file's aabb, made a cube as instant-ngp does."
    )


def _box_from_ngp(frame: Frame) -> tuple[np.ndarray, str]:
    side = 1.0 if frame.aabb_scale is None else frame.aabb_scale
    scale = NGP_SCALE if frame.scale is None else frame.scale
    offset = np.array(NGP_OFFSET if frame.offset is None else frame.offset)
    box = file_box(
        _cube((0.5 - offset) / scale, 0.5 * side / scale), "aabb_scale, scale and offset"
    )
    numbers = ", ".join(f"{value:g}" for value in offset)
    return box, (
        f"The box is instant-ngp's: aabb_scale {side:g}, scale {scale:g}, offset ({numbers})."
    )


def _box_around(
    cameras: Sequence[Camera],
    positions: np.ndarray,
    axes: np.ndarray,
    center: np.ndarray,
    has_alpha: bool,
) -> tuple[np.ndarray, str]:
    if not has_alpha:
        distance = np.linalg.norm(positions - center, axis=1)
        half = max(SURROUNDINGS * float(np.median(distance)), MARGIN * float(distance.max()))
        return _cube(center, half), (
            "The box is a cube around the point that the cameras look at, large enough for "
            "the cameras and the surroundings in their opaque images."
        )
    depth = np.einsum("ni,ni->n", center - positions, axes)
    framing = np.array([d * _smaller_tangent(c) for d, c in zip(depth, cameras, strict=True)])
    half = MARGIN * float(np.quantile(framing[depth > 0], FRAMING_QUANTILE))
    return _cube(center, half), (
        "The box is a cube around the point that the cameras look at, as wide as what they "
        "frame there."
    )


def _box_ahead(cameras: Sequence[Camera], positions: np.ndarray) -> tuple[np.ndarray, str]:
    size = positions_spread(positions)
    depth = FORWARD_DEPTH * (size if size > 0 else 1.0)
    points = np.concatenate([positions, *(corners_at(camera, depth) for camera in cameras)])
    return np.stack([points.min(axis=0), points.max(axis=0)]), (
        f"The cameras look the same way, so the box holds what they see up to a depth of "
        f"{depth:.4g} ({FORWARD_DEPTH:g} times the spread of the cameras)."
    )


def _box_about_cameras(positions: np.ndarray) -> tuple[np.ndarray, str]:
    size = positions_spread(positions)
    margin = size if size > 0 else 1.0
    box = np.stack([positions.min(axis=0) - margin, positions.max(axis=0) + margin])
    return box, (
        f"The cameras look outwards, so the box holds them with a margin of {margin:.4g} on every "
        "side (their own spread)."
    )


def _mostly_in_view(cameras: Sequence[Camera], point: np.ndarray) -> bool:
    seen = 0
    for camera in cameras:
        rotation, position = camera.camera_to_world[:3, :3], camera.camera_to_world[:3, 3]
        x, y, z = rotation.T @ (point - position)
        if z < 0:
            tangents = abs(x / z) * camera.fx, abs(y / z) * camera.fy
            seen += tangents[0] < 0.5 * camera.width and tangents[1] < 0.5 * camera.height
    return seen >= AGREEMENT * len(cameras)


def look_the_same_way(cameras: Sequence[Camera]) -> bool:
    """Return whether the cameras' optical axes are nearly parallel."""
    axes = [optical_axis(camera) for camera in cameras]
    return not see_all_round(cameras) and float(np.linalg.norm(np.mean(axes, axis=0))) > SAME_WAY


def see_all_round(cameras: Sequence[Camera]) -> bool:
    """Return whether any camera is a panorama, which looks in all directions alike."""
    return any(camera.distortion_model == "equirectangular" for camera in cameras)


def optical_axis(camera: Camera) -> np.ndarray:
    """Return the unit vector (3,) along which a camera looks."""
    axis = -camera.camera_to_world[:3, 2]
    return axis / np.linalg.norm(axis)


def corners_at(camera: Camera, depth: float) -> np.ndarray:
    """Return the points, (4, 3), of the image's corners at a depth, without distortion."""
    rotation, position = camera.camera_to_world[:3, :3], camera.camera_to_world[:3, 3]
    x, y = 0.5 * camera.width / camera.fx, 0.5 * camera.height / camera.fy
    in_camera = np.array([(-x, -y, -1.0), (x, -y, -1.0), (-x, y, -1.0), (x, y, -1.0)])
    return position + depth * in_camera @ rotation.T


def _smaller_tangent(camera: Camera) -> float:
    return 0.5 * min(camera.width / camera.fx, camera.height / camera.fy)


def positions_spread(positions: np.ndarray) -> float:
    """Return the diagonal of the box around positions (N, 3)."""
    return float(np.linalg.norm(positions.max(axis=0) - positions.min(axis=0)))


def _with_volume(box: np.ndarray, origin: np.ndarray) -> np.ndarray:
    """Return the box, or a larger one where float32 cannot distinguish a side from zero.

    There positions are counted from the origin.
    """
    least = LEAST_SIDE * (np.abs(box - origin).max() or 1.0)
    if (np.ptp(box, axis=0) >= least).all():
        return box
    center, half = box.mean(axis=0), 0.5 * np.maximum(np.ptp(box, axis=0), least)
    return np.stack([center - half, center + half])


def _cube(center: np.ndarray, half: float) -> np.ndarray:
    return np.stack([center - half, center + half])
