"""The files of a job folder that the add-on writes and reads.

- ``request.json``: the request, written once by the add-on
- ``blender.json``: the add-on's notes for the result, which the engine ignores
- ``events.jsonl``: every event, written by the engine
- ``result.json``: the result, written last by the engine
- ``engine.log``: the engine's standard error
"""

import contextlib
import json
import re
import struct
from dataclasses import asdict, dataclass, field
from pathlib import Path

from ..errors import ConvertFieldError
from .checked import Checked, file_inside, is_file, is_inside, read_json_object
from .environment import PROTOCOL_VERSION

REQUEST = "request.json"
CLIENT = "blender.json"
RESULT = "result.json"
LOG = "engine.log"

MOST_NOTES = 1_000_000
"""Largest request, and largest notes of the add-on, bytes."""

LONGEST_NAME = 60
"""Longest name of a folder, characters; file systems take 255 bytes."""

MOST_PICTURE_BYTES = 20_000_000
MOST_PICTURE_SIDE = 4096
"""Largest picture that a panel shows."""

PNG = b"\x89PNG\r\n\x1a\n"
"""First bytes of a PNG file."""


@dataclass(frozen=True)
class Request:
    """The request to a job: a verb of the engine and its arguments.

    Attributes
    ----------
    verb : str
        ``"info"``, ``"train"``, ``"convert"``, ``"edit"``, ``"volume"`` or ``"render"``.
    arguments : dict
        JSON values by the name of the command's option.
    client : dict
        JSON values that the add-on needs when the result comes, maybe in another session.
    """

    verb: str
    arguments: dict
    client: dict = field(default_factory=dict)


def safe_name(name: str) -> str:
    """Return a name that every file system takes as a folder's name."""
    kept = re.sub(r"[^\w.-]+", "_", name).strip("._")
    return kept[:LONGEST_NAME] or "capture"


def next_folder(parent: Path, verb: str) -> Path:
    """Make and return the next ``<verb>-<n>`` folder; finished ones are never used again."""
    parent.mkdir(parents=True, exist_ok=True)
    pattern = re.compile(rf"{re.escape(verb)}-(\d+)$")
    taken = [int(found[1]) for path in parent.iterdir() if (found := pattern.match(path.name))]
    number = max(taken, default=0) + 1
    while True:
        folder = parent / f"{verb}-{number}"
        try:
            folder.mkdir()
        except FileExistsError:  # another Blender has just made it
            number += 1
        else:
            return folder


def write_request(folder: Path, request: Request, add_on_version: str) -> None:
    """Write the request and the add-on's own notes into a new job folder."""
    values = asdict(request)
    client = values.pop("client")
    _write_json(folder / CLIENT, client)
    _write_json(folder / REQUEST, values | {"protocol": PROTOCOL_VERSION, "engine": add_on_version})


def read_request(folder: Path) -> Request:
    """Read a job folder's request and the add-on's notes.

    Raises
    ------
    ConvertFieldError
        When a file is missing or is not what it should be, or the job would write elsewhere.
    """
    blame = f"{folder} is not a job of this add-on, start the step again"
    values = read_json_object(folder / REQUEST, blame, MOST_NOTES)
    client = read_json_object(folder / CLIENT, blame, MOST_NOTES)
    arguments = values.part("arguments")
    out = arguments.path("out", None)
    if out is not None and not is_inside(folder, out):
        raise ConvertFieldError(f"{blame}: 'out' must be in the job folder.")
    return Request(values.text("verb"), arguments.values, client.values)


def read_result(folder: Path) -> Checked | None:
    """Return the engine's result, or None if there is none.

    Raises
    ------
    ConvertFieldError
        When it is incomplete, or is not what it should be.
    """
    path = folder / RESULT
    return read_json_object(path) if is_file(path) else None


def small_picture(folder: Path, path: str | Path) -> Path | None:
    """Return the path of a picture that a panel can show, or None.

    It is a real PNG file in a folder, of moderate size.
    """
    found = file_inside(folder, path, ".png")
    try:
        if found is None or found.stat().st_size > MOST_PICTURE_BYTES:
            return None
        with found.open("rb") as file:
            start = file.read(24)
    except OSError:
        return None
    if len(start) < 24 or not start.startswith(PNG):
        return None
    sides = struct.unpack(">II", start[16:])
    return found if min(sides) > 0 and max(sides) <= MOST_PICTURE_SIDE else None


def unfinished_folders(parent: Path) -> list[Path]:
    """Return the job folders in a folder that can be resumed, the newest first.

    A job can be resumed when it has a checkpoint, which the engine removes once a job is done.
    """
    found: list[tuple[float, Path]] = []
    with contextlib.suppress(OSError):
        for path in parent.iterdir():
            with contextlib.suppress(OSError):
                if _is_resumable(path):
                    found.append(((path / REQUEST).stat().st_mtime, path))
    return [path for _, path in sorted(found, reverse=True)]


def _is_resumable(folder: Path) -> bool:
    if not is_file(folder / REQUEST) or not is_file(folder / CLIENT):
        return False
    checkpoints = folder / "checkpoints"
    if not checkpoints.is_dir() or not any(checkpoints.iterdir()):
        return False
    try:
        result = read_result(folder)
        return result is None or result.text("status", "") != "done"
    except ConvertFieldError:  # the engine was killed while it wrote
        return True


def _write_json(path: Path, value: dict) -> None:
    temporary = path.with_name(f"{path.name}.part")
    temporary.write_text(json.dumps(value, indent=2), encoding="utf-8")
    temporary.replace(path)
