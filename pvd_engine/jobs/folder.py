"""The job folder between runs: its request, its progress and its result."""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .. import PROTOCOL_VERSION, __version__
from ..errors import UserError
from ..files.atomic import remove_leftovers, write_json
from .arguments_json import from_json, to_json, with_absolute_paths
from .job import CHECKPOINTS, EVENTS, INPUTS, LOG, PREVIEWS, REQUEST, RESULT, read_object
from .verb import Verb, Verbs

MAY_DIFFER = ("device", "memory")
"""Arguments that may be others when a job resumes: what it computes with, not what."""

_REQUEST_KEYS = {"verb", "arguments", "protocol", "engine"}


@dataclass(frozen=True)
class Request:
    """The work that a job does: a verb and its arguments.

    Attributes
    ----------
    verb : Verb
    arguments : dataclass of the verb
        The arguments, with absolute paths.
    """

    verb: Verb
    arguments: Any

    def to_json(self) -> dict[str, Any]:
        """Return the content of ``request.json``."""
        return {
            "verb": self.verb.name,
            "arguments": to_json(self.arguments),
            "protocol": PROTOCOL_VERSION,
            "engine": __version__,
        }


def read_request(folder: Path, verbs: Verbs) -> Request:
    """Read and check ``request.json``; relative paths in it are relative to the folder.

    Raises
    ------
    UserError
        The file is missing, or a key in it is unknown, missing or of the wrong type.
    """
    path = folder / REQUEST
    values = read_object(path)
    if values is None:
        raise UserError(f"'{path}' is missing or not a JSON object; write the request again.")
    unknown = sorted(set(values) - _REQUEST_KEYS)
    missing = sorted(_REQUEST_KEYS - set(values))
    if unknown or missing:
        problem = f"'{unknown[0]}' is unknown" if unknown else f"'{missing[0]}' is missing"
        raise UserError(f"'{path}' is not a request of this protocol: {problem}.")
    if values["protocol"] != PROTOCOL_VERSION:
        raise UserError(
            f"'{path}' speaks protocol {values['protocol']} and this engine {PROTOCOL_VERSION}; "
            "install the same version of the add-on and the engine."
        )
    verb = verbs.get(values["verb"]) if isinstance(values["verb"], str) else None
    if verb is None:
        raise UserError(f"'{path}': there is no verb {values['verb']!r}; see pvd --help.")
    arguments = from_json(verb.arguments, values["arguments"], f"'{path}'")
    return Request(verb, with_absolute_paths(arguments, folder.absolute()))


def start_or_resume(folder: Path, request: Request, restart: bool) -> bool:
    """Prepare a folder for a request from the command line; return True when it resumes a job.

    An unfinished job (it has checkpoints and no result, or was cancelled or failed) resumes when
    the request is the same; device and memory may differ. In all other cases the job starts again,
    and the folder's content is replaced.

    Raises
    ------
    UserError
        The folder holds an unfinished job with another request, and `restart` is False.
    """
    if has_checkpoints(folder) and not restart and _status(folder) != "done":
        difference = _difference(read_object(folder / REQUEST) or {}, request.to_json())
        if difference is None:
            return True
        raise UserError(
            f"'{folder}' holds an unfinished job that differs in {difference}; resume it with its "
            "own command, start again with --restart, or give another --job."
        )
    for name in (EVENTS, RESULT, LOG, REQUEST, INPUTS):
        (folder / name).unlink(missing_ok=True)
    for name in (CHECKPOINTS, PREVIEWS):
        shutil.rmtree(folder / name, ignore_errors=True)
    write_json(folder / REQUEST, request.to_json())
    return False


def begin(folder: Path, request: Request) -> None:
    """Remove the last run's result and the temporary files of an interrupted run."""
    (folder / RESULT).unlink(missing_ok=True)
    for part in (folder, folder / CHECKPOINTS, folder / PREVIEWS):
        remove_leftovers(part)
    if getattr(request.arguments, "out", None) is not None:
        remove_leftovers(request.arguments.out)


def has_checkpoints(folder: Path) -> bool:
    """Return whether a later run can resume the job."""
    checkpoints = folder / CHECKPOINTS
    return checkpoints.is_dir() and any(
        not path.name.startswith(".") for path in checkpoints.iterdir()
    )


def drop_checkpoints(folder: Path) -> None:
    """Remove the checkpoints of a job that is done; they may be large."""
    shutil.rmtree(folder / CHECKPOINTS, ignore_errors=True)


def finished_result(folder: Path) -> dict[str, Any] | None:
    """Return the result of a job that is done, else None."""
    result = read_object(folder / RESULT)
    return result if result is not None and result.get("status") == "done" else None


def _status(folder: Path) -> Any:
    return (read_object(folder / RESULT) or {}).get("status")


def _difference(old: dict[str, Any], new: dict[str, Any]) -> str | None:
    """Return the difference between two requests in words; None when one can resume the other."""
    if old.get("verb") != new["verb"]:
        return f"its verb ({old.get('verb')})"
    before = old.get("arguments")
    before = before if isinstance(before, dict) else {}
    for name, value in new["arguments"].items():
        if name not in MAY_DIFFER and before.get(name) != value:
            return f"'{name}' ({before.get(name)} there, {value} now)"
    return None
