"""The JSON header of a field file, readable without torch (`storage` tells what it holds)."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from ..errors import UserError

FORMAT = "pvd-field"
VERSION = 1
METADATA_KEY = "pvd_field"


def encode_header(header: dict[str, Any]) -> dict[str, str]:
    """A header as the metadata of a safetensors file."""
    return {METADATA_KEY: json.dumps({"format": FORMAT, "version": VERSION, **header})}


@contextmanager
def opened(path: Path, framework: str) -> Iterator[tuple[dict[str, Any], Any]]:
    """A field file's header, and the open file for its tensors.

    Parameters
    ----------
    path : Path
    framework : str
        Of the tensors: ``"numpy"`` or ``"pt"``.

    Raises
    ------
    UserError
        When the file does not exist or is no field file of a known version.
    """
    if not path.is_file():
        raise UserError(f"There is no field file '{path}'; give the path of a .safetensors file.")
    try:
        with safe_open(path, framework=framework) as file:
            text = (file.metadata() or {})[METADATA_KEY]
            header = json.loads(text, parse_constant=_nothing)
            if not isinstance(header, dict) or header.get("format") != FORMAT:
                raise ValueError("the header is of another format")
            if header.get("version") != VERSION:
                raise UserError(
                    f"'{path}' has version {header.get('version')} of the field format; this "
                    f"program reads version {VERSION}, so update it."
                )
            yield header, file
    except (SafetensorError, KeyError, ValueError, OSError, RecursionError) as error:
        raise UserError(
            f"'{path}' is no field file of this program; give one that pvd train wrote."
        ) from error


def _nothing(_constant: str) -> None:
    """What NaN and Infinity are read as, so that a header can be sent on as JSON."""


def read_header(path: Path) -> dict[str, Any]:
    """The JSON header of a field file.

    Raises
    ------
    UserError
        When the file does not exist or is no field file of a known version.
    """
    with opened(path, "numpy") as (header, _):
        return header
