"""NeRF-Synthetic: ``transforms_train.json``, ``transforms_val.json``, ``transforms_test.json``.

Blender wrote them like this for NeRF: one horizontal angle of view per file, square pixels, the
principal point at the centre, no distortion. Programs add ``.png`` to each ``file_path``.
"""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ...errors import UserError
from ...files.atomic import write_json
from ..capture import SPLITS, Camera, Capture, Frame, View
from ..geometry.bounds import find_box
from .lenses import given_back, how_to_write
from .pictures import Picture, PictureRules

RULES = PictureRules(only_png=True, masks=False)
"""Rules of NeRF-Synthetic's images."""

EXACT = 1e-12
"""Relative tolerance of numbers that are equal up to the order of their computation."""


def write_nerf_synthetic(capture: Capture, pictures: Sequence[Picture], folder: Path) -> list[str]:
    """Write one camera file for each split that has views.

    Parameters
    ----------
    capture : Capture
    pictures : sequence of Picture
        Images of its views, in the same order.
    folder : Path

    Returns
    -------
    list of str
        Sentences about changes and omissions.

    Raises
    ------
    UserError
        The format cannot state a camera exactly, or a file cannot be written.
    """
    if not capture.split("train"):
        raise UserError(
            "NeRF-Synthetic needs train views, but the capture has none; write --to nerfstudio."
        )
    for split in SPLITS:
        chosen = [picture for picture in pictures if picture.view.split == split]
        if not chosen:
            continue
        camera = _shared_camera([picture.view for picture in chosen])
        entries = [
            {
                "file_path": f"./{picture.path.with_suffix('')}",
                "transform_matrix": picture.view.camera.camera_to_world,
            }
            for picture in chosen
        ]
        angle = camera_angle(camera.fx, camera.width)
        write_json(
            folder / f"transforms_{split}.json", {"camera_angle_x": angle, "frames": entries}
        )
    return _left_out(capture)


def camera_angle(focal: float, width: int) -> float:
    """Return the angle of view, in radians, from which a reader computes a focal length.

    Parameters
    ----------
    focal, width : float, int
        Pixels.

    Returns
    -------
    float
        Near 2 atan(width / (2 focal)), as `given_back` finds it.
    """
    # Twice: where no angle gives the focal length exactly, the nearest angle is replaced by the one
    # chosen for its own focal length, so that a file that is read and written again stays the same.
    return _nearest_angle(_focal(_nearest_angle(focal, width), width), width)


def _nearest_angle(focal: float, width: int) -> float:
    middle = 2 * math.atan(0.5 * width / focal)
    return given_back(focal, lambda angle: _focal(angle, width), middle)


def _focal(angle: float, width: int) -> float:
    return 0.5 * width / math.tan(0.5 * angle)


def _shared_camera(views: Sequence[View]) -> Camera:
    """Return a camera with the intrinsics of all views, or raise UserError."""
    first = views[0]
    for view in views:
        reason = _reason_against(view, first)
        if reason is not None:
            raise UserError(
                f"NeRF-Synthetic cannot hold {view.name} because {reason}; "
                f"{how_to_write(view.camera)}."
            )
    return first.camera


def _reason_against(view: View, first: View) -> str | None:
    """Return the reason why one file cannot hold a view and another one, or None."""
    camera, other = view.camera, first.camera
    if camera.distortion_model != "none":
        return f"its lens is not a pinhole ({camera.distortion_model})"
    if not math.isclose(camera.fx, camera.fy, rel_tol=EXACT):
        return f"its pixels are not square (focal lengths {camera.fx:.8g} and {camera.fy:.8g})"
    for center, side in ((camera.cx, camera.width), (camera.cy, camera.height)):
        if not math.isclose(center, 0.5 * side, rel_tol=EXACT):
            return f"its principal point ({camera.cx:.8g}, {camera.cy:.8g}) is not at the centre"
    if (camera.width, camera.height) != (other.width, other.height):
        return f"its size differs from that of {first.name}"
    if not math.isclose(camera.fx, other.fx, rel_tol=EXACT):
        return f"its focal length differs from that of {first.name}"
    return None


def _left_out(capture: Capture) -> list[str]:
    notes = []
    found, _ = find_box([view.camera for view in capture.views], Frame(), capture.has_alpha)
    if not np.allclose(found, capture.box, rtol=1e-9, atol=0):
        notes.append("NeRF-Synthetic has no box, so readers choose the scene's box themselves.")
    if not np.array_equal(capture.frame.applied_transform, Frame().applied_transform):
        notes.append(
            "NeRF-Synthetic has no applied_transform, so the transform to the original world "
            "was left out."
        )
    if capture.points is not None or capture.points_path is not None:
        notes.append("NeRF-Synthetic has no sparse points; they were left out.")
    if any(view.is_masked for view in capture.views):
        notes.append(
            "NeRF-Synthetic has no masks; they were left out, so training uses all pixels."
        )
    return notes
