"""LLFF: ``poses_bounds.npy``, and ``images/`` or ``images_2`` to ``images_8``.

Each of the file's N rows holds a 3x5 matrix, row by row, then the depths between which the view
sees the scene. The matrix has the columns [down, right, back, position] of a camera-to-world
matrix and (height, width, focal length) of the full-size image (LLFF's README, "Using your own
poses"); images in ``images_8`` are an eighth as wide. The principal point is the image's centre.
The file does not state which way is up, and y usually points down in a world of COLMAP. The axis
nearest to the cameras' mean up becomes z, by a rotation that only swaps and negates axes.
`Frame.applied_transform` keeps it, so the file's numbers can be written again to the last digit.

Rows may also lack the depths; or the column of (height, width, focal length), which NeX (Shiny)
writes to ``hwf_cxcy.npy`` as height, width, fx, fy, cx, cy, or fewer of them (``load_llff.py``).
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ...errors import UserError
from ...files.array_input import HEADER_BYTES, read_npy
from ..capture import Camera, Capture, Frame
from ..geometry.bounds import FARTHEST, ODD_BOUNDS, box_between
from .camera_entries import IMAGE_FOLDERS, MAX_ENTRIES
from .keys import Keys, file_notes
from .listed import Box, image_files, listed_capture

FILE = "poses_bounds.npy"
LENS_FILE = "hwf_cxcy.npy"

COLUMNS = 17
"""Most numbers in a row: a 3x5 matrix and two depths."""

KEYS = (
    Keys("used", (FILE,), "the cameras: rows of 17 numbers, or of 15, 14 or 12"),
    Keys("used", (LENS_FILE,), "the lens, where the rows have none (14 or 12 numbers)"),
    Keys("used", IMAGE_FOLDERS, "the images, in the order of their names; the first that exists"),
    Keys("noted", ("sparse",), f"{FILE} was read; give the folder in it to read COLMAP's model"),
    Keys("harmless", ("database.db", "simplices.npy", "trimesh.png"), "how the poses were found"),
)
"""Files of a capture."""

_LENSES = {
    3: ("h", "w", "fl_x"),
    4: ("h", "w", "fl_x", "fl_y"),
    5: ("h", "w", "fl_x", "cx", "cy"),
    6: ("h", "w", "fl_x", "fl_y", "cx", "cy"),
}
"""Keys of a ``transforms.json`` for the numbers of a lens, by their count."""


def is_llff(folder: Path) -> bool:
    """Return whether a folder is an LLFF capture."""
    return (folder / FILE).is_file()


def read_llff(path: Path) -> Capture:
    """Read an LLFF capture.

    Parameters
    ----------
    path : Path
        The folder that holds ``poses_bounds.npy``.

    Raises
    ------
    UserError
        The file is damaged or of another shape, holds NaN, an invalid pose or invalid depths, or
        there are more or fewer images than rows.
    """
    source = path / FILE
    rows = _read_rows(source)
    poses, lenses = _poses(rows), _lenses(rows, source)
    images = _images(path)
    if len(images) != len(poses):
        raise UserError(
            f"{source} has {len(poses)} poses, but {images[0].parent} has {len(images)} images; "
            "give one image for each pose, in the order of the names."
        )
    turn = upright_turn(poses[:, :, 1].mean(axis=0))
    entries = [
        {
            "file_path": image.relative_to(path).as_posix(),
            "transform_matrix": (turn @ pose).tolist(),
            **dict(zip(_LENSES[len(lens)], map(float, lens), strict=True)),
        }
        for image, pose, lens in zip(images, poses, lenses, strict=True)
    ]
    depths = _depths(rows, source)
    notes = file_notes(path, KEYS)

    def box_of(cameras: Sequence[Camera], kept: Sequence[int]) -> Box:
        assert depths is not None
        return box_between(cameras, *depths[:, kept])

    if depths is None:
        notes.append(f"{FILE} states no depths, so the box is around what the cameras look at.")
    return listed_capture(
        source,
        "llff",
        entries,
        box_of=None
        if depths is None
        else lambda cameras, kept: box_between(cameras, *depths[:, kept]),
        nearest=None if depths is None else float(np.quantile(depths[0], ODD_BOUNDS)),
        frame=Frame(applied_transform=np.column_stack([turn, np.zeros(3)])),
        notes=notes,
    )


def upright_turn(up: np.ndarray) -> np.ndarray:
    """Return the rotation to +z of the axis nearest to a direction; it only swaps or negates axes.

    Parameters
    ----------
    up : (3,) array
        The direction, of any length.

    Returns
    -------
    (3, 3) float64 array
        The smallest such rotation; it is about x where +z and -z are exchanged.
    """
    axis = int(np.argmax(np.abs(up)))
    if axis == 2:
        return np.diag([1.0, -1.0, -1.0]) if up[2] < 0 else np.eye(3)
    # A quarter turn about the other horizontal axis: I + K + K², K being the cross product with it.
    x, y = np.eye(2)[axis] * np.sign(up[axis])
    cross = np.array([[0, 0, -x], [0, 0, -y], [x, y, 0]])
    return np.eye(3) + cross + cross @ cross


def _read_rows(source: Path) -> np.ndarray:
    """Return the rows, (N, 17), (N, 15), (N, 14) or (N, 12)."""
    rows = read_npy(source, max_bytes=MAX_ENTRIES * COLUMNS * 8 + HEADER_BYTES)
    if rows.ndim != 2 or rows.shape[1] not in (COLUMNS, 15, 14, 12) or len(rows) == 0:
        shape = " x ".join(str(side) for side in rows.shape) or "a single number"
        raise UserError(f"{source} must have rows of {COLUMNS} numbers, but its shape is {shape}.")
    if not np.isfinite(rows).all():
        view = int(np.argmin(np.isfinite(rows).all(axis=1)))
        raise UserError(f"{source} holds NaN or infinity for view {view}; make the file again.")
    return rows


def _poses(rows: np.ndarray) -> np.ndarray:
    """Return the camera-to-world matrices, (N, 3, 4), OpenGL axes."""
    down, right, back, position = (_matrices(rows)[:, :, column] for column in range(4))
    return np.stack([right, -down, back, position], axis=-1)


def _matrices(rows: np.ndarray) -> np.ndarray:
    columns = 5 if rows.shape[1] in (COLUMNS, 15) else 4
    return rows[:, : 3 * columns].reshape(-1, 3, columns)


def _lenses(rows: np.ndarray, source: Path) -> Sequence[np.ndarray]:
    """Return the numbers of each camera's lens, in an order of `_LENSES`."""
    matrices = _matrices(rows)
    if matrices.shape[2] == 5:
        return list(matrices[:, :, 4])
    path = source.with_name(LENS_FILE)
    if not path.is_file():
        raise UserError(
            f"{source} states no focal length; its rows must have {COLUMNS} numbers, or "
            f"{LENS_FILE} must state height, width, fx, fy, cx and cy."
        )
    lens = read_npy(path, max_bytes=HEADER_BYTES).ravel()
    if len(lens) not in _LENSES or not np.isfinite(lens).all():
        raise UserError(f"{path} must hold height, width, fx, fy, cx and cy; make it again.")
    return [lens] * len(rows)


def _depths(rows: np.ndarray, source: Path) -> np.ndarray | None:
    """Return the near and far depths, (2, N); None where the rows have none."""
    if rows.shape[1] in (15, 12):
        return None
    near, far = rows[:, -2], rows[:, -1]
    wrong = (near <= 0) | (near >= far) | (far > FARTHEST)
    if wrong.any():
        view = int(np.argmax(wrong))
        raise UserError(
            f"{source}: view {view} has depths from {near[view]:g} to {far[view]:g}; the first "
            f"must be above zero and below the second, and the second at most {FARTHEST:g}."
        )
    return np.stack([near, far])


def _images(folder: Path) -> list[Path]:
    for name in IMAGE_FOLDERS:
        if (folder / name).is_dir():
            images = image_files(folder / name)
            if not images:
                raise UserError(f"{folder / name} holds no images; put the capture's images there.")
            return images
    raise UserError(f"{folder} has no folder of images; put them into {folder / IMAGE_FOLDERS[0]}.")
