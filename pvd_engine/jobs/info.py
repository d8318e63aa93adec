"""The verb ``info``: what a capture or a field file holds, without waiting for torch."""

import json
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from ..data.cameras_json import capture_to_dict
from ..data.readers import open_capture
from ..errors import UserError
from .arguments import InfoArguments
from .job import Job

FIELD_METADATA = "pvd_field"
"""Key of a field file's JSON header, as ``fields/storage.py`` writes it."""


def run(arguments: InfoArguments, job: Job) -> dict[str, Any]:
    """Describe what a path holds.

    Returns
    -------
    dict
        ``{"capture": ...}`` as ``data/cameras_json.py`` describes, or ``{"field": ...}``: the
        file's header with ``parameters``, their number, and ``size``, in bytes.
    """
    path = arguments.path
    if path.suffix == ".safetensors":
        return {"field": describe_field(path)}
    return {"capture": capture_to_dict(open_capture(path))}


def describe_field(path: Path) -> dict[str, Any]:
    """The header of a field file, with the number of its values and its size.

    Raises
    ------
    UserError
        The file does not exist or is no field file.
    """
    if not path.is_file():
        raise UserError(f"There is no field file '{path}'; give the path of a .safetensors file.")
    try:
        with safe_open(path, framework="numpy") as file:
            header = json.loads((file.metadata() or {})[FIELD_METADATA])
            shapes = [file.get_slice(key).get_shape() for key in file.keys()]  # noqa: SIM118
        if not isinstance(header, dict):
            raise ValueError("the header is no object")
    except (SafetensorError, KeyError, ValueError, OSError, RecursionError) as error:
        raise UserError(
            f"'{path}' is no field file of this program; give one that pvd train wrote."
        ) from error
    return {**header, "parameters": sum(map(_count, shapes)), "size": path.stat().st_size}


def _count(shape: list[int]) -> int:
    count = 1
    for side in shape:
        count *= side
    return count
