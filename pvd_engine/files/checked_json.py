"""Reading JSON of people and scripts: every value is checked before it is used."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import UserError
from .text_input import read_text

MAX_BYTES = 512 * 1024 * 1024
"""Largest JSON file that is read, in bytes."""


class InvalidJsonError(ValueError):
    """An invalid value; the message names its key and says what is wrong."""


def read_json(path: Path) -> Any:
    """Decode a JSON file.

    Parameters
    ----------
    path : Path

    Raises
    ------
    UserError
        The file is missing, too large or not JSON.
    """
    try:
        return json.loads(read_text(path, MAX_BYTES))
    except (ValueError, RecursionError) as error:
        raise UserError(f"'{path}' is not valid JSON: {error}.") from error


def checked_object(value: Any, what: str, keys: tuple[str, ...]) -> dict[str, Any]:
    """Return a decoded object that has exactly these keys, or raise InvalidJsonError."""
    if not isinstance(value, dict) or set(value) != set(keys):
        raise InvalidJsonError(f"{what} must be an object with exactly {_names(keys)}")
    return value


def checked_numbers(value: Any, name: str, shape: tuple[int, ...]) -> np.ndarray:
    """Return nested lists as a finite float64 array of a shape; ``()`` is one number."""
    try:
        values = np.array(value)
    except (ValueError, OverflowError):
        values = np.array(None)
    if values.shape != shape or values.dtype.kind not in "iuf" or _has_bool(value):
        raise InvalidJsonError(f'"{name}" must be {_shape_words(shape)}')
    values = values.astype(np.float64)
    if not np.isfinite(values).all():
        raise InvalidJsonError(f'"{name}" holds a value that is not a finite number')
    return values


def _has_bool(value: Any) -> bool:
    return isinstance(value, bool) or (isinstance(value, list) and any(map(_has_bool, value)))


def _shape_words(shape: tuple[int, ...]) -> str:
    if not shape:
        return "a number"
    if len(shape) == 1:
        return f"a list of {shape[0]} numbers"
    return f"{shape[0]} lists of {math.prod(shape[1:])} numbers"


def _names(keys: tuple[str, ...]) -> str:
    return " and ".join(f'"{key}"' for key in keys)
