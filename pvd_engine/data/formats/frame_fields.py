"""Fields of a camera file about its own frame: ``applied_transform``, ``aabb_scale``, ..."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import UserError
from ...files.json_input import finite_number, positive_number
from ..capture import Frame
from ..geometry.bounds import FARTHEST
from .pose_values import matrix_3x4


def read_frame_fields(content: Mapping[str, Any], path: Path) -> Frame:
    """Return the frame from the fields of instant-ngp and nerfstudio.

    Raises
    ------
    UserError
        A field is not valid.
    """
    where = path.name
    values: dict[str, Any] = {}
    if content.get("applied_transform") is not None:
        values["applied_transform"] = matrix_3x4(
            content["applied_transform"], "applied_transform", where
        )
    for key in ("aabb_scale", "scale", "applied_scale"):
        if content.get(key) is not None:
            values[key] = _factor(content[key], key, where)
    if content.get("offset") is not None:
        values["offset"] = _three(content["offset"], "offset", where)
    if content.get("aabb") is not None:
        values["aabb"] = _corners(content["aabb"], where)
    return Frame(**values)


def _factor(value: Any, what: str, where: str) -> float:
    number = positive_number(value, what, where)
    if not 1 / FARTHEST <= number <= FARTHEST:
        raise UserError(
            f"{where}: {what} is {number:g}, too large or too small for a scene; correct the file."
        )
    return number


def _three(value: Any, what: str, where: str) -> tuple[float, float, float]:
    if not isinstance(value, list):
        number = _coordinate(value, what, where)
        return number, number, number
    if len(value) != 3:
        raise UserError(f"{where}: {what} must have three numbers.")
    x, y, z = (_coordinate(entry, f"an entry of {what}", where) for entry in value)
    return x, y, z


def _coordinate(value: Any, what: str, where: str) -> float:
    number = finite_number(value, what, where)
    if abs(number) > FARTHEST:
        raise UserError(
            f"{where}: {what} is {number:g}, farther than {FARTHEST:g} units; correct the file."
        )
    return number


def _corners(value: Any, where: str) -> np.ndarray:
    if not isinstance(value, list) or len(value) != 2:
        raise UserError(f"{where}: aabb must have a lower and an upper corner.")
    corners = np.array([_three(corner, "a corner of aabb", where) for corner in value])
    if not np.all(corners[1] > corners[0]):
        raise UserError(f"{where}: the upper corner of aabb must lie above the lower one.")
    return corners
