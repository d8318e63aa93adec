"""What a format's files may state, and what becomes of it: used, noted, refused or harmless.

Each format has one table of `Keys`, made from what its own programs read: keys of its files, or the
files themselves. The page about datasets is generated from these tables (``python -m
docs.list_keys``).
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ...errors import UserError
from ...files.json_input import shortened

MOST_NAMED = 4
"""Most keys that a note names."""

MOST_UNKNOWN = 1000
"""Most unknown keys that are remembered."""


@dataclass(frozen=True)
class Keys:
    """Keys of a format that mean something together.

    Attributes
    ----------
    treatment : str
        ``"used"``: they change frames, pixels or rays here as in the format's own programs;
        ``"noted"``: they would, and a note says that they do not; ``"refused"``: nothing right
        could be read without them; ``"harmless"``: they change nothing of it.
    names : tuple of str
        Keys, or paths below the capture's folder; ``*`` stands for a number.
    meaning : str
        What they are; of noted ones, what is not done; of refused ones, what to do.
    varies : bool
        A noted key counts only where its entries differ.
    level : str
        ``"file"`` or ``"entry"`` where they are used only at the top of a file, or only in its
        camera entries; elsewhere they are unknown.
    """

    treatment: Literal["used", "noted", "refused", "harmless"]
    names: tuple[str, ...]
    meaning: str
    varies: bool = False
    level: Literal["", "file", "entry"] = ""


def refuse_keys(level: Mapping[str, Any], table: Sequence[Keys], where: str) -> None:
    """Raise UserError for the first refused key that one level of a file sets.

    Parameters
    ----------
    level : mapping
        The top of a file, or a camera entry.
    table : sequence of Keys
    where : str
        File or camera entry in the message.
    """
    for keys in table:
        if keys.treatment != "refused":
            continue
        for name in keys.names:
            if level.get(name) not in (None, False):
                raise UserError(f"{where}: {name} cannot be read: {keys.meaning}.")


def key_notes(levels: Sequence[Mapping[str, Any]], table: Sequence[Keys], where: str) -> list[str]:
    """Return the notes about what a file states and what is not done, and about unknown keys.

    Parameters
    ----------
    levels : sequence of mapping
        The top of the file and its camera entries.
    table : sequence of Keys
    where : str
        Name of the file, in the notes.
    """
    by_name = {name: keys for keys in table for name in keys.names}
    patterns = [name for name in by_name if "*" in name]
    noted: dict[int, list[str]] = {}
    unknown: dict[str, None] = {}
    first: dict[str, Any] = {}
    for index, level in enumerate(levels):
        here = "entry" if index else "file"
        for name, value in level.items():
            keys = by_name.get(name) or _by_pattern(name, patterns, by_name)
            if keys is None or keys.level not in ("", here):
                if len(unknown) < MOST_UNKNOWN:
                    unknown[name] = None
            elif keys.treatment == "noted":
                known = noted.setdefault(id(keys), [])
                differs = first.setdefault(name, value) != value if keys.varies else _says(value)
                if differs and name not in known:
                    known.append(name)
    notes = [
        f"{where} has {_named(noted[id(keys)])}, but {keys.meaning}."
        for keys in table
        if noted.get(id(keys))
    ]
    if unknown:
        are = "is" if len(unknown) == 1 else "are"
        notes.append(f"{where} has {_named(list(unknown))}, which {are} not known and not used.")
    return notes


def file_notes(folder: Path, table: Sequence[Keys]) -> list[str]:
    """Return the notes about files of a capture's folder that a table notes."""
    names = [name for keys in table if keys.treatment == "noted" for name in keys.names]
    found = {name: True for name in names if (folder / name).exists()}
    return key_notes([found], table, folder.absolute().name)


def _by_pattern(name: str, patterns: list[str], by_name: Mapping[str, Keys]) -> Keys | None:
    for pattern in patterns:
        if re.fullmatch(re.escape(pattern).replace(r"\*", r"\d+"), name):
            return by_name[pattern]
    return None


def _says(value: Any) -> bool:
    """Return whether a value sets something: not nothing, false, zero, or zeros."""
    if isinstance(value, list):
        return any(_says(entry) for entry in value)
    return bool(value)


def _named(names: list[str]) -> str:
    shown = ", ".join(shortened(_plain(name), 40) for name in names[:MOST_NAMED])
    more = len(names) - MOST_NAMED
    return f"{shown} and {more} more" if more > 0 else shown


def _plain(name: str) -> str:
    """Return a key without the characters that a terminal would obey."""
    return "".join(letter if letter.isprintable() else "?" for letter in name)
