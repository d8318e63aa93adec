"""Checks on decoded JSON whose errors name the key; the caller names the file and the entry."""

import math
from typing import Any

import numpy as np


class InvalidJsonError(ValueError):
    """An invalid value; the message names its key and says what is wrong."""


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
