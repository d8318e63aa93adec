"""Reading NumPy files that others wrote: nothing is unpacked before its size and type are known.

Only the ``.npy`` header is parsed by NumPy (a literal, never code); the numbers are then taken
from exactly as many bytes as the header promises, so that neither pickled objects nor headers that
promise more than the file holds do any harm.
"""

import io
import math
import tokenize
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np

from ..errors import UserError
from .file_input import opened, read_bytes, size_text

MAX_ARRAYS = 500_000
"""Most arrays in one ``.npz``: five for each of 100,000 cameras."""

HEADER_BYTES = 4096
"""Enough for the header of an array of numbers."""

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
"""What NumPy's parsing of a damaged header raises."""


_ZIP_FAULTS = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    NotImplementedError,
    RuntimeError,
    ValueError,
    OSError,
)
"""What reading a damaged archive raises; the last four for compressions that `zipfile` lacks, for
encryption, for names that are no text, and for places that the file does not have."""


def read_npy(path: Path, max_bytes: int) -> np.ndarray:
    """Read an ``.npy`` file of numbers as float64.

    Parameters
    ----------
    path : Path
    max_bytes : int
        Most bytes that the file may have.

    Raises
    ------
    UserError
        Missing, too large or damaged file, or anything other than numbers in it.
    """
    return _array(read_bytes(path, max_bytes), str(path)).astype(np.float64)


def read_npz(path: Path, wanted: Callable[[str], bool], max_bytes: int) -> dict[str, np.ndarray]:
    """Read the wanted arrays of an ``.npz`` file, in the types that they are stored in.

    Parameters
    ----------
    path : Path
    wanted : callable
        Given an array's name, says whether to read it; the others are not unpacked.
    max_bytes : int
        Most bytes that each of them may have once unpacked.

    Raises
    ------
    UserError
        Missing or damaged file, too many arrays, an array that is too large or holds anything
        other than numbers.
    """
    with opened(path) as source:
        try:
            with zipfile.ZipFile(source) as archive:
                return _members(archive, wanted, max_bytes, path)
        except _ZIP_FAULTS as error:
            raise UserError(f"{path} is damaged or no .npz file; replace it.") from error


def _members(
    archive: zipfile.ZipFile, wanted: Callable[[str], bool], max_bytes: int, path: Path
) -> dict[str, np.ndarray]:
    entries = archive.infolist()
    if len(entries) > MAX_ARRAYS:
        raise UserError(f"{path} holds {len(entries)} arrays, too many to be read.")
    arrays: dict[str, np.ndarray] = {}
    for entry in entries:
        name = entry.filename.removesuffix(".npy")
        if not wanted(name):
            continue
        where = f"{path}, {name}"
        if entry.file_size > max_bytes:
            raise UserError(
                f"{where} has more than the {size_text(max_bytes)} that it may have; check that it "
                "is the right file."
            )
        with archive.open(entry) as file:  # yields no more than file_size says
            arrays[name] = _array(file.read(), where)
    return arrays


def _array(data: bytes, where: str) -> np.ndarray:
    stream = io.BytesIO(data)
    try:
        shape, fortran, kind = _HEADERS[np.lib.format.read_magic(stream)](stream)
    except _HEADER_FAULTS as error:
        raise UserError(f"{where} is damaged or no NumPy array; replace it.") from error
    if kind.kind not in "fiu":
        raise UserError(f"{where} must hold numbers, not {kind.name[:40]}; replace the file.")
    rest = memoryview(data)[stream.tell() :]
    if any(side < 0 for side in shape) or math.prod(shape) * kind.itemsize != len(rest):
        raise UserError(f"{where} is damaged: its size is not what its header says; replace it.")
    flat = np.frombuffer(rest, dtype=kind)
    return flat.reshape(shape, order="F" if fortran else "C")
