"""NSVF's layout: Synthetic-NSVF, its Tanks and Temples, BlendedMVS.

- ``intrinsics.txt``: a 3x3 or 4x4 camera matrix, or SRN's rows, of which the first is
  ``f cx cy 0`` and the last the image's ``height width`` (``load_intrinsics`` in NSVF's
  ``fairnr/data/data_utils.py``);
- ``pose/NAME.txt``: a 4x4 camera-to-world matrix with OpenCV's axes (right, down, ahead);
- ``rgb/NAME.png``;
- ``bbox.txt``, optional: the box's lower and upper corner, then the size of a voxel.

Names begin with their split: ``0_`` train, ``1_`` val, ``2_`` test; without any ``2_``, ``1_`` is
test (Tanks and Temples). cx and cy are not changed: for the synthetic images they are exactly half
the size, so the pixel origin is the image's corner.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import UserError
from ...files.text_input import read_number_rows
from ..capture import Capture
from ..geometry.bounds import file_box
from ..notes import counted
from .keys import Keys, file_notes
from .listed import Box, check_count, image_files, listed_capture

KEYS = (
    Keys("used", ("intrinsics.txt",), "the lens of all images"),
    Keys("used", ("pose", "rgb"), "the cameras and the images, by name"),
    Keys("used", ("bbox.txt",), "the box; without its size of voxels"),
    Keys("noted", ("depth",), "maps of depth are not used"),
    Keys("harmless", ("near_and_far.txt",), "how NSVF trains"),
    Keys("harmless", ("test_traj.txt", "test_traj"), "a camera path for rendering"),
)
"""Files of a capture."""

_PREFIXES = {"0": "train", "1": "val", "2": "test"}
_OPENGL_OF_OPENCV = np.array([1.0, -1.0, -1.0, 1.0])


def is_nsvf(folder: Path) -> bool:
    """Return whether a folder is a capture in NSVF's layout."""
    return (
        (folder / "intrinsics.txt").is_file()
        and (folder / "pose").is_dir()
        and (folder / "rgb").is_dir()
    )


def read_nsvf(path: Path) -> Capture:
    """Read a capture in NSVF's layout.

    Parameters
    ----------
    path : Path
        The folder that holds ``intrinsics.txt``.

    Raises
    ------
    UserError
        A file is missing, damaged or of another format, or no image exists.
    """
    poses = sorted(p for p in (path / "pose").glob("*.txt") if not p.name.startswith("."))
    check_count(len(poses), str(path / "pose"))
    if not poses:
        raise UserError(f"{path / 'pose'} holds no poses; add a .txt file for each image.")
    lens = _intrinsics(path / "intrinsics.txt")
    unposed = len(image_files(path / "rgb")) - len(poses)
    splits, notes = _splits([pose.stem for pose in poses])
    if unposed > 0:
        notes.append(f"{unposed} images in rgb have no pose and were left out.")
    if splits is not None:
        poses = [pose for pose, split in zip(poses, splits, strict=True) if split is not None]
    entries = [
        {"file_path": f"rgb/{pose.stem}", "transform_matrix": _matrix(pose), **lens}
        for pose in poses
    ]
    box = _box(path / "bbox.txt")
    notes += file_notes(path, KEYS)
    return listed_capture(
        path / "pose",
        "nsvf",
        entries,
        splits=None if splits is None else [split for split in splits if split is not None],
        box_of=None if box is None else lambda _cameras, _kept: box,
        notes=notes,
        bounded=box is not None,
    )


def _intrinsics(path: Path) -> dict[str, Any]:
    """Return the lens by the keys of a ``transforms.json``."""
    rows = read_number_rows(path)
    sides = [len(row) for row in rows]
    if sides in ([3] * 3, [4] * 4):
        if rows[0][1] or rows[1][0] or rows[2][:3] != [0, 0, 1]:
            raise UserError(f"{path} must be a camera matrix without skew; correct it.")
        return {"fl_x": rows[0][0], "fl_y": rows[1][1], "cx": rows[0][2], "cy": rows[1][2]}
    if not rows or sides[0] != 4:
        raise UserError(
            f"{path} must be a 3x3 or 4x4 camera matrix or begin with the row f cx cy 0."
        )
    focal, cx, cy, _ = rows[0]
    lens = {"fl_x": focal, "cx": cx, "cy": cy}
    if len(rows) > 1 and sides[-1] == 2:
        lens |= {"h": rows[-1][0], "w": rows[-1][1]}
    return lens


def _matrix(path: Path) -> list[list[float]]:
    """Return a camera-to-world matrix in OpenGL's axes."""
    rows = read_number_rows(path)
    if len(rows) not in (3, 4) or any(len(row) != 4 for row in rows):
        raise UserError(f"pose/{path.name} must have 4 rows of 4 numbers.")
    return (np.array(rows) * _OPENGL_OF_OPENCV).tolist()


def _splits(names: Sequence[str]) -> tuple[list[str | None] | None, list[str]]:
    """Return the split of each name (None without prefix) and notes; None if no name is train."""
    prefixes = [name.split("_", 1)[0] if "_" in name else "" for name in names]
    splits = [_PREFIXES.get(prefix) for prefix in prefixes]
    if "train" not in splits:
        return None, []
    if "test" not in splits:
        splits = ["test" if split == "val" else split for split in splits]
    without = splits.count(None)
    unnamed = counted(
        without,
        "view whose name does not begin with a split was",
        "views whose names do not begin with a split were",
    )
    return splits, [f"{unnamed} left out."] if without else []


def _box(path: Path) -> Box | None:
    if not path.is_file():
        return None
    numbers = [number for row in read_number_rows(path) for number in row]
    if len(numbers) not in (6, 7):
        raise UserError(f"{path} must hold six numbers (and a voxel size), not {len(numbers)}.")
    return file_box([numbers[:3], numbers[3:6]], str(path)), "The box is that of bbox.txt."
