"""Folders that people take for captures, with a hint to the right one."""

import re
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

from ...errors import UserError
from ...files.images import SUFFIXES
from ...files.json_input import read_json
from .other_files import MOST_BYTES, other_file

MOST_FILES = 10_000
"""Files and folders of a folder that are looked at."""

MOST_TOLD = 40
"""Files of a folder that are opened to tell what they are."""

MOST_BELOW = 200
"""Folders of a folder, and of each of these, in which captures are looked for."""

MOST_NAMED = 8
"""Captures that a message names."""

_FROM_PHOTOS = (
    "find them with COLMAP, nerfstudio's ns-process-data, RealityCapture, Metashape or Polycam, "
    "and give the folder that the program writes"
)
_JOB_FILES = ("request.json", "events.jsonl")
_SOURCE = re.compile(r"source_path=(['\"])([^'\"]{1,1000})\1")
_SPLIT_FILES = ("transforms_val.json", "transforms_test.json")


def why_no_capture(folder: Path, is_capture: Callable[[Path], bool]) -> str | None:
    """Return why a folder is no capture and which one is, as a sentence, or None.

    Parameters
    ----------
    folder : Path
    is_capture : callable
        ``is_capture(folder)`` returns whether a folder is one; it may raise OSError.
    """
    for reason in (_empty, _split_files, _job, _trained, _camera_file):
        found = reason(folder)
        if found is not None:
            return found
    below = sorted(_captures_below(folder, is_capture))
    if below:
        names = ", ".join(below[:MOST_NAMED])
        one = "give that" if len(below) == 1 else "give one of them"
        return f"{folder} is not a capture but holds some ({names}); {one}."
    if (folder / "sparse").is_dir():
        return f"{folder} has a folder sparse without a COLMAP model; export the model again."
    above = capture_around(folder, is_capture)
    if above is not None:
        return f"{folder} is a part of the capture {above}; give {above}."
    return _photos(folder) or _known_file(folder)


def capture_around(path: Path, is_capture: Callable[[Path], bool]) -> Path | None:
    """Return the capture in which a file or folder lies, at most two folders deep, or None."""
    return next((above for above in list(path.parents)[:2] if _is(above, is_capture)), None)


def _children(folder: Path) -> Iterator[Path]:
    return islice(folder.iterdir(), MOST_FILES)


def _empty(folder: Path) -> str | None:
    if next(_children(folder), None) is not None:
        return None
    return f"{folder} is empty; give the folder of a capture, which holds images and cameras."


def _split_files(folder: Path) -> str | None:
    found = [name for name in _SPLIT_FILES if (folder / name).is_file()]
    if not found:
        return None
    return f"{folder} has {found[0]} but no transforms_train.json to train from; add it."


def _job(folder: Path) -> str | None:
    if not all((folder / name).is_file() for name in _JOB_FILES):
        return None
    return (
        f"{folder} is the folder of a job; give the folder of the capture that it was started on."
    )


def _trained(folder: Path) -> str | None:
    """Tell the output of a training with the original code of Gaussian splats."""
    settings = folder / "cfg_args"
    if not settings.is_file():
        return None
    with settings.open("rb") as file:
        source = _SOURCE.search(file.read(4096).decode("utf-8", "replace"))
    named = f" ({source[2]})" if source and source[2].isprintable() else ""
    return (
        f"{folder} is what the training of a Gaussian splat wrote; give the folder that it was "
        f"trained on{named}."
    )


def _camera_file(folder: Path) -> str | None:
    """Tell a camera file of another name than transforms.json, which can be given itself."""
    files = (path for path in _children(folder) if path.suffix.lower() == ".json")
    for path in sorted(islice(files, MOST_TOLD)):
        try:
            content = read_json(path, MOST_BYTES)
        except UserError:
            continue
        frames = content.get("frames") if isinstance(content, dict) else None
        first = frames[0] if isinstance(frames, list) and frames else None
        if isinstance(first, dict) and {"file_path", "transform_matrix"} <= first.keys():
            return f"{folder} has its cameras in {path.name}; give {path}."
    return None


def _captures_below(folder: Path, is_capture: Callable[[Path], bool]) -> Iterator[str]:
    """Yield the captures in a folder; where there are none, those one folder deeper."""
    inner = [child for child in _children(folder) if child.is_dir()]
    found = [child.name for child in inner if _is(child, is_capture)]
    yield from found
    if not found:
        for child in inner[:MOST_BELOW]:
            try:
                deeper = [path for path in islice(child.iterdir(), MOST_BELOW) if path.is_dir()]
            except OSError:
                continue
            yield from (f"{child.name}/{path.name}" for path in deeper if _is(path, is_capture))


def _is(folder: Path, is_capture: Callable[[Path], bool]) -> bool:
    try:
        return is_capture(folder)
    except OSError:  # a folder without permission to read it
        return False


def _photos(folder: Path) -> str | None:
    for place in (folder, folder / "images"):
        if place.is_dir() and any(
            path.suffix.lower() in SUFFIXES and path.is_file() for path in _children(place)
        ):
            return f"{place} holds photos without cameras, and cameras are needed; {_FROM_PHOTOS}."
    return None


def _known_file(folder: Path) -> str | None:
    """Return what the first file is that is known."""
    files = sorted(path for path in _children(folder) if path.is_file())
    reasons = (other_file(path) for path in files[:MOST_TOLD])
    return next((reason for reason in reasons if reason is not None), None)
