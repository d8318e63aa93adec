"""LLFF: ``poses_bounds.npy``, and ``images/`` or ``images_2`` to ``images_8``.

Each of the file's N rows holds a 3x5 matrix, row by row, then the depths between which the view
sees the scene. The matrix has the columns [down, right, back, position] of a camera-to-world
matrix and (height, width, focal length) of the full-size image (LLFF's README, "Using your own
poses"); images in ``images_8`` are an eighth as wide. The principal point is the image's centre.
The file does not state which way is up, and y usually points down in a world of COLMAP. The axis
nearest to the cameras' mean up becomes z, by a rotation that only swaps and negates axes.
`Frame.applied_transform` keeps it, so the file's numbers can be written again to the last digit.
"""

from pathlib import Path

import numpy as np

from ...errors import UserError
from ...files.array_input import HEADER_BYTES, read_npy
from ..capture import Capture, Frame
from ..geometry.bounds import FARTHEST, ODD_BOUNDS, box_between
from .camera_entries import IMAGE_FOLDERS, MAX_ENTRIES
from .listed import image_files, listed_capture

FILE = "poses_bounds.npy"
COLUMNS = 17
"""Numbers in a row: a 3x5 matrix and two depths."""


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
    poses, sizes, near, far = _read_rows(source)
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
            "h": float(height),
            "w": float(width),
            "fl_x": float(focal),
        }
        for image, pose, (height, width, focal) in zip(images, poses, sizes, strict=True)
    ]
    return listed_capture(
        source,
        "llff",
        entries,
        box_of=lambda cameras, kept: box_between(cameras, near[kept], far[kept]),
        nearest=float(np.quantile(near, ODD_BOUNDS)),
        frame=Frame(applied_transform=np.column_stack([turn, np.zeros(3)])),
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


def _read_rows(source: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return poses (N, 3, 4), OpenGL, (height, width, focal length) (N, 3), near and far (N,)."""
    rows = read_npy(source, max_bytes=MAX_ENTRIES * COLUMNS * 8 + HEADER_BYTES)
    if rows.ndim != 2 or rows.shape[1] != COLUMNS or len(rows) == 0:
        shape = " x ".join(str(side) for side in rows.shape) or "a single number"
        raise UserError(f"{source} must have rows of {COLUMNS} numbers, but its shape is {shape}.")
    if not np.isfinite(rows).all():
        view = int(np.argmin(np.isfinite(rows).all(axis=1)))
        raise UserError(f"{source} holds NaN or infinity for view {view}; make the file again.")
    near, far = rows[:, 15], rows[:, 16]
    wrong = (near <= 0) | (near >= far) | (far > FARTHEST)
    if wrong.any():
        view = int(np.argmax(wrong))
        raise UserError(
            f"{source}: view {view} has depths from {near[view]:g} to {far[view]:g}; the first "
            f"must be above zero and below the second, and the second at most {FARTHEST:g}."
        )
    matrices = rows[:, :15].reshape(-1, 3, 5)
    down, right, back, position = (matrices[:, :, column] for column in range(4))
    poses = np.stack([right, -down, back, position], axis=-1)
    return poses, matrices[:, :, 4], near, far


def _images(folder: Path) -> list[Path]:
    for name in IMAGE_FOLDERS:
        if (folder / name).is_dir():
            images = image_files(folder / name)
            if not images:
                raise UserError(f"{folder / name} holds no images; put the capture's images there.")
            return images
    raise UserError(f"{folder} has no folder of images; put them into {folder / IMAGE_FOLDERS[0]}.")
