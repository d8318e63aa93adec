"""Values that come from a process or a file: each is checked where it is read.

Nothing that the engine prints or writes, and nothing in a folder, is believed. JSON is measured
before it is decoded, and every value has a type and bounds. A value that is not as it must be
raises `ConvertFieldError`, one sentence that names it.
"""

import json
import math
import os
from pathlib import Path

import numpy as np

from ..errors import ConvertFieldError
from ..texts import printable

BLAME = (
    "The engine sent something that this add-on does not understand; check the engine in the "
    "preferences"
)
"""Start of the sentence about a value of the engine."""

MOST_BYTES = 40_000_000
"""Largest JSON that is decoded; the 20,000 cameras of a large capture take 31 MB."""

MOST_VALUES = 2_000_000
"""Most commas, colons and brackets in it; each stands for up to 100 bytes of memory."""

MOST_DEPTH = 100
"""Deepest nesting of its objects and lists; each field's provenance holds that of its parent."""

LONGEST_TEXT = 10_000
"""Longest text of one value, characters."""

LARGEST = 1e12
"""Largest number without bounds of its own; Blender's floats hold it with seven digits."""

LARGEST_INT = 2**31 - 1
"""The largest number that Blender's integer properties hold."""

_REQUIRED = object()


class Checked:
    """A JSON object whose values are checked where they are read; null counts as missing.

    Parameters
    ----------
    values : object
        A decoded JSON value; anything but an object is refused.
    blame : str
        Start of the sentence about a wrong value.
    name : str
        Name of the object, such as ``"capture.views 3"``; empty at the top.

    Raises
    ------
    ConvertFieldError
        By every method: when the value is missing and has no default, or is not as it must be.
    """

    def __init__(self, values: object, blame: str = BLAME, name: str = "") -> None:
        self._blame, self._name = blame, name
        if not isinstance(values, dict):
            raise self.wrong("", "must be an object")
        self._values = values

    @property
    def values(self) -> dict:
        """The object itself, whose values are not checked."""
        return self._values

    def __contains__(self, key: str) -> bool:
        return self._values.get(key) is not None

    def text(self, key: str, default: object = _REQUIRED) -> str:
        """Return a text; characters that a terminal obeys become escapes."""
        value = self._value(key, default)
        if value is default:
            return value
        if not isinstance(value, str) or len(value) > LONGEST_TEXT:
            raise self.wrong(key, "must be a text of ordinary length")
        return printable(value)

    def bytes(self, key: str) -> bytes:
        """Return a text of any length that holds JSON itself, encoded."""
        value = self._value(key, _REQUIRED)
        if not isinstance(value, str):
            raise self.wrong(key, "must be a text")
        return value.encode("utf-8", "surrogatepass")

    def path(self, key: str, default: object = _REQUIRED) -> str:
        """Return a text that can be the path of a file."""
        value = self._value(key, default)
        if value is default:
            return value
        is_text = isinstance(value, str) and 0 < len(value) <= LONGEST_TEXT
        if not is_text or printable(value) != value or "\n" in value:
            raise self.wrong(key, "must be a path")
        return value

    def flag(self, key: str, default: object = _REQUIRED) -> bool:
        """Return true or false."""
        value = self._value(key, default)
        if not isinstance(value, bool):
            raise self.wrong(key, "must be true or false")
        return value

    def number(
        self, key: str, default: object = _REQUIRED, low: float = -LARGEST, high: float = LARGEST
    ) -> float:
        """Return a finite number between two bounds."""
        value = self._value(key, default)
        return value if value is default else self._number(key, value, low, high)

    def whole(
        self, key: str, default: object = _REQUIRED, low: int = 0, high: int = LARGEST_INT
    ) -> int:
        """Return a whole number between two bounds."""
        value = self.number(key, default, low, high)
        if value is not default and value != int(value):
            raise self.wrong(key, "must be a whole number")
        return value if value is default else int(value)

    def numbers(self, key: str, shape: tuple[int, ...], default: object = _REQUIRED) -> np.ndarray:
        """Return nested lists of finite numbers of a shape, as a float64 array."""
        value = self._value(key, default)
        if value is default:
            return value
        level = [value]
        for side in shape:
            if not all(isinstance(item, list) and len(item) == side for item in level):
                raise self.wrong(key, f"must have {' by '.join(map(str, shape))} numbers")
            level = [number for item in level for number in item]
        if not all(is_finite(number) and abs(number) <= LARGEST for number in level):
            raise self.wrong(key, "must have finite numbers")
        return np.array(level, np.float64).reshape(shape)

    def part(self, key: str) -> "Checked":
        """Return the object under a key; an empty one where there is none."""
        return Checked(self._value(key, {}), self._blame, self._path(key))

    def parts(self, key: str, most: int) -> "list[Checked]":
        """Return the objects of a list; an empty one where there is none."""
        return [
            Checked(value, self._blame, f"{self._path(key)} {number}")
            for number, value in enumerate(self._list(key, most), 1)
        ]

    def texts(self, key: str, most: int) -> list[str]:
        """Return the texts of a list; an empty one where there is none."""
        values = Checked(dict(enumerate(self._list(key, most))), self._blame, self._path(key))
        return [values.text(number) for number in values._values]

    def finite(self, most: int = 1000) -> dict[str, float]:
        """Return the values that are finite numbers, by their keys; others are left out."""
        found = {}
        for key, value in list(self._values.items())[:most]:
            if is_finite(value):
                found[printable(key)[:LONGEST_TEXT]] = float(value)
        return found

    def wrong(self, key: object, wrong: str) -> ConvertFieldError:
        """Return the error that names a value, and how it must be."""
        what = f"'{self._path(key)}'" if self._path(key) else "it"
        return ConvertFieldError(f"{self._blame}: {what} {wrong}.")

    def _value(self, key: object, default: object) -> object:
        value = self._values.get(key)
        if value is not None:
            return value
        if default is _REQUIRED:
            raise self.wrong(key, "is missing")
        return default

    def _number(self, key: str, value: object, low: float, high: float) -> float:
        if not is_finite(value) or not low <= value <= high:
            bounds = "" if (low, high) == (-LARGEST, LARGEST) else f" from {low:g} to {high:g}"
            raise self.wrong(key, f"must be a finite number{bounds}")
        return float(value)

    def _list(self, key: str, most: int) -> list:
        value = self._value(key, [])
        if not isinstance(value, list) or len(value) > most:
            raise self.wrong(key, f"must be a list of at most {most}")
        return value

    def _path(self, key: object) -> str:
        return f"{self._name}.{key}" if self._name and key != "" else f"{self._name}{key}"


def is_finite(value: object) -> bool:
    """Return whether a value is a finite number; true and false are none."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # a whole number beyond all floats
        return False


def decode_json(data: bytes, blame: str = BLAME, most: int = MOST_BYTES) -> object:
    """Decode JSON whose size and depth are bounded.

    Raises
    ------
    ConvertFieldError
        When it is no JSON, or is beyond the bounds.
    """
    if len(data) > most:
        raise ConvertFieldError(f"{blame}: it has more than {most / 1e6:g} MB.")
    if sum(data.count(mark) for mark in (b",", b"[", b"{", b":")) > MOST_VALUES:
        raise ConvertFieldError(f"{blame}: it has more than {MOST_VALUES} values.")
    try:
        value = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise ConvertFieldError(f"{blame}: it is no JSON ({error}).") from error
    if not _is_flat(value):
        raise ConvertFieldError(f"{blame}: it is nested too deeply.")
    return value


def read_json_object(path: Path, blame: str = BLAME, most: int = MOST_BYTES) -> Checked:
    """Read a JSON file whose top is an object.

    Raises
    ------
    ConvertFieldError
        When it cannot be read, is no such file, or is beyond the bounds of `decode_json`.
    """
    try:
        if not is_file(path):  # nor a pipe, which would be waited for
            raise ConvertFieldError(f"{blame}: {path} is no file.")
        with path.open("rb") as file:
            data = file.read(most + 1)
    except (OSError, ValueError) as error:
        raise ConvertFieldError(f"{blame}: {path} cannot be read ({error}).") from error
    return Checked(decode_json(data, blame, most), blame)


def is_file(path: str | Path) -> bool:
    """Return whether a path is that of a file; one that no system takes is none.

    Other than `Path.is_file`, it does not raise for a name that is too long.
    """
    return bool(path) and os.path.isfile(path)  # noqa: PTH113


def is_inside(folder: Path, path: str | Path) -> bool:
    """Return whether a path, relative to a folder or absolute, is in it once links are followed."""
    try:
        return (folder / path).resolve().is_relative_to(folder.resolve())
    except (OSError, ValueError, RuntimeError):  # too long, a NUL, or links in a ring
        return False


def file_inside(folder: Path, path: str | Path, suffix: str) -> Path | None:
    """Return a file's path if it is a real file in a folder, at any depth, else None.

    Links are followed first, so none leads out of the folder.

    Parameters
    ----------
    folder : Path
    path : path
        Absolute, or relative to the folder.
    suffix : str
        Ending that the file's own name must have, such as ``".png"``.
    """
    if not is_inside(folder, path) or not is_file(folder / path):
        return None
    found = (folder / path).resolve()
    return found if found.suffix.lower() == suffix else None


def _is_flat(value: object) -> bool:
    """Return whether a value is nested no deeper than `MOST_DEPTH`."""
    level = [value] if isinstance(value, dict | list) else []
    for _ in range(MOST_DEPTH):
        level = [
            child
            for item in level
            for child in (item.values() if isinstance(item, dict) else item)
            if isinstance(child, dict | list)
        ]
    return not level
