"""Polycam's raw export: ``keyframes/images`` and ``keyframes/cameras``.

Each camera is a JSON file with the image's name: ``t_00`` to ``t_23``, the first three rows of a
camera-to-world matrix in OpenGL axes whose world has y up, and ``fx``, ``fy``, ``cx``, ``cy``,
``width``, ``height`` in pixels, origin at the corner. The world's axes are turned Z up by
(x, y, z) -> (z, x, y), as nerfstudio does (``process_data/polycam_utils.py``). Where Polycam
could correct the poses, ``corrected_images`` and ``corrected_cameras`` are read instead.
"""

from pathlib import Path
from typing import Any

import numpy as np

from ...errors import UserError
from ...files.json_input import finite_number, read_json_object
from ..capture import Capture, Frame
from ..notes import counted
from .keys import Keys, file_notes, key_notes
from .listed import entries_of, image_files, listed_capture

FOLDER = "keyframes"

ENOUGH = 0.8
"""Fraction of the posed images that must have a corrected pose for these to be read."""

BLURRED = 25.0
"""Blur score below which nerfstudio leaves an image out; larger ones are sharper."""

KEYS = (
    Keys("used", ("keyframes/images", "keyframes/cameras"), "images, and their cameras by name"),
    Keys(
        "used",
        ("keyframes/corrected_images", "keyframes/corrected_cameras"),
        "the same with corrected poses, where these are at least 80 % of all",
    ),
    Keys("used", ("t_*",), "t_00 to t_23: camera-to-world, OpenGL axes, y up"),
    Keys("used", ("fx", "fy", "cx", "cy", "width", "height"), "lens and size in pixels"),
    Keys("noted", ("blur_score",), "images that are blurred (below 25) are used"),
    Keys("noted", ("keyframes/depth", "keyframes/confidence"), "maps of depth are not used"),
    Keys("harmless", ("timestamp", "manual_keyframe", "neighbors"), "how the image was taken"),
    Keys("harmless", ("mesh_info.json", "thumbnail.jpg", "mesh.glb", "raw.glb"), "about the mesh"),
)
"""Files of a raw export, and keys of its cameras."""

_PAIRS = (("corrected_images", "corrected_cameras"), ("images", "cameras"))
_Z_UP = np.array([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
_LENS_KEYS = {"fx": "fl_x", "fy": "fl_y", "cx": "cx", "cy": "cy", "width": "w", "height": "h"}


def is_polycam(folder: Path) -> bool:
    """Return whether a folder is a raw export of Polycam."""
    return bool(_pairs(folder))


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
    pairs = _pairs(path)
    if not pairs:
        raise UserError(f"{path / FOLDER} has no images with cameras; export the raw data again.")
    listed = [image_files(images) for images, _ in pairs]
    posed = [
        [image for image in images if _camera_of(image, cameras).is_file()]
        for images, (_, cameras) in zip(listed, pairs, strict=True)
    ]
    # Corrected poses are better, but not where Polycam could correct only a part of them.
    best = next(i for i, p in enumerate(posed) if len(p) >= ENOUGH * max(map(len, posed)))
    image_folder, camera_folder = pairs[best]
    if not posed[best]:
        raise UserError(f"No image in {image_folder} has a camera in {camera_folder}; add them.")
    notes = []
    if best > 0:
        corrected = counted(len(posed[0]), "image was", "images were", of=len(posed[best]))
        notes.append(f"Only {corrected} corrected by Polycam, so the raw images were read.")
    without = len(listed[best]) - len(posed[best])
    if without:
        unseen = counted(without, "image has no camera and was", "images have no camera and were")
        notes.append(f"{unseen} left out.")
    contents: list[dict[str, Any]] = []

    def entry(image: Path) -> dict[str, Any]:
        file = _camera_of(image, camera_folder)
        contents.append(read_json_object(file))
        listed = image.relative_to(path).as_posix()
        return {"file_path": listed, **_camera(contents[-1], f"{camera_folder.name}/{file.name}")}

    entries, fault_notes = entries_of(posed[best], entry)
    notes += [*fault_notes, *file_notes(path, KEYS), *_key_notes(contents, camera_folder.name)]
    applied = np.concatenate([_Z_UP, np.zeros((3, 1))], axis=1)
    return listed_capture(
        path / FOLDER, "polycam", entries, frame=Frame(applied_transform=applied), notes=notes
    )


def _pairs(folder: Path) -> list[tuple[Path, Path]]:
    """Return the folders of images and of their cameras, corrected ones first."""
    pairs = [tuple(folder / FOLDER / name for name in names) for names in _PAIRS]
    return [(images, cameras) for images, cameras in pairs if images.is_dir() and cameras.is_dir()]


def _camera_of(image: Path, cameras: Path) -> Path:
    return cameras / f"{image.stem}.json"


def _key_notes(contents: list[dict[str, Any]], where: str) -> list[str]:
    """Return the notes about the cameras' keys; of blur scores only those of blurred images."""
    told = [
        {name: value for name, value in content.items() if name != "blur_score" or _blurred(value)}
        for content in contents
    ]
    return key_notes(told, KEYS, where)


def _blurred(score: Any) -> bool:
    return isinstance(score, int | float) and 0 < score < BLURRED


def _camera(content: dict[str, Any], where: str) -> dict[str, Any]:
    """Return a camera's file as a camera entry of a ``transforms.json``."""
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
