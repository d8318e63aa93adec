"""Reading untrusted JSON: size, depth and numbers are checked before use."""

import gc
import json
import math
import re
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..errors import UserError
from .text_input import read_text

MAX_BYTES = 128 * 1024 * 1024
"""Largest camera file that is read, in bytes; 20,000 camera entries take about 25 MB."""

MAX_DEPTH = 24
"""Deepest nesting of objects and lists in a JSON file."""

MAX_VALUES = 8_000_000
"""Most commas and brackets in a camera file; each stands for up to 80 bytes of memory. A camera
entry with a matrix and a lens of its own has about 40, so `MAX_ENTRIES` of them fit."""

LONGEST_BY_HAND = 16 * 1024 * 1024
"""Most characters of a file that is searched for comments."""

_COMMENT = re.compile(r'("(?:[^"\\]|\\.)*(?:"|\Z))|//[^\n]*|/\*(?:.*?\*/|.*\Z)', re.DOTALL)
_LAST_COMMA = re.compile(r'("(?:[^"\\]|\\.)*(?:"|\Z))|,(?=\s*[}\]])', re.DOTALL)
"""What is not JSON, or a text, which stays as it is."""

_NOT_IN_NAMES = ("Cc", "Cs", "Zl", "Zp")
"""Unicode categories of control characters, surrogates, line ends and paragraph ends."""


def read_json(path: Path, max_bytes: int = MAX_BYTES, max_values: int | None = None) -> Any:
    """Decode a JSON file.

    NaN and Infinity, which Python writes although JSON does not have them, are numbers that those
    who use them refuse, with the entry in which they stand.

    Parameters
    ----------
    path : Path
    max_bytes : int, optional
        Largest file that is read.
    max_values : int, optional
        Most commas and brackets; any number by default.

    Raises
    ------
    UserError
        As `read_text`, or the file is not JSON, holds more than `max_values` values, or is nested
        deeper than `MAX_DEPTH`.
    """
    return decoded_json(read_text(path, max_bytes), path, max_values)


def decoded_json(text: str, path: Path | str, max_values: int | None) -> Any:
    """Decode a JSON text; `path` names its file in messages.

    Raises
    ------
    UserError
        As `read_json`.
    """
    if max_values is not None and sum(text.count(mark) for mark in ",[{") > max_values:
        raise UserError(
            f"{path} holds more than {max_values} values, too many to read; check that it is the "
            "right file."
        )
    try:
        with _without_collection():
            content = json.loads(text)
    except RecursionError as error:
        raise UserError(f"{path} is nested too deeply; check that it is the right file.") from error
    except json.JSONDecodeError as error:
        raise UserError(
            f"{path} is not valid JSON: {error.msg} in line {error.lineno}, column {error.colno}."
        ) from error
    except ValueError as error:
        raise UserError(f"{path} is not valid JSON: {error}.") from error
    if deeper_than(content, MAX_DEPTH):
        raise UserError(f"{path} is nested too deeply; check that it is the right file.")
    return content


@contextmanager
def _without_collection() -> Iterator[None]:
    """Keep the garbage collector from walking all that is being made, which takes most of the time.

    Decoded JSON has no cycles, so there is nothing to collect.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def read_json_object(path: Path) -> dict[str, Any]:
    """Read a JSON file of at most `MAX_VALUES` values whose top level is an object.

    Raises
    ------
    UserError
        As `read_json`, or the top level is not an object.
    """
    return _object(read_json(path, max_values=MAX_VALUES), path)


def read_json_by_hand(path: Path) -> tuple[dict[str, Any], list[str]]:
    """Read as `read_json_object`, also with comments and commas before closing brackets.

    instant-ngp skips comments, and people who edit such files leave commas behind.

    Returns
    -------
    content : dict
    notes : list of str
        That something was skipped, if it was.

    Raises
    ------
    UserError
        As `read_json_object`.
    """
    text = read_text(path, MAX_BYTES)
    try:
        return _object(decoded_json(text, path, MAX_VALUES), path), []
    except UserError:
        strict = text if len(text) > LONGEST_BY_HAND else _strict(text)
        if strict == text:
            raise
    content = _object(decoded_json(strict, path, MAX_VALUES), path)
    return content, [f"{path.name} has comments or commas that JSON has not; they were skipped."]


def _strict(text: str) -> str:
    """Return a JSON text without comments (``//``, ``/* */``) and commas after the last value."""
    text = _COMMENT.sub(lambda match: match[1] or " " + "\n" * match[0].count("\n"), text)
    return _LAST_COMMA.sub(lambda match: match[1] or "", text)


def _object(content: Any, path: Path) -> dict[str, Any]:
    if not isinstance(content, dict):
        raise UserError(f"{path} must hold a JSON object at its top level.")
    return content


def finite_number(value: Any, what: str, where: str) -> float:
    """Return `value` as a float, or raise UserError that names `what` and `where`."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise UserError(f"{where}: {what} must be a number, not {_describe(value)}.")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise UserError(f"{where}: {what} must be a finite number.")
    return number


def positive_number(value: Any, what: str, where: str) -> float:
    """Return `value` as a float above zero, or raise UserError."""
    number = finite_number(value, what, where)
    if number <= 0:
        raise UserError(f"{where}: {what} must be above zero, not {number:g}.")
    return number


def text_value(value: Any, what: str, where: str) -> str:
    """Return `value` when it is a string that can be a name or path, or raise UserError."""
    if not isinstance(value, str) or not value.strip():
        raise UserError(f"{where}: {what} must be text, not {_describe(value)}.")
    if any(unicodedata.category(letter) in _NOT_IN_NAMES for letter in value):
        raise UserError(f"{where}: {what} holds characters that no file name can have.")
    return value


def shortened(text: str, most: int = 80) -> str:
    """Return a name as messages show it, at most `most` characters long."""
    return text if len(text) <= most else f"{text[:most]}…"


def deeper_than(content: Any, depth: int) -> bool:
    """Return whether decoded JSON has more than `depth` levels of objects and lists."""
    level = [content] if type(content) in (dict, list) else []
    for _ in range(depth):
        level = [
            child
            for item in level
            for child in (item.values() if type(item) is dict else item)
            if type(child) in (dict, list)
        ]
        if not level:
            return False
    return True


def _describe(value: Any) -> str:
    if value is None:
        return "missing"
    return shortened(repr(value), 40)
