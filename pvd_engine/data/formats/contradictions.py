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
    size = level.get(side, content.get(side))
    focal, radians = level.get(f"fl_{axis}"), level.get(f"camera_angle_{axis}")
    if radians is None and _is_number(level.get(f"{axis}_fov")):
        radians = math.radians(level[f"{axis}_fov"])
    if not all(map(_is_number, (focal, radians, size))) or not 0 < radians < math.pi:
        return False
    return abs(0.5 * size / math.tan(0.5 * radians) - focal) > TOLERANCE * abs(focal)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)
