"""Reading untrusted text files of numbers: sizes and numbers are checked."""

import math
from pathlib import Path

from ..errors import UserError
from .file_input import read_bytes

MAX_BYTES = 64 * 1024 * 1024
"""Largest text file that is read, in bytes; a table of 100,000 cameras takes about 25 MB."""


def read_text(path: Path, max_bytes: int = MAX_BYTES) -> str:
    """Read a UTF-8 text file, with or without a byte order mark.

    Raises
    ------
    UserError
        As `read_bytes`, or the file is not UTF-8 text.
    """
    data = read_bytes(path, max_bytes)
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not UTF-8 text; check that it is the right file.") from error


def read_number_rows(path: Path, max_bytes: int = 64 * 1024) -> list[list[float]]:
    """Read rows of numbers that are separated by spaces; empty rows are skipped.

    Raises
    ------
    UserError
        As `read_text`, or an entry is not a finite number.
    """
    return [
        [number_of_text(entry, f"{path.parent.name}/{path.name}") for entry in line.split()]
        for line in read_text(path, max_bytes).splitlines()
        if line.strip()
    ]


def number_of_text(text: str, where: str) -> float:
    """Return the finite number that a text holds, or raise UserError that names `where`."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise UserError(f"{where}: {text[:40]!r} is not a finite number; correct the file.")
    return number
