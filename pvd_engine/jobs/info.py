"""The verb ``info``: what a capture or a field file holds, without waiting for torch."""

import math
from pathlib import Path
from typing import Any

from ..data.cameras_json import capture_to_dict
from ..data.readers import open_capture
from ..fields.header import opened
from .arguments import InfoArguments
from .job import Job


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
    with opened(path, "numpy") as (header, file):
        shapes = [file.get_slice(key).get_shape() for key in file.keys()]  # noqa: SIM118
    return {**header, "parameters": sum(map(math.prod, shapes)), "size": path.stat().st_size}
