"""Facts about a field from the header of its file."""

import functools
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ..errors import ConvertFieldError

METADATA_KEY = "pvd_field"
"""Key of the engine's header in the metadata of a safetensors file."""

MAX_HEADER = 100_000_000
"""Largest size of a safetensors header in bytes, by that format's own limit."""

ROLES = {"edited_field": "EDITED", "merged_field": "MERGED", "light_field": "LIGHT"}
"""Roles of fields by their kind; a plain field is a teacher or a student."""


@dataclass(frozen=True)
class FieldFacts:
    """Facts that the list of a capture's fields shows about a field.

    Attributes
    ----------
    role : str
        Origin of the field, a key of `properties.ROLES`.
    architecture : str
        The engine's name of the architecture; empty for a field without one.
    seconds : float or None
        Time that it took to make the field.
    """

    role: str
    architecture: str
    seconds: float | None


def field_facts(path: Path) -> FieldFacts:
    """Return the facts that a field file holds about its field.

    Raises
    ------
    ConvertFieldError
        When the file is no field.
    """
    header = _header(path)
    architecture, provenance = (_part(header, key) for key in ("architecture", "provenance"))
    made_by = str(provenance.get("made_by", ""))
    plain = "STUDENT" if made_by.startswith("pvd convert") else "TEACHER"
    seconds = provenance.get("seconds")
    return FieldFacts(
        role=ROLES.get(str(header["kind"]), plain),
        architecture=str(architecture.get("name", "")),
        seconds=float(seconds) if isinstance(seconds, int | float) else None,
    )


def contained_edits(path: Path) -> frozenset[str]:
    """Return the identities of the edits that a field, or any field that it comes from, has in it.

    Raises
    ------
    ConvertFieldError
        When the file is no field.
    """
    stamp = path.stat() if path.is_file() else None
    return _contained(path, *((stamp.st_mtime_ns, stamp.st_size) if stamp else (0, 0)))


@functools.lru_cache(maxsize=64)
def _contained(path: Path, _time: int, _size: int) -> frozenset[str]:
    return frozenset(_edit_ids(_header(path)))


def _edit_ids(header: dict) -> Iterator[str]:
    """Yield the ids of all edits in a header, its provenance and the headers within."""
    waiting: list = [header]
    while waiting:
        value = waiting.pop()
        if isinstance(value, list):
            waiting.extend(value)
        elif isinstance(value, dict):
            waiting.extend(value.values())
            if "op" in value and isinstance(value.get("id"), str):
                yield value["id"]


def _part(header: dict, key: str) -> dict:
    value = header.get(key)
    return value if isinstance(value, dict) else {}


def _header(path: Path) -> dict:
    """Read the header; a safetensors file begins with its length and JSON."""
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if not 2 <= length <= MAX_HEADER:
                raise ValueError("its header is too long")
            header = json.loads(json.loads(file.read(length))["__metadata__"][METADATA_KEY])
            if not isinstance(header, dict) or "kind" not in header:
                raise ValueError("its header is of another format")
            return header
    except (OSError, KeyError, TypeError, ValueError, RecursionError) as error:
        raise ConvertFieldError(
            f"{path} is no field file; choose a .safetensors that this add-on or pvd has written."
        ) from error
