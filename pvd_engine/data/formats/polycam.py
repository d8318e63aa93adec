"""Polycam's raw export: ``keyframes/images`` and ``keyframes/cameras``.

Each camera is a JSON file with the image's name: ``t_00`` to ``t_23``, the first three rows of a
camera-to-world matrix in OpenGL axes whose world has y up, and ``fx``, ``fy``, ``cx``, ``cy``,
``width``, ``height`` in pixels, origin at the corner. The world's axes are turned Z up by
(x, y, z) -> (z, x, y), as nerfstudio does (``process_data/polycam_utils.py``). Where Polycam
could correct the poses, ``corrected_images`` and ``corrected_cameras`` are read instead. Depth,
confidence and blur scores are not used.
"""

from pathlib import Path
from typing import Any

import numpy as np

from ...errors import UserError
from ...files.json_input import finite_number, read_json_object
from ..capture import Capture, Frame
from ..notes import counted
from .listed import image_files, listed_capture

FOLDER = "keyframes"

_PAIRS = (("corrected_images", "corrected_cameras"), ("images", "cameras"))
_Z_UP = np.array([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
_LENS_KEYS = {"fx": "fl_x", "fy": "fl_y", "cx": "cx", "cy": "cy", "width": "w", "height": "h"}


def is_polycam(folder: Path) -> bool:
    """Return whether a folder is a raw export of Polycam."""
    return _pair(folder) is not None


def read_polycam(path: Path) -> Capture:
    """Read a raw export of Polycam.

    Parameters
    ----------
    path : Path
        The folder that holds ``keyframes``.

    Raises
    ------
    UserError
        There is no image or no camera, or a camera is wrong.
    """
    pair = _pair(path)
    if pair is None:
        raise UserError(f"{path / FOLDER} has no images with cameras; export the raw data again.")
    image_folder, camera_folder = pair
    entries, without = [], 0
    for image in image_files(image_folder):
        camera = camera_folder / f"{image.stem}.json"
        if not camera.is_file():
            without += 1
            continue
        entries.append({"file_path": image.relative_to(path).as_posix(), **_camera(camera)})
    if not entries:
        raise UserError(f"No image in {image_folder} has a camera in {camera_folder}; add them.")
    unseen = counted(without, "image has no camera and was", "images have no camera and were")
    notes = [f"{unseen} left out."] if without else []
    applied = np.concatenate([_Z_UP, np.zeros((3, 1))], axis=1)
    return listed_capture(
        path / FOLDER, "polycam", entries, frame=Frame(applied_transform=applied), notes=notes
    )


def _pair(folder: Path) -> tuple[Path, Path] | None:
    """Return the folders of images and cameras, corrected ones first; None if there are none."""
    for names in _PAIRS:
        images, cameras = (folder / FOLDER / name for name in names)
        if images.is_dir() and cameras.is_dir():
            return images, cameras
    return None


def _camera(path: Path) -> dict[str, Any]:
    """Return a camera's file as a camera entry of a ``transforms.json``."""
    content = read_json_object(path)
    where = f"{path.parent.name}/{path.name}"
    rows = [
        [
            finite_number(content.get(f"t_{row}{column}"), f"t_{row}{column}", where)
            for column in range(4)
        ]
        for row in range(3)
    ]
    entry: dict[str, Any] = {"transform_matrix": (_Z_UP @ np.array(rows)).tolist()}
    for key, name in _LENS_KEYS.items():
        entry[name] = finite_number(content.get(key), key, where)
    return entry
