"""Notes about intrinsics that a ``transforms.json`` states twice and differently.

Programs take one or the other: nerfstudio the file's value where instant-ngp takes the entry's, and
instant-ngp ``x_fov`` where nerfstudio takes ``fl_x``.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from ..notes import counted

TOLERANCE = 0.01
"""Largest relative difference of two focal lengths that mean the same."""

_LENS = ("fl_x", "fl_y", "cx", "cy", "w", "h", "k1", "k2", "k3", "k4", "p1", "p2", "camera_model")


def contradictions(
    content: Mapping[str, Any], frames: Sequence[Mapping[str, Any]], where: str
) -> list[str]:
    """Return the notes.

    Parameters
    ----------
    content : mapping
        The top of the file, with plain numbers.
    frames : sequence of mapping
        The camera entries, with plain numbers.
    where : str
        Name of the file.
    """
    notes = []
    keys = [key for key in _LENS if content.get(key) is not None]
    firsts = [
        next((key for key in keys if frame.get(key, content[key]) != content[key]), None)
        for frame in frames
    ]
    differing = [key for key in firsts if key is not None]
    if differing:
        entries = counted(
            len(differing), "camera entries states", "camera entries state", of=len(frames)
        )
        notes.append(
            f"{entries} another {differing[0]} than {where} does for all; the entry's was used."
        )
    for axis, side in (("x", "w"), ("y", "h")):
        if any(_differ(level, content, axis, side) for level in (content, *frames)):
            notes.append(
                f"fl_{axis} of {where} is not that of the stated angle of view; fl_{axis} was used."
            )
    return notes


def _differ(level: Mapping[str, Any], content: Mapping[str, Any], axis: str, side: str) -> bool:
    """Return whether a focal length and an angle of view at one level differ."""
    size = _number(level.get(side, content.get(side)))
    focal = _number(level.get(f"fl_{axis}"))
    degrees = math.degrees(_number(level.get(f"camera_angle_{axis}")))
    if not degrees:
        degrees = _number(level.get(f"{axis}_fov"))
    if size <= 0 or focal <= 0 or not 0 < degrees < 180:
        return False
    return abs(0.5 * size / math.tan(math.radians(0.5 * degrees)) - focal) > TOLERANCE * focal


def _number(value: Any) -> float:
    """Return a number; 0 where it is none."""
    known = isinstance(value, int | float) and abs(value) < 1e12
    return float(value) if known else 0.0
