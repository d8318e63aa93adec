"""DONeRF: NeRF-Synthetic's files with a ``dataset_info.json`` about the region of the cameras.

`KEYS` are those of ``src/datasets.py`` of DONeRF.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import UserError
from ...files.json_input import finite_number, positive_number, read_json_object
from ..capture import Capture
from ..geometry.bounds import file_box
from .keys import Keys, key_notes
from .listed import Box
from .nerf_synthetic import is_nerf_synthetic, read_split_files, split_capture

FILE = "dataset_info.json"

KEYS = (
    Keys("used", ("camera_angle_x",), "in radians, where the camera files lack it"),
    Keys("used", ("fov",), "the same in degrees"),
    Keys("used", ("resolution",), "width and height, where the camera files lack them"),
    Keys("used", ("view_cell_center", "view_cell_size"), "the cell that holds the cameras"),
    Keys(
        "used",
        ("depth_range", "depth_range_warped_log", "depth_range_warped_lin"),
        "near and far depth; the first that is there makes the box, with the cell",
    ),
    Keys(
        "harmless",
        ("flip_depth", "depth_ignore", "depth_distance_adjustment", "depth_max"),
        "about maps of depth, which are not used",
    ),
)
"""Keys of ``dataset_info.json``."""

_FOCAL_KEYS = ("fl_x", "fl_y", "camera_angle_x", "camera_angle_y", "x_fov", "y_fov")
_DEPTH_KEYS = ("depth_range", "depth_range_warped_log", "depth_range_warped_lin")


def is_donerf(folder: Path) -> bool:
    """Return whether a folder is a capture of DONeRF."""
    return (folder / FILE).is_file() and is_nerf_synthetic(folder)


def read_donerf(path: Path) -> Capture:
    """Read a capture of DONeRF.

    Parameters
    ----------
    path : Path
        The folder that holds ``dataset_info.json`` and ``transforms_train.json``.

    Raises
    ------
    UserError
        A file or camera entry is wrong, or no listed image exists.
    """
    info = read_json_object(path / FILE)
    lens, size = _lens(info), _size(info)
    cell_box = _cell_box(info)

    def complete(content: dict[str, Any]) -> dict[str, Any]:
        has_focal = any(content.get(key) is not None for key in _FOCAL_KEYS)
        has_size = content.get("w") is not None or content.get("h") is not None
        return {**content, **({} if has_focal else lens), **({} if has_size else size)}

    files = read_split_files(path, complete)
    notes = [*files.notes, *key_notes([info], KEYS, FILE)]
    return split_capture(path, "donerf", files, notes, cell_box)


def _lens(info: Mapping[str, Any]) -> dict[str, Any]:
    """Return the angle of view by the keys of a ``transforms.json``."""
    if info.get("camera_angle_x") is not None:
        return {"camera_angle_x": info["camera_angle_x"]}
    return {} if info.get("fov") is None else {"x_fov": info["fov"]}


def _size(info: Mapping[str, Any]) -> dict[str, Any]:
    """Return the images' size by the keys of a ``transforms.json``."""
    if info.get("resolution") is None:
        return {}
    width, height = _numbers(info, "resolution", 2)
    return {"w": width, "h": height}


def _cell_box(info: Mapping[str, Any]) -> Box | None:
    """Return the view cell grown by the far depth; None where the file does not state both."""
    depth_key = next((key for key in _DEPTH_KEYS if info.get(key) is not None), None)
    if depth_key is None or any(
        info.get(key) is None for key in ("view_cell_center", "view_cell_size")
    ):
        return None
    center = np.array(_numbers(info, "view_cell_center", 3))
    size = np.array(_numbers(info, "view_cell_size", 3))
    if (size < 0).any():
        raise UserError(f"{FILE}: view_cell_size must not be below zero.")
    near, far = _numbers(info, depth_key, 2)
    positive_number(far, f"the far depth of {depth_key}", FILE)
    if near >= far:
        raise UserError(f"{FILE}: {depth_key} must be a near depth and a larger far depth.")
    half = 0.5 * size + far
    return file_box([center - half, center + half], FILE), (
        f"The box is the cameras' view cell, grown by the far depth {far:.4g} ({depth_key})."
    )


def _numbers(info: Mapping[str, Any], key: str, count: int) -> list[float]:
    values = info[key]
    if not isinstance(values, list) or len(values) != count:
        raise UserError(f"{FILE}: {key} must be a list of {count} numbers.")
    return [finite_number(value, f"an entry of {key}", FILE) for value in values]
