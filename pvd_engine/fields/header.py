"""The JSON header of a field file, readable without torch (`storage` lists its entries)."""

import json
import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from ..errors import UserError
from .limits import (
    MAX_HEADER_BYTES,
    MAX_TENSORS,
    STORED_SIZES,
    HeaderError,
    check_header,
    check_stored_sizes,
)

FORMAT = "pvd-field"
VERSION = 1
METADATA_KEY = "pvd_field"


def encode_header(header: dict[str, Any]) -> dict[str, str]:
    """Return a header as the metadata of a safetensors file."""
    return {METADATA_KEY: json.dumps({"format": FORMAT, "version": VERSION, **header})}


@contextmanager
def opened(path: Path, framework: str) -> Iterator[tuple[dict[str, Any], Any]]:
    """Open a field file; the context holds its header and the file to read tensors from.

    Parameters
    ----------
    path : Path
    framework : str
        Type of the tensors: ``"numpy"`` or ``"pt"``.

    Raises
    ------
    UserError
        When the file does not exist, is no field file of a known version, or its header is beyond
        the limits (`limits`).
    """
    if not path.is_file():
        raise UserError(f"There is no field file '{path}'; give the path of a .safetensors file.")
    try:
        _check_length(path)
        with safe_open(path, framework=framework) as file:
            text = (file.metadata() or {})[METADATA_KEY]
            header = json.loads(text, parse_constant=_nothing, parse_float=_finite)
            if not isinstance(header, dict) or header.get("format") != FORMAT:
                raise ValueError("the header is of another format")
            if header.get("version") != VERSION:
                raise UserError(
                    f"'{path}' has version {header.get('version')!r:.20} of the field format; this "
                    f"program reads version {VERSION}; update the program."
                )
            check_header(header)
            if len(file.keys()) > MAX_TENSORS:
                raise HeaderError(f"names more than {MAX_TENSORS} tensors")
            check_stored_sizes(_stored_sizes(file), path.stat().st_size)
            yield header, file
    except HeaderError as error:
        raise UserError(
            f"'{path}' is a damaged field file: its header {error}; use a copy, or make the field "
            "again."
        ) from error
    except (SafetensorError, KeyError, ValueError, OSError, RecursionError) as error:
        raise UserError(
            f"'{path}' is not a field file of this program; give one that pvd train wrote, or pvd "
            "import, of splats."
        ) from error


def _check_length(path: Path) -> None:
    """Raise HeaderError where a file states a longer header than `MAX_HEADER_BYTES`."""
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
    if length > MAX_HEADER_BYTES:
        raise HeaderError(f"is longer than {MAX_HEADER_BYTES >> 20} MB")


def _stored_sizes(file: Any) -> dict[str, Any]:
    """Return the tensors that hold the sizes of grids, as numbers."""
    sizes = {}
    for name in file.keys():  # noqa: SIM118
        if name.rpartition(".")[2] in STORED_SIZES:
            shape = file.get_slice(name).get_shape()
            if shape not in ([], [3]):
                raise HeaderError(f'has a "{name}" that is neither one number nor three')
            sizes[name] = file.get_tensor(name).tolist()
    return sizes


def _finite(text: str) -> float | None:
    """Return the number of a text, or None if it is too large, as of NaN and Infinity."""
    number = float(text)
    return number if math.isfinite(number) else None


def _nothing(_constant: str) -> None:
    """Return None for NaN and Infinity, so that a header can be sent on as JSON."""


def read_header(path: Path) -> dict[str, Any]:
    """Return the JSON header of a field file.

    Raises
    ------
    UserError
        When the file does not exist or is no field file of a known version.
    """
    with opened(path, "numpy") as (header, _):
        return header
