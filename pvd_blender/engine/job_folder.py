"""The files of a job folder that the add-on writes and reads.

- ``request.json``: the request, written once by the add-on
- ``blender.json``: the add-on's notes for the result, which the engine ignores
- ``events.jsonl``: every event, written by the engine
- ``result.json``: the result, written last by the engine
- ``engine.log``: the engine's standard error
"""

import json
import re
from dataclasses import asdict, dataclass, field
from pathlib import Path

from .environment import PROTOCOL_VERSION

REQUEST = "request.json"
CLIENT = "blender.json"
RESULT = "result.json"
LOG = "engine.log"


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
    return kept or "capture"


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
    ValueError
        When a file is missing or is not what it should be.
    """
    try:
        values = json.loads((folder / REQUEST).read_text(encoding="utf-8"))
        client = json.loads((folder / CLIENT).read_text(encoding="utf-8"))
        return Request(values["verb"], dict(values["arguments"]), dict(client))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{folder} is not a job of this add-on; start the step again.") from error


def read_result(folder: Path) -> dict | None:
    """Return the engine's result, or None if there is none or it is incomplete."""
    try:
        value = json.loads((folder / RESULT).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return value if isinstance(value, dict) else None


def unfinished_folders(parent: Path) -> list[Path]:
    """Return the job folders in a folder that can be resumed, the newest first.

    A job can be resumed when it has a checkpoint, which the engine removes once a job is done.
    """
    if not parent.is_dir():
        return []
    found = [path for path in parent.iterdir() if _is_resumable(path)]
    return sorted(found, key=lambda path: (path / REQUEST).stat().st_mtime, reverse=True)


def _is_resumable(folder: Path) -> bool:
    if not (folder / REQUEST).is_file() or not (folder / CLIENT).is_file():
        return False
    checkpoints = folder / "checkpoints"
    if not checkpoints.is_dir() or not any(checkpoints.iterdir()):
        return False
    return (read_result(folder) or {}).get("status") != "done"


def _write_json(path: Path, value: dict) -> None:
    temporary = path.with_name(f"{path.name}.part")
    temporary.write_text(json.dumps(value, indent=2), encoding="utf-8")
    temporary.replace(path)
