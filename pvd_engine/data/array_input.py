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

MAX_ARRAYS = 500_000
"""Most arrays in one ``.npz``: five for each of 100,000 cameras."""

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
    try:
        with path.open("rb") as file:
            data = file.read(max_bytes + 1)
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror or error}.") from error
    return _array(data, max_bytes, str(path))


def read_npz(path: Path, wanted: Callable[[str], bool], max_bytes: int) -> dict[str, np.ndarray]:
    """Read the wanted arrays of an ``.npz`` file as float64.

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
    arrays: dict[str, np.ndarray] = {}
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
            if len(entries) > MAX_ARRAYS:
                raise UserError(f"{path} holds {len(entries)} arrays, too many to be read.")
            for entry in entries:
                name = entry.filename.removesuffix(".npy")
                if not wanted(name):
                    continue
                with archive.open(entry) as file:
                    data = file.read(max_bytes + 1)
                arrays[name] = _array(data, max_bytes, f"{path}, {name}")
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        # zipfile raises the last two for compressions it lacks and for encrypted files.
        raise UserError(f"{path} is damaged or no .npz file; replace it.") from error
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror or error}.") from error
    return arrays


def _array(data: bytes, max_bytes: int, where: str) -> np.ndarray:
    if len(data) > max_bytes:
        raise UserError(
            f"{where} has more than the {max_bytes / 1000:.0f} kB that it may have; "
            "check that it is the right file."
        )
    stream = io.BytesIO(data)
    try:
        shape, fortran, kind = _HEADERS[np.lib.format.read_magic(stream)](stream)
    except _HEADER_FAULTS as error:
        raise UserError(f"{where} is damaged or no NumPy array; replace it.") from error
    if kind.kind not in "fiu":
        raise UserError(f"{where} must hold numbers, not {kind.name[:40]}; replace the file.")
    rest = data[stream.tell() :]
    if any(side < 0 for side in shape) or math.prod(shape) * kind.itemsize != len(rest):
        raise UserError(f"{where} is damaged: its size is not what its header says; replace it.")
    flat = np.frombuffer(rest, dtype=kind).astype(np.float64)
    return flat.reshape(shape, order="F" if fortran else "C")
