"""Undistorted copies of images: what Blender's cameras, which are pinhole cameras, would have seen.

The engine makes a copy when its camera is looked through; it has the size and the pinhole
intrinsics of the original. The engine itself casts distorted rays and never reads these copies.
"""

import hashlib
import json
import re
from pathlib import Path

from ..engine.checked import is_file

FOLDER = "undistorted"
"""Folder of the copies, in a capture's work folder."""


def is_distorted(camera: dict) -> bool:
    """Return whether a camera's lens differs from a pinhole; a panorama's does."""
    return camera.get("distortion_model", "none") != "none"


def copy_path(camera: dict, work_folder: Path) -> Path:
    """Return where the undistorted copy of a camera's image belongs: one file per image and lens.

    Parameters
    ----------
    camera : dict
        A dataset camera with its ``image_path``.
    work_folder : Path
        Folder of the capture's jobs.
    """
    keys = ("width", "height", "fx", "fy", "cx", "cy", "distortion_model", "distortion")
    numbers = [str(Path(camera["image_path"])), *(camera[key] for key in keys)]
    digest = hashlib.sha256(json.dumps(numbers, sort_keys=True).encode()).hexdigest()[:12]
    stem = re.sub(r"[^\w.-]+", "_", camera["name"])[-80:]
    return work_folder / FOLDER / f"{stem}_{digest}.png"


def is_made(copy: Path, source: Path) -> bool:
    """Return whether a copy exists and is not older than its image."""
    return is_file(copy) and copy.stat().st_mtime >= source.stat().st_mtime
