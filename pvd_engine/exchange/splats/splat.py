"""The ``.splat`` of antimatter15's viewer: 32 bytes a splat, without directions of view.

Position and linear scales as float32, then red, green, blue and opacity, and the quaternion w, x,
y, z, a byte each. The frame is that of the ``.ply`` it was made from.
"""

from pathlib import Path

import numpy as np

from ...errors import UserError
from ...fields.splats import Splats
from ...files.atomic import write_bytes
from ...files.file_input import opened
from ...kernels.harmonics import SH_0
from .contract import ImportedSplats, SplatOptions
from .values import arrays_of, checked_splats, clamped, cut_to_degree

FRAME = "A .splat does not say which way its axes point; its positions are used as they are."

ROW = np.dtype(
    [("center", "<f4", 3), ("scale", "<f4", 3), ("rgba", np.uint8, 4), ("rotation", np.uint8, 4)]
)


def read_splat(path: Path, options: SplatOptions) -> ImportedSplats:
    """Read a ``.splat``.

    Raises
    ------
    UserError
        The file cannot be read, is damaged, or holds no splats.
    """
    with opened(path) as file:
        size = file.seek(0, 2)
        if size == 0 or size % ROW.itemsize:
            raise UserError(
                f"{path} has {size} bytes, and a .splat has {ROW.itemsize} for each splat; it is "
                "empty or cut off, so get it again."
            )
        file.seek(0)
        rows = np.fromfile(file, dtype=ROW)
    splats, notes = checked_splats(
        path,
        rows["center"],
        rows["scale"],
        (rows["rotation"] - 128.0) / 128.0,
        rows["rgba"][:, 3] / 255.0,
        ((rows["rgba"][:, None, :3] / 255.0) - 0.5) / SH_0,
    )
    return ImportedSplats(splats, [FRAME, *notes])


def write_splat(splats: Splats, path: Path, options: SplatOptions) -> list[str]:
    """Write a ``.splat``.

    Returns
    -------
    list of str
        What was cut, clamped and lost.

    Raises
    ------
    UserError
        The splats are not finite, or the file cannot be written.
    """
    splats, notes = cut_to_degree(splats, 0, "A .splat")
    centers, scales, rotations, opacities, sh = arrays_of(splats)
    color, color_notes = clamped(0.5 + SH_0 * sh[:, 0].astype(np.float64), 0, 1, "colours")
    rows = np.empty(len(sh), ROW)
    rows["center"], rows["scale"] = centers, scales
    rows["rgba"] = np.rint(np.concatenate([color, opacities[:, None]], axis=1) * 255)
    # A byte holds +127/128 at most, and -128/128: of q and -q the one whose largest is negative.
    largest = np.take_along_axis(rotations, np.abs(rotations).argmax(axis=1)[:, None], axis=1)
    rows["rotation"] = np.rint(np.where(largest > 0, -rotations, rotations) * 128 + 128)
    write_bytes(path, rows.tobytes())
    return [
        *notes,
        *color_notes,
        "A .splat keeps 8 bits of colours, opacities and rotations.",
    ]
