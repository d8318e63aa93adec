"""The kind of scene that a capture shows, found from its images, cameras and known depths.

The kind decides the map of space of a field: an ``object`` lies entirely in its box, an
``unbounded`` scene continues outside it, and a ``forward_facing`` one is seen from one side only.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from ...errors import UserError
from ..capture import Camera, Capture
from .bounds import (
    corners_at,
    look_the_same_way,
    looked_at,
    optical_axis,
    positions_spread,
    see_all_round,
)

SceneKind = Literal["object", "forward_facing", "unbounded"]

NEAR_FRACTION = 0.75
"""Depth of the near plane over the smallest known depth, as in NeRF's LLFF loader."""

NEAR_UNKNOWN = 0.5
"""Smallest depth, in sizes of the camera array, where no depth is known."""

ODD_POINTS = 0.01
"""Fraction of the sparse points, the nearest ones, that the near plane ignores."""

ROOM = 1.001
"""Factor by which the tangents of the map's angles grow, against rounding."""

WIDEST = 5.0
"""Tangent of the widest half angle of a forward-facing scene."""


@dataclass(frozen=True)
class Scene:
    """A kind of scene, and the parameters of its map of space.

    Attributes
    ----------
    form : dict
        ``kind``, a `SceneKind`; of a forward-facing scene also ``reference``, the camera-to-world
        matrix of the camera in the middle, ``tangents`` of the half angles that hold what all
        cameras see, and ``near``, a depth in front of everything, dataset units.
    reason : str
        Reason for the kind, one sentence.
    """

    form: dict[str, Any]
    reason: str

    @property
    def kind(self) -> SceneKind:
        """Kind of the scene."""
        return self.form["kind"]


def find_scene(capture: Capture, kind: SceneKind | None = None) -> Scene:
    """Return the scene that a capture shows.

    Parameters
    ----------
    capture : Capture
    kind : str, optional
        A `SceneKind` that the user chose; found from the capture by default.

    Raises
    ------
    UserError
        A forward-facing scene is requested, but the cameras look in too many directions.
    """
    if kind is None:
        return _found(capture)
    reason = f"The scene was set to {kind.replace('_', '-')}."
    if kind != "forward_facing":
        return Scene({"kind": kind}, reason)
    form = _facing_form(capture)
    if form is None:
        raise UserError(
            "The cameras look in too many directions for a forward-facing scene; choose unbounded."
        )
    return Scene(form, reason)


def _found(capture: Capture) -> Scene:
    if capture.has_alpha:
        return Scene({"kind": "object"}, "The images show an object on a transparent background.")
    if capture.bounded:
        return Scene({"kind": "object"}, "The file states the bounds of all that the images show.")
    cameras = [view.camera for view in capture.views]
    if looked_at(cameras) is not None:
        return Scene(
            {"kind": "unbounded"},
            "The images are opaque and the cameras look at a common point, so there are"
            " surroundings beyond the box.",
        )
    form = _facing_form(capture) if look_the_same_way(cameras) else None
    if form is not None:
        return Scene(form, "The images are opaque and the cameras look the same way.")
    return Scene(
        {"kind": "unbounded"},
        "The images are opaque and the cameras look in several directions, so there are"
        " surroundings beyond the box.",
    )


def _facing_form(capture: Capture) -> dict[str, Any] | None:
    """Return a forward-facing `Scene.form`; None where one projection cannot hold all cameras."""
    cameras = [view.camera for view in capture.views]
    reference = _middle_camera(cameras)
    if reference is None or see_all_round(cameras):
        return None
    near = _least_depth(capture, reference)
    tangents = ROOM * np.max([_tangents(camera, reference, near) for camera in cameras], axis=0)
    if not (tangents < WIDEST).all():
        return None
    return {
        "kind": "forward_facing",
        "reference": reference.tolist(),
        "tangents": tangents.tolist(),
        "near": float(near),
    }


def _tangents(camera: Camera, reference: np.ndarray, near: float) -> np.ndarray:
    """Return the tangents (2,) of what a camera sees beyond the near plane; infinite from 90°."""
    position = camera.camera_to_world[:3, 3]
    start = (position - reference[:3, 3]) @ reference[:3, :3]
    beams = (corners_at(camera, 1.0) - position) @ reference[:3, :3]
    growth = -beams[:, 2:]
    if not (growth > 0).all():
        return np.full(2, np.inf)
    # The tangent of a beam is largest where it passes the near plane, or at infinity.
    entry = np.maximum((near + start[2]) / growth, 0)
    through = start + entry * beams
    return np.abs(np.concatenate([through[:, :2] / -through[:, 2:], beams[:, :2] / growth])).max(0)


def _middle_camera(cameras: Sequence[Camera]) -> np.ndarray | None:
    """Return the mean pose (4, 4), or None where the cameras have no mean direction."""
    back = -np.mean([optical_axis(camera) for camera in cameras], axis=0)
    up = np.mean([camera.camera_to_world[:3, 1] for camera in cameras], axis=0)
    right = np.cross(up, back)
    if np.linalg.norm(back) < 1e-3 or np.linalg.norm(right) < 1e-3:
        return None
    back, right = back / np.linalg.norm(back), right / np.linalg.norm(right)
    middle = np.eye(4)
    middle[:3, :3] = np.stack([right, np.cross(back, right), back], axis=-1)
    middle[:3, 3] = np.mean([camera.camera_to_world[:3, 3] for camera in cameras], axis=0)
    return middle


def _least_depth(capture: Capture, reference: np.ndarray) -> float:
    """Return the depth of a plane in front of everything, from the reference camera."""
    positions = np.array([view.camera.camera_to_world[:3, 3] for view in capture.views])
    if capture.nearest is not None:
        behind = ((positions - reference[:3, 3]) @ reference[:3, 2]).max()
        return NEAR_FRACTION * max(capture.nearest - behind, 0.5 * capture.nearest)
    if capture.points is not None and len(capture.points.positions):
        depths = -(capture.points.positions - reference[:3, 3]) @ reference[:3, 2]
        ahead = depths[depths > 0]
        if len(ahead):
            return NEAR_FRACTION * float(np.quantile(ahead, ODD_POINTS))
    return NEAR_FRACTION * NEAR_UNKNOWN * (positions_spread(positions) or 1.0)
