"""DTU in the layout of IDR and NeuS: ``cameras_sphere.npz`` or ``cameras.npz``, and ``image/``.

For the i-th image in the order of the names, ``world_mat_i`` (4x4) projects points of the world to
pixels and ``scale_mat_i`` maps the normalised frame, in which the object lies in the unit sphere,
to the world. The dataset frame is the normalised one, so P = world_mat_i @ scale_mat_i projects
its points; P is decomposed into K [R | t] (Hartley and Zisserman, Multiple View Geometry, 6.2.4).

IDR and NeuS cast the rays of pixel (i, j) through K's point (i, j) (``rend_util.get_camera_params``
of IDR, ``Dataset.gen_rays_at`` of NeuS), so the pixel origin is the first pixel's centre, and half
a pixel is added to cx and cy.
"""

import re
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import UserError
from ...files.array_input import HEADER_BYTES, read_npz
from ..capture import Capture, Frame
from .camera_entries import MAX_ENTRIES
from .keys import Keys, file_notes, key_notes
from .listed import Box, image_files, listed_capture

FILES = ("cameras_sphere.npz", "cameras.npz")
IMAGE_FOLDERS = ("image", "rgb", "images")

KEYS = (
    Keys("used", ("image", "rgb", "images"), "the images, in the order of their names"),
    Keys("used", ("world_mat_*",), "from the world to pixels"),
    Keys("used", ("scale_mat_*",), "from the normalised frame to the world"),
    Keys("noted", ("mask",), "the masks are not used: they tell object from background"),
    Keys("noted", ("depth", "normal"), "maps of depth and normals are not used"),
    Keys("harmless", ("world_mat_inv_*", "scale_mat_inv_*"), "the inverses"),
    Keys("harmless", ("camera_mat_*", "camera_mat_inv_*"), "parts of `world_mat`, or of the image"),
)
"""Files of a capture, and arrays of its ``.npz`` file."""

_NAME = re.compile(r"(world|scale)_mat_(0|[1-9]\d{0,5})")
_MATRIX_BYTES = 4 * 4 * 8 + HEADER_BYTES
_OPENGL_OF_OPENCV = np.diag([1.0, -1.0, -1.0])

LARGEST = 1e12
"""Largest number in a matrix."""

NOTICEABLE_SKEW = 1e-2
"""Smallest skew, in pixels from the top of an image to its bottom, that becomes a note."""


def is_dtu(folder: Path) -> bool:
    """Return whether a folder is a capture in IDR's and NeuS's layout."""
    return any((folder / name).is_file() for name in FILES) and any(
        (folder / name).is_dir() for name in IMAGE_FOLDERS
    )


def read_dtu(path: Path) -> Capture:
    """Read a capture in IDR's and NeuS's layout.

    Parameters
    ----------
    path : Path
        The folder that holds the ``.npz`` file.

    Raises
    ------
    UserError
        The file is damaged, lacks matrices or holds one that is not a camera, its cameras are
        normalised in different ways, or there are more or fewer images than cameras.
    """
    source = next(path / name for name in FILES if (path / name).is_file())
    folder = next(path / name for name in IMAGE_FOLDERS if (path / name).is_dir())
    images = image_files(folder)
    world, scale, names = _matrices(source)
    if len(images) != len(world):
        raise UserError(
            f"{source} has {len(world)} cameras, but {folder} has {len(images)} images; "
            "give one image for each camera, in the order of the names."
        )
    entries, skews = [], []
    for index, image in enumerate(images):
        matrix, pose = decompose((world[index] @ scale)[:3], f"{source.name}, camera {index}")
        entries.append(
            {
                "file_path": image.relative_to(path).as_posix(),
                "transform_matrix": pose.tolist(),
                **_lens(matrix),
            }
        )
        skews.append(abs(matrix[0, 1]) / matrix[1, 1] * 2 * abs(matrix[1, 2]))
    return listed_capture(
        source,
        "dtu",
        entries,
        box_of=_unit_box,
        frame=Frame(applied_transform=np.linalg.inv(scale)[:3]),
        notes=[
            *file_notes(path, KEYS),
            *key_notes([dict.fromkeys(names, True)], KEYS, source.name),
            *_skew_notes(max(skews)),
        ],
    )


def decompose(projection: np.ndarray, where: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the camera matrix and the pose of a projection matrix.

    Parameters
    ----------
    projection : (3, 4) array
        World to homogeneous pixels, up to a non-zero factor.
    where : str
        File and camera in messages.

    Returns
    -------
    camera_matrix : (3, 3) float64 array
        Upper triangular, positive on the diagonal, last entry 1.
    camera_to_world : (4, 4) float64 array
        OpenGL axes.

    Raises
    ------
    UserError
        The left 3x3 part cannot be inverted, so it is not a camera.
    """
    left = projection[:, :3]
    magnitude = np.abs(left).max()
    # A lens of 1e6 pixels has a condition of 1e12; far above that, only rounding errors remain.
    if not 1e-12 < magnitude < 1e24 or np.linalg.cond(left / magnitude) > 1e14:
        raise UserError(
            f"{where}: the matrices are not a projection onto an image; make the file again."
        )
    if np.linalg.det(left / magnitude) < 0:
        projection, left = -projection, -left
    # RQ from NumPy's QR, with rows and columns in reverse order.
    orthogonal, upper = np.linalg.qr(left[::-1].T)
    camera_matrix, rotation = upper.T[::-1, ::-1], orthogonal.T[::-1]
    signs = np.sign(np.diag(camera_matrix))
    camera_matrix, rotation = camera_matrix * signs, signs[:, None] * rotation
    pose = np.eye(4)
    pose[:3, :3] = rotation.T @ _OPENGL_OF_OPENCV
    pose[:3, 3] = -np.linalg.solve(left, projection[:, 3])
    return camera_matrix / camera_matrix[2, 2], pose


def _matrices(source: Path) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Return the world matrices, (N, 4, 4), the common scale matrix, (4, 4), and all names."""
    names: list[str] = []

    def wanted(name: str) -> bool:
        names.append(name)
        return bool(_NAME.fullmatch(name))

    found = read_npz(source, wanted, _MATRIX_BYTES)
    arrays = {name: array.astype(np.float64) for name, array in found.items()}
    count = sum(name.startswith("world_mat_") for name in arrays)
    if not 0 < count <= MAX_ENTRIES:
        raise UserError(
            f"{source} holds {count} arrays world_mat_0, world_mat_1, ...; it must hold from 1 to "
            f"{MAX_ENTRIES}."
        )
    stacks = []
    for kind in ("world_mat", "scale_mat"):
        matrices = []
        for index in range(count):
            matrix = arrays.get(f"{kind}_{index}")
            if matrix is None:
                raise UserError(f"{source} lacks the array {kind}_{index}; make the file again.")
            if matrix.shape not in ((4, 4), (3, 4)) or not (np.abs(matrix) < LARGEST).all():
                raise UserError(
                    f"{source}: {kind}_{index} must be 4 x 4 numbers below {LARGEST:g}."
                )
            matrices.append(np.concatenate([matrix[:3], [[0.0, 0.0, 0.0, 1.0]]]))
        stacks.append(np.array(matrices))
    world, scale = stacks
    if not np.allclose(scale, scale[0], rtol=1e-6, atol=1e-6 * np.abs(scale[0]).max()):
        raise UserError(f"{source} has different scale_mat matrices; they must all be the same.")
    if abs(np.linalg.det(scale[0, :3, :3])) < 1e-30:
        raise UserError(f"{source}: scale_mat_0 cannot be inverted; make the file again.")
    return world, scale[0], names


def _lens(matrix: np.ndarray) -> dict[str, Any]:
    """Return the camera matrix by the keys of a ``transforms.json``, pixel origin at the corner."""
    return {
        "fl_x": float(matrix[0, 0]),
        "fl_y": float(matrix[1, 1]),
        "cx": float(matrix[0, 2]) + 0.5,
        "cy": float(matrix[1, 2]) + 0.5,
    }


def _unit_box(_cameras: object, _kept: object) -> Box:
    return np.array([[-1.0] * 3, [1.0] * 3]), "The box holds the unit sphere, from scale_mat."


def _skew_notes(skew: float) -> list[str]:
    if skew <= NOTICEABLE_SKEW:
        return []
    return [f"The cameras' skew, up to {skew:.2g} pixels over an image, was left out."]
