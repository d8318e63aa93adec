"""Reading JSON written by others: size, depth and numbers are checked before anything uses them."""

import json
import math
import unicodedata
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import UserError
from .text_input import read_text

MAX_BYTES = 128 * 1024 * 1024
"""Largest JSON file read; 20,000 nerfstudio frames with their matrices take about 25 MB."""

MAX_DEPTH = 24

MAX_VALUES = 8_000_000
"""Most commas and brackets of a JSON file: each stands for up to 80 bytes of memory. A frame with a
matrix and a lens of its own has about 40, so that `MAX_FRAMES` of them fit."""

ORTHOGONALITY_TOLERANCE = 1e-2
"""Largest entry of RᵀR/s² − I that still counts as a rotation written with few digits."""

EXACT_TOLERANCE = 1e-5
"""Below this deviation (a few float32 roundings) the file's own numbers are kept untouched."""


_NOT_IN_NAMES = ("Cc", "Cs", "Zl", "Zp")
"""Unicode's categories of controls, halves of characters, and ends of lines and paragraphs."""


def read_json_object(path: Path) -> dict[str, Any]:
    """Read a JSON file whose top level is an object.

    Parameters
    ----------
    path : Path

    Returns
    -------
    dict

    Raises
    ------
    UserError
        As `read_text`, or the file is not JSON, holds NaN or Infinity or more than `MAX_VALUES`
        values, is nested deeper than `MAX_DEPTH`, or its top level is not an object.
    """
    text = read_text(path, MAX_BYTES)
    if sum(text.count(mark) for mark in ",[{") > MAX_VALUES:
        raise UserError(f"{path} holds more than {MAX_VALUES} values, too many for a camera file.")
    try:
        content = json.loads(text, parse_constant=_refuse_constant)
    except RecursionError as error:
        raise UserError(f"{path} is nested too deeply to be a camera file.") from error
    except json.JSONDecodeError as error:
        raise UserError(
            f"{path} is not valid JSON: {error.msg} in line {error.lineno}, column {error.colno}."
        ) from error
    except ValueError as error:
        raise UserError(f"{path} is not valid JSON: {error}.") from error
    if not isinstance(content, dict):
        raise UserError(f"{path} must hold a JSON object at its top level.")
    _check_depth(content, path)
    return content


def finite_number(value: Any, what: str, where: str) -> float:
    """Return `value` as a float, or raise UserError naming `what` and `where` it stands."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise UserError(f"{where}: {what} must be a number, not {_describe(value)}.")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise UserError(f"{where}: {what} must be a finite number.")
    return number


def positive_number(value: Any, what: str, where: str) -> float:
    """Return `value` as a float above zero, or raise UserError."""
    number = finite_number(value, what, where)
    if number <= 0:
        raise UserError(f"{where}: {what} must be above zero, but is {number:g}.")
    return number


def text_value(value: Any, what: str, where: str) -> str:
    """Return `value` when it is a string fit to be a name or path, or raise UserError."""
    if not isinstance(value, str) or not value.strip():
        raise UserError(f"{where}: {what} must be text, not {_describe(value)}.")
    if any(unicodedata.category(letter) in _NOT_IN_NAMES for letter in value):
        raise UserError(f"{where}: {what} holds characters that no file name can have.")
    return value


def shortened(text: str, most: int = 80) -> str:
    """A name as messages show it."""
    return text if len(text) <= most else f"{text[:most]}…"


def matrix_3x4(value: Any, what: str, where: str) -> np.ndarray:
    """Return a 3x4 or 4x4 nested list as a (3, 4) float64 array.

    Raises
    ------
    UserError
        Missing, of another shape, not finite, or with a last row other than (0, 0, 0, 1).
    """
    if value is None:
        raise UserError(f"{where}: {what} is missing; every frame needs one.")
    rows_fit = isinstance(value, list) and len(value) in (3, 4)
    if not rows_fit or not all(isinstance(row, list) and len(row) == 4 for row in value):
        raise UserError(f"{where}: {what} must have 4 rows of 4 numbers.")
    numbers = [
        [finite_number(entry, f"an entry of {what}", where) for entry in row] for row in value
    ]
    matrix = np.array(numbers, dtype=np.float64)
    if len(matrix) == 4 and not np.allclose(matrix[3], (0, 0, 0, 1), rtol=0, atol=1e-6):
        raise UserError(f"{where}: the last row of {what} must be 0, 0, 0, 1.")
    return matrix[:3]


def pose(value: Any, what: str, where: str) -> tuple[np.ndarray, str | None]:
    """Return a camera-to-world matrix whose 3x3 part is a rotation.

    A uniform scale is divided out, and a rotation that is orthogonal only to a few digits is
    replaced by the nearest rotation; the file's numbers stay as they are when they are exact to
    float32.

    Returns
    -------
    matrix : (4, 4) float64 array
    change : str or None
        What had to be changed, as part of a sentence (``"was scaled by 2"``).

    Raises
    ------
    UserError
        As `matrix_3x4`, and when the 3x3 part is no rotation (mirrored, sheared or zero).
    """
    rows = matrix_3x4(value, what, where)
    linear, translation = rows[:, :3], rows[:, 3]
    magnitude = np.abs(linear).max()
    if not 1e-12 < magnitude < 1e12 or np.abs(translation).max() > 1e12:
        raise UserError(f"{where}: {what} holds numbers too small or too large for a camera pose.")
    determinant = float(np.linalg.det(linear / magnitude))
    if determinant <= 0:
        kind = "mirrored" if determinant < 0 else "flat"
        raise UserError(f"{where}: the rotation of {what} is {kind}, so it is no camera pose.")
    scale = magnitude * determinant ** (1 / 3)
    deviation = float(np.abs(linear.T @ linear / scale**2 - np.eye(3)).max())
    if deviation > ORTHOGONALITY_TOLERANCE:
        raise UserError(
            f"{where}: the 3x3 part of {what} is not a rotation (off by {deviation:.2g}); "
            "sheared or unevenly scaled cameras cannot be read."
        )
    result = np.eye(4)
    result[:3] = rows
    changes = []
    if abs(scale - 1) > ORTHOGONALITY_TOLERANCE:
        changes.append(f"was scaled by {scale:.4g}")
    if changes or deviation > EXACT_TOLERANCE or abs(scale - 1) > EXACT_TOLERANCE:
        left, _, right = np.linalg.svd(linear)
        result[:3, :3] = left @ right
        if not changes:
            changes.append(f"was a rotation only to {max(deviation, abs(scale - 1)):.1g}")
    return result, changes[0] if changes else None


def _refuse_constant(name: str) -> float:
    raise ValueError(f"it holds {name}, which is no number")


def _check_depth(content: Any, path: Path) -> None:
    level = [content]
    for _ in range(MAX_DEPTH):
        children: list[Any] = []
        for item in level:
            if isinstance(item, dict):
                children.extend(item.values())
            elif isinstance(item, list):
                children.extend(item)
        level = [child for child in children if isinstance(child, dict | list)]
        if not level:
            return
    raise UserError(f"{path} is nested too deeply to be a camera file.")


def _describe(value: Any) -> str:
    if value is None:
        return "missing"
    return shortened(repr(value), 40)
