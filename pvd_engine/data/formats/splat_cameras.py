"""The cameras of a Gaussian splat's training: the ``cameras.json`` of INRIA's program.

It is a list of ``{"id", "img_name", "width", "height", "position", "rotation", "fx", "fy"}``:
``position`` is the camera's, and ``rotation`` (3 rows of 3 numbers) turns the camera's axes into
the frame of the splats. The axes are OpenCV's: x right, y down, z forward. The principal point is
the middle of the image, and there is no distortion.
"""

from pathlib import Path
from typing import Any

import numpy as np

from ...errors import UserError
from ...files.json_input import read_json
from ..capture import Camera
from ..geometry.intrinsics import focal_length, image_side
from .cameras_json import MAX_CAMERAS, read_cameras
from .pose_values import pose

NAME = "cameras.json"

FOLDERS_ABOVE = 2
"""Folders between a cloud and its cameras: ``point_cloud/iteration_30000/point_cloud.ply``."""

OPENGL = np.diag([1.0, -1.0, -1.0])
"""Axes of OpenGL's cameras in those of OpenCV's."""


def splat_cameras(path: Path) -> list[Camera]:
    """Read the cameras of a splat's training.

    Parameters
    ----------
    path : Path
        The ``cameras.json`` of INRIA's program, or one of this program (`cameras_json`).

    Returns
    -------
    list of Camera
        In the frame of the splats; at least one.

    Raises
    ------
    UserError
        The file or a camera in it is wrong.
    """
    content = read_json(path)
    if isinstance(content, dict):
        return [view.camera for view in read_cameras(path)]
    if not isinstance(content, list) or not content:
        raise UserError(f"{path} has no cameras; give the cameras.json of the splats' training.")
    if len(content) > MAX_CAMERAS:
        raise UserError(f"{path} has {len(content)} cameras; at most {MAX_CAMERAS} can be read.")
    return [_camera(entry, f"{path.name}, camera {n}") for n, entry in enumerate(content)]


def cameras_near(cloud: Path) -> Path | None:
    """Return the ``cameras.json`` beside a cloud, or above it in the folder of a training."""
    folders = [cloud.parent]
    if cloud.parent.parent.name == "point_cloud":
        folders.append(cloud.parents[FOLDERS_ABOVE])
    found = (folder / NAME for folder in folders)
    return next((path for path in found if path.is_file()), None)


def _camera(entry: Any, where: str) -> Camera:
    if not isinstance(entry, dict):
        raise UserError(f"{where}: it must be a JSON object.")
    position, rotation = (_three(entry.get(key), key, where) for key in ("position", "rotation"))
    rows = [
        [*_three(row, "a row of its rotation", where), at]
        for row, at in zip(rotation, position, strict=True)
    ]
    matrix, _ = pose(rows, "rotation", where)
    matrix[:3, :3] = matrix[:3, :3] @ OPENGL
    width, height = (image_side(entry.get(key), key, where) for key in ("width", "height"))
    return Camera(
        camera_to_world=matrix,
        width=width,
        height=height,
        fx=focal_length(entry.get("fx"), "fx", width, where),
        fy=focal_length(entry.get("fy"), "fy", height, where),
        cx=width / 2,
        cy=height / 2,
    )


def _three(value: Any, what: str, where: str) -> list[Any]:
    if not isinstance(value, list) or len(value) != 3:
        raise UserError(f"{where}: {what} must be a list of 3.")
    return value
