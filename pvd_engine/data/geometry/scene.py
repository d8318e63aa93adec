"""What kind of scene a capture shows, found from its images, cameras and known depths.

The kind decides in which map of space a field computes: an ``object`` is all in its box, an
``unbounded`` scene goes on outside it, and a ``forward_facing`` one is seen from one side only.
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

NEAR_SHARE = 0.75
"""Where the near plane lies, as a share of the least known depth (as NeRF's LLFF loader has it)."""

NEAR_UNKNOWN = 0.5
"""The least depth, in sizes of the camera array, where nothing tells it."""

ODD_POINTS = 0.01
"""Share of the sparse points, the nearest ones, that the near plane does not follow."""

ROOM = 1.001
"""Growth of the angles that a frame holds, against rounding."""

WIDEST = 5.0
"""Tangent of the widest half angle that one projection holds for all cameras."""


@dataclass(frozen=True)
class Scene:
    """A kind of scene, and what its map of space is made of.

    Attributes
    ----------
    form : dict
        ``kind``, a `SceneKind`; of a forward-facing scene also ``reference``, the camera-to-world
        matrix of the camera in the midst of all, ``tangents`` of the half angles that hold what
        all cameras see, and ``near``, a depth before everything, dataset units.
    reason : str
        One sentence: why it is taken for that.
    """

    form: dict[str, Any]
    reason: str

    @property
    def kind(self) -> SceneKind:
        """What the form says."""
        return self.form["kind"]


def find_scene(capture: Capture, kind: SceneKind | None = None) -> Scene:
    """Tell what kind of scene a capture shows.

    Parameters
    ----------
    capture : Capture
    kind : str, optional
        A `SceneKind`, where that was chosen by somebody.

    Raises
    ------
    UserError
        A forward-facing scene is asked for, but the cameras look to too many sides.
    """
    if kind is None:
        return _found(capture)
    reason = f"The scene was said to be {kind.replace('_', '-')}."
    if kind != "forward_facing":
        return Scene({"kind": kind}, reason)
    form = _facing_form(capture)
    if form is None:
        raise UserError(
            "The cameras look to too many sides for a forward-facing scene; take unbounded."
        )
    return Scene(form, reason)


def _found(capture: Capture) -> Scene:
    if capture.has_alpha:
        return Scene({"kind": "object"}, "The images show an object on transparent ground.")
    if capture.bounded:
        return Scene({"kind": "object"}, "The file says between which bounds everything lies.")
    cameras = [view.camera for view in capture.views]
    if looked_at(cameras) is not None:
        return Scene(
            {"kind": "unbounded"},
            "The images are opaque and the cameras go around a common point, so there are"
            " surroundings beyond the box.",
        )
    form = _facing_form(capture) if look_the_same_way(cameras) else None
    if form is not None:
        return Scene(form, "The images are opaque and the cameras look the same way.")
    return Scene(
        {"kind": "unbounded"},
        "The images are opaque and the cameras look to several sides, so there are surroundings"
        " beyond the box.",
    )


def _facing_form(capture: Capture) -> dict[str, Any] | None:
    """A forward-facing scene as `Scene.form`; None where no one projection holds all cameras."""
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
    """How far aside (2,) a camera sees beyond the near plane, by depth; infinite from 90°."""
    position = camera.camera_to_world[:3, 3]
    start = (position - reference[:3, 3]) @ reference[:3, :3]
    beams = (corners_at(camera, 1.0) - position) @ reference[:3, :3]
    growth = -beams[:, 2:]
    if not (growth > 0).all():
        return np.full(2, np.inf)
    # What lies aside by depth is most where a beam comes through the near plane, or at infinity.
    entry = np.maximum((near + start[2]) / growth, 0)
    through = start + entry * beams
    return np.abs(np.concatenate([through[:, :2] / -through[:, 2:], beams[:, :2] / growth])).max(0)


def _middle_camera(cameras: Sequence[Camera]) -> np.ndarray | None:
    """Mean position and orientation (4, 4), or None where the cameras have no mean direction."""
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
    """The depth of a plane before everything, from the reference camera, dataset units."""
    positions = np.array([view.camera.camera_to_world[:3, 3] for view in capture.views])
    if capture.nearest is not None:
        behind = ((positions - reference[:3, 3]) @ reference[:3, 2]).max()
        return NEAR_SHARE * max(capture.nearest - behind, 0.5 * capture.nearest)
    if capture.points is not None and len(capture.points.positions):
        depths = -(capture.points.positions - reference[:3, 3]) @ reference[:3, 2]
        ahead = depths[depths > 0]
        if len(ahead):
            return NEAR_SHARE * float(np.quantile(ahead, ODD_POINTS))
    return NEAR_SHARE * NEAR_UNKNOWN * (positions_spread(positions) or 1.0)
