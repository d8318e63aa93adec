"""Files and folders that people take for captures, told by what they are."""

from pathlib import Path
from typing import Any

from ...errors import UserError
from ...files.images import SUFFIXES
from ...files.json_input import MAX_VALUES, read_json

FILES = ("camera_path.json", "cameras.json", "meta_data.json")
"""Usual names of such files."""

MOST_FILES = 10_000
"""Files of a folder that are looked at."""


def other_file(path: Path) -> str | None:
    """Return a sentence about a JSON file that is known but is not a capture, or None."""
    try:
        content = read_json(path, max_values=MAX_VALUES)
    except UserError:
        return None
    if isinstance(content, dict) and "camera_path" in content:
        return (
            f"{path} is a camera path of nerfstudio, for rendering; give the folder of the images "
            "that the field was trained on."
        )
    if _is_list_of(content, ("img_name", "position", "rotation")):
        return (
            f"{path} lists the cameras of a Gaussian splat's training; give the COLMAP folder that "
            "it was trained on."
        )
    if isinstance(content, dict) and _is_list_of(content.get("frames"), ("rgb_path", "camtoworld")):
        return (
            f"{path} is a capture of sdfstudio, which cannot be read; give the capture that it was "
            "made from."
        )
    return None


def other_folder(folder: Path) -> str | None:
    """Return a sentence about a folder that is known but holds no capture, or None."""
    for name in FILES:
        if (folder / name).is_file():
            reason = other_file(folder / name)
            if reason is not None:
                return reason
    for place in (folder, folder / "images"):
        if place.is_dir() and _holds_photos(place):
            return (
                f"{place} holds photos without cameras, and cameras are needed; find them with "
                "COLMAP, nerfstudio's ns-process-data, RealityCapture, Metashape or Polycam, and "
                "give the folder that the program writes."
            )
    return None


def _is_list_of(content: Any, keys: tuple[str, ...]) -> bool:
    if not isinstance(content, list) or not content or not isinstance(content[0], dict):
        return False
    return content[0].keys() >= {*keys}


def _holds_photos(folder: Path) -> bool:
    files = (path for path, _ in zip(folder.iterdir(), range(MOST_FILES), strict=False))
    return any(path.suffix.lower() in SUFFIXES and path.is_file() for path in files)
