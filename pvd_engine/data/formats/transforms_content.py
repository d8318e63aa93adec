"""The content of a ``transforms.json`` in its plain form, whatever program wrote it.

What several programs write in their own way becomes what `read_entry` reads: numbers that are text,
flat matrices, poses of cameras that move, axes of OpenCV, intrinsics as a matrix, entries in an
object. Values that cannot be read stay as they are, for the checks that follow.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import UserError
from ...files.json_input import finite_number, read_json_by_hand
from ..geometry.moving_camera import pose_between
from ..notes import counted
from .contradictions import contradictions
from .keys import key_notes, refuse_keys
from .pose_values import pose
from .transforms_keys import KEYS

_NUMBERS = re.compile(
    r"fl_[xy]|camera_angle_[xy]|[xy]_fov|c[xy]|[wh]|[kps]\d|s[xy]1|omega|alpha|beta|k|aabb_scale|"
    r"scale|applied_scale|ftheta_p\d|fisheye_crop_radius|n_frames|sharpness(_discard_threshold)?"
)
"""Keys whose value is a number; nerfstudio also reads one that is text."""

_MATRICES = ("transform_matrix", "transform_matrix_start", "transform_matrix_end")
_FOCAL_KEYS = ("fl_x", "fl_y", "camera_angle_x", "camera_angle_y", "x_fov", "y_fov")
_NEIGHBOURS = 3
"""Images before and after one whose sharpness is compared."""


@dataclass
class _Changes:
    """Number of values, or camera entries, of each kind that were changed."""

    texts: int = 0
    flat: int = 0
    moving: int = 0

    def notes(self, where: str) -> list[str]:
        told = (
            (self.texts, "number is", "numbers are", "written as text"),
            (self.flat, "matrix is", "matrices are", "written without rows"),
            (self.moving, "camera moves", "cameras move", None),
        )
        notes = []
        for count, one, many, how in told:
            if count and how:
                notes.append(f"{counted(count, one, many)} {how} in {where}.")
            elif count:
                notes.append(
                    f"{counted(count, one, many)} while the image is taken; the pose at the time "
                    "of its middle was used."
                )
        return notes


def read_content(path: Path, name: str = "") -> tuple[dict[str, Any], list[str]]:
    """Read a ``transforms.json`` and return its plain content.

    Parameters
    ----------
    path : Path
    name : str
        Its name in the notes; that of the path when not given.

    Returns
    -------
    content : dict
        ``frames``, where the file has it, is a list; those that the file itself leaves out are
        gone.
    notes : list of str
        What was changed, and what the file states and is not done.

    Raises
    ------
    UserError
        The file cannot be read, or states something without which nothing right can be read.
    """
    content, notes = read_json_by_hand(path)
    name = name or path.name
    refuse_keys(content, KEYS, str(path))
    frames, more = _frames(content, name)
    if frames is None:
        return content, notes
    notes += more + key_notes([content, *frames], KEYS, name)
    changes = _Changes()
    content = _plain_numbers(content, changes)
    turned = _has_axes_of_opencv(content, path)
    frames = [_plain_numbers(frame, changes) for frame in frames]
    notes += contradictions(content, frames, name)
    frames, more = _chosen(content, frames, name)
    plain = [_plain_entry(content, frame, turned, changes) for frame in frames]
    return {**content, "frames": plain}, [*notes, *changes.notes(name), *more]


def _frames(
    content: Mapping[str, Any], where: str
) -> tuple[list[dict[str, Any]] | None, list[str]]:
    """Return the camera entries as a list; None where they are something else."""
    notes, lists = [], []
    for key in ("frames", "test_frames"):
        entries = content.get(key)
        if isinstance(entries, dict) and entries:
            named = all(isinstance(entry, dict) for entry in entries.values())
            if not named:
                return None, []
            entries = [{"file_path": name, **entry} for name, entry in entries.items()]
            notes.append(f"{key} of {where} is an object; its values were read as a list.")
        if entries is None and key == "test_frames":
            entries = []
        if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
            return None, []
        lists.append(entries)
    tested = {str(entry.get("file_path")) for entry in lists[1]}
    lists[0] = [entry for entry in lists[0] if str(entry.get("file_path")) not in tested]
    if lists[1]:
        lists = [
            [{"split": split, **entry} for entry in entries]
            for split, entries in zip(("train", "test"), lists, strict=True)
        ]
    return [*lists[0], *lists[1]], notes


def _plain_numbers(level: dict[str, Any], changes: _Changes) -> dict[str, Any]:
    """Return the top of a file, or an entry, with numbers where text stands for them."""
    texts = {
        key: value
        for key, value in level.items()
        if isinstance(value, str) and _NUMBERS.fullmatch(key)
    }
    numbers = {key: _number(text) for key, text in texts.items()}
    changes.texts += sum(not isinstance(number, str) for number in numbers.values())
    return {**level, **numbers}


def _number(text: str) -> float | str:
    """Return the number that a text holds, else the text."""
    try:
        return float(text)
    except ValueError:
        return text


def _has_axes_of_opencv(content: Mapping[str, Any], path: Path) -> bool:
    convention = content.get("camera_convention")
    if convention not in (None, "opencv", "opengl"):
        raise UserError(
            f"{path}: camera_convention must be opencv or opengl, or the axes are not known."
        )
    return bool(content.get("from_na")) or convention == "opencv"


def _plain_entry(
    shared: Mapping[str, Any], entry: dict[str, Any], turned: bool, changes: _Changes
) -> dict[str, Any]:
    rows = {key: _rows(entry[key], changes) for key in _MATRICES if entry.get(key) is not None}
    plain = {**entry, **rows}
    if "transform_matrix_start" in rows:
        plain["transform_matrix"] = _middle(shared, plain, changes)
    if turned and plain.get("transform_matrix") is not None:
        plain["transform_matrix"] = _as_opengl(plain["transform_matrix"])
    matrix = plain.get("intrinsic_matrix", shared.get("intrinsic_matrix"))
    has_focal = any(level.get(key) is not None for level in (shared, plain) for key in _FOCAL_KEYS)
    if matrix is not None and not has_focal:
        plain |= _of_matrix(matrix)
    return plain


def _rows(value: Any, changes: _Changes) -> Any:
    """Return a matrix as rows of numbers, where it is flat or its numbers are text."""
    flat = isinstance(value, list) and not any(isinstance(entry, list) for entry in value)
    if flat and len(value) in (12, 16):
        changes.flat += 1
        value = [value[start : start + 4] for start in range(0, len(value), 4)]
    if not isinstance(value, list) or not any(
        isinstance(entry, str) for row in value if isinstance(row, list) for entry in row
    ):
        return value
    changes.texts += 1
    return [
        [_number(entry) if isinstance(entry, str) else entry for entry in row]
        if isinstance(row, list)
        else row
        for row in value
    ]


def _middle(shared: Mapping[str, Any], entry: Mapping[str, Any], changes: _Changes) -> Any:
    """Return the pose at the time at which the middle of the image is taken.

    instant-ngp's time of a pixel is A + B u + C v + D m, for coordinates u, v and a moment m of the
    exposure from 0 to 1.
    """
    start, end = entry["transform_matrix_start"], entry.get("transform_matrix_end")
    if end is None or end == start:
        return start
    poses = []
    for matrix in (start, end):
        try:
            poses.append(pose(matrix, "transform_matrix", "")[0][:3])
        except UserError:
            return matrix  # what is wrong with it is said when it is read
    changes.moving += 1
    shutter = entry.get("rolling_shutter", shared.get("rolling_shutter"))
    return pose_between(poses[0], poses[1], _middle_time(shutter)).tolist()


def _middle_time(shutter: Any) -> float:
    if shutter is None:
        return 0.0
    if not isinstance(shutter, list) or len(shutter) not in (3, 4):
        raise UserError("rolling_shutter must be a list of three or four numbers.")
    offset, *factors = (finite_number(v, "an entry", "rolling_shutter") for v in shutter)
    return offset + 0.5 * sum(factors)


def _as_opengl(matrix: Any) -> Any:
    """Return a matrix of OpenCV's axes with those of OpenGL: columns y and z negated."""
    try:
        return (np.array(matrix, np.float64) * (1.0, -1.0, -1.0, 1.0)).tolist()
    except (ValueError, TypeError):
        return matrix


def _of_matrix(matrix: Any) -> dict[str, Any]:
    """Return focal lengths and principal point of a 3x3 or 4x4 camera matrix."""
    try:
        return {"fl_x": matrix[0][0], "fl_y": matrix[1][1], "cx": matrix[0][2], "cy": matrix[1][2]}
    except (TypeError, IndexError, KeyError):
        return {}


def _chosen(
    content: Mapping[str, Any], frames: list[dict[str, Any]], where: str
) -> tuple[list[dict[str, Any]], list[str]]:
    """Return the entries that instant-ngp reads: the first ``n_frames`` and the sharp ones."""
    notes = []
    order = sorted(range(len(frames)), key=lambda index: _natural(frames[index].get("file_path")))
    most, kept = content.get("n_frames"), order
    if most is not None:
        most = finite_number(most, "n_frames", where)
        kept = order[: max(0, int(most))]
        if len(kept) < len(order):
            notes.append(f"{where} asks for {len(kept)} of {len(order)} camera entries (n_frames).")
    threshold = content.get("sharpness_discard_threshold")
    if threshold is not None and any("sharpness" in frames[index] for index in kept):
        threshold = finite_number(threshold, "sharpness_discard_threshold", where)
        sharp = _sharp([_sharpness(frames[index]) for index in kept], threshold)
        before, kept = len(kept), [index for index, keep in zip(kept, sharp, strict=True) if keep]
        if len(kept) < before:
            gone = counted(before - len(kept), "camera entry is", "camera entries are")
            notes.append(f"{gone} not sharp enough for the file (sharpness) and left out.")
    return [frames[index] for index in sorted(kept)], notes


def _sharpness(frame: Mapping[str, Any]) -> float:
    value = frame.get("sharpness")
    return value if isinstance(value, int | float) and math.isfinite(value) else 1.0


def _sharp(values: list[float], threshold: float) -> list[bool]:
    """Return which images are sharper than a threshold times their neighbourhood's mean."""
    result = []
    for index, value in enumerate(values):
        near = values[max(0, index - _NEIGHBOURS) : min(index + _NEIGHBOURS, len(values) - 1)]
        result.append(not near or value > threshold * sum(near) / len(near))
    return result


def _natural(path: Any) -> list[tuple[int, str]]:
    """Return a key by which image2 comes before image10."""
    parts = re.split(r"(\d+)", str(path))
    parts[1::2] = [digits.lstrip("0") for digits in parts[1::2]]
    return [(len(part) if index % 2 else 0, part) for index, part in enumerate(parts)]
