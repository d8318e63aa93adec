"""Arrays in files of the engine; what a header promises is compared with the file first."""

import math
import tokenize
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import IO

import numpy as np

from ..errors import ConvertFieldError
from .checked import BLAME, is_file

MOST_HEADER = 4096
"""Longest header of an array, bytes."""

UNREADABLE = (OSError, EOFError, KeyError, ValueError, MemoryError, OverflowError, TypeError)
UNREADABLE += (RecursionError, NotImplementedError, zipfile.BadZipFile, zlib.error)
UNREADABLE += (SyntaxError, tokenize.TokenError)
"""What numpy and zipfile raise for files that are not what they should be."""


def read_array(path: Path, shape: tuple[int, ...]) -> np.ndarray:
    """Read a ``.npy`` file of float32 that must have a shape.

    Raises
    ------
    ConvertFieldError
        When it is no such file; nothing of it is read then.
    """
    try:
        if not is_file(path):
            raise ValueError("there is no file")
        with path.open("rb") as file:
            if _header(file) != (shape, False, np.dtype(np.float32)):
                raise ValueError("it has another shape or type")
            return np.fromfile(file, np.float32, math.prod(shape)).reshape(shape)
    except UNREADABLE as error:
        raise ConvertFieldError(f"{BLAME}: {path} cannot be used ({error}).") from error


def read_arrays(path: Path, widths: Mapping[str, int], most_rows: int) -> dict[str, np.ndarray]:
    """Read the tables of numbers of an ``.npz`` file.

    Parameters
    ----------
    path : Path
    widths : mapping of str to int
        Names of the tables with their numbers of columns.
    most_rows : int
        Most rows of a table.

    Raises
    ------
    ConvertFieldError
        When it is no such file, or a table is larger; nothing of that table is read then.
    """
    try:
        if not is_file(path):
            raise ValueError("there is no file")
        with zipfile.ZipFile(path) as archive:
            return {
                name: _read_table(archive, f"{name}.npy", width, most_rows)
                for name, width in widths.items()
            }
    except UNREADABLE as error:
        raise ConvertFieldError(f"{BLAME}: {path} cannot be used ({error}).") from error


def _read_table(archive: zipfile.ZipFile, name: str, width: int, most_rows: int) -> np.ndarray:
    with archive.open(name) as file:
        shape, _, kind = _header(file)
    fits = len(shape) == 2 and shape[1] == width and 0 <= shape[0] <= most_rows
    size = archive.getinfo(name).file_size
    if not fits or kind.kind not in "iuf" or shape[0] * width * kind.itemsize > size:
        raise ValueError(f"'{name}' is no table of {width} columns")
    with archive.open(name) as file:
        return np.lib.format.read_array(file, allow_pickle=False, max_header_size=MOST_HEADER)


def _header(file: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype]:
    """Read an array's shape, whether it is in Fortran's order, and its type."""
    if np.lib.format.read_magic(file) != (1, 0):
        raise ValueError("it is of a version that the engine does not write")
    return np.lib.format.read_array_header_1_0(file, max_header_size=MOST_HEADER)
