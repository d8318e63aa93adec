"""Reading NumPy files from untrusted sources: size and type are checked before unpacking.

NumPy parses only the ``.npy`` header (a literal, never code). The numbers are then read from
exactly as many bytes as the header states. Pickled objects, and headers that state more than the
file holds, do no harm.
"""

import io
import math
import tokenize
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import IO

import numpy as np

from ..errors import UserError
from .file_input import opened, read_bytes, size_text

MAX_ARRAYS = 500_000
"""Largest number of arrays in one ``.npz``: five for each of 100,000 cameras."""

PART_BYTES = 1 << 20
"""Bytes of a member that are unpacked at a time."""

MAX_HEADER_BYTES = 1 << 16
"""Bytes of a file that are searched for the header of its array."""

HEADER_BYTES = 4096
"""Bytes that are enough for the header of an array of numbers."""

_HEADERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}
_HEADER_FAULTS = (
    ValueError,
    KeyError,
    SyntaxError,
    TypeError,
    EOFError,
    MemoryError,
    RecursionError,
    tokenize.TokenError,
)
"""Exceptions that NumPy raises for a damaged header."""


_ZIP_FAULTS = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    NotImplementedError,
    RuntimeError,
    ValueError,
    OSError,
)
"""Exceptions that a damaged archive raises; the last four are for compressions that `zipfile` does
not support, for encryption, for names that are not text and for offsets beyond the file."""


def read_npy(path: Path, max_bytes: int) -> np.ndarray:
    """Read an ``.npy`` file of numbers as float64.

    Parameters
    ----------
    path : Path
    max_bytes : int
        Largest size of the file.

    Raises
    ------
    UserError
        The file is missing, too large or damaged, or holds anything other than numbers.
    """
    return _array(read_bytes(path, max_bytes), str(path)).astype(np.float64)


def read_npz(path: Path, wanted: Callable[[str], bool], max_bytes: int) -> dict[str, np.ndarray]:
    """Read the wanted arrays of an ``.npz`` file, in their stored types.

    Parameters
    ----------
    path : Path
    wanted : callable
        ``wanted(name)`` is True for the arrays to read; the others are not unpacked.
    max_bytes : int
        Largest size of each of them, unpacked.

    Raises
    ------
    UserError
        The file is missing or damaged or holds too many arrays, or an array is too large or holds
        anything other than numbers.
    """
    with opened(path) as source:
        try:
            with zipfile.ZipFile(source) as archive:
                return _members(archive, wanted, max_bytes, path)
        except _ZIP_FAULTS as error:
            raise UserError(f"{path} is damaged or not an .npz file; replace it.") from error


def _members(
    archive: zipfile.ZipFile, wanted: Callable[[str], bool], max_bytes: int, path: Path
) -> dict[str, np.ndarray]:
    entries = archive.infolist()
    if len(entries) > MAX_ARRAYS:
        raise UserError(
            f"{path} holds {len(entries)} arrays, more than {MAX_ARRAYS}; check that it is the "
            "right file."
        )
    arrays: dict[str, np.ndarray] = {}
    for entry in entries:
        name = entry.filename.removesuffix(".npy")
        if not wanted(name):
            continue
        where = f"{path}, {name}"
        if entry.file_size > max_bytes:
            raise UserError(
                f"{where} is larger than {size_text(max_bytes)}; check that it is the right file."
            )
        with archive.open(entry) as file:
            arrays[name] = _array(_unpacked(file, entry.file_size), where)
    return arrays


def _unpacked(file: IO[bytes], size: int) -> bytes | memoryview:
    """Return all bytes of a member, which yields no more than `size`, without a second copy."""
    data = memoryview(bytearray(size))
    end = 0
    while part := file.read(PART_BYTES):
        data[end : end + len(part)] = part
        end += len(part)
    return data[:end]


def _array(data: bytes | memoryview, where: str) -> np.ndarray:
    stream = io.BytesIO(data[:MAX_HEADER_BYTES])
    try:
        shape, fortran, kind = _HEADERS[np.lib.format.read_magic(stream)](stream)
    except _HEADER_FAULTS as error:
        raise UserError(f"{where} is damaged or not a NumPy array; replace the file.") from error
    if kind.kind not in "fiu":
        raise UserError(f"{where} must hold numbers, not {kind.name[:40]}; replace the file.")
    rest = memoryview(data)[stream.tell() :]
    if any(side < 0 for side in shape) or math.prod(shape) * kind.itemsize != len(rest):
        raise UserError(f"{where} is damaged: its size differs from its header; replace the file.")
    flat = np.frombuffer(rest, dtype=kind)
    return flat.reshape(shape, order="F" if fortran else "C")
