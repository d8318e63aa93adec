"""The verb ``info``: what a capture or a field file holds, without waiting for torch."""

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..data.capture import Capture
from ..data.formats.cameras_json import capture_to_dict
from ..data.geometry.points import write_ply
from ..data.readers import open_capture
from ..fields.header import opened
from ..jobs.job import Job
from .arguments import InfoArguments

POINTS = "points.ply"


def run(arguments: InfoArguments, job: Job) -> dict[str, Any]:
    """Describe what a path holds.

    Returns
    -------
    dict
        ``{"capture": ...}`` as ``data/formats/cameras_json.py`` describes, or ``{"field": ...}``:
        the file's header with ``parameters``, their number, and ``size``, in bytes. A job folder
        that stays gets ``points.ply`` where the capture has sparse points in no PLY file of its
        own.
    """
    path = arguments.path
    if path.suffix == ".safetensors":
        return {"field": describe_field(path)}
    capture = open_capture(path)
    if not job.temporary:
        capture = with_points_file(capture, job.folder)
    return {"capture": capture_to_dict(capture)}


def with_points_file(capture: Capture, folder: Path) -> Capture:
    """The capture with its sparse points in a PLY file, made in `folder` where it has none.

    Raises
    ------
    UserError
        The file cannot be written.
    """
    if capture.points is None or capture.points_path is not None:
        return capture
    path = folder / POINTS
    write_ply(path, capture.points.positions, capture.points.colors)
    return replace(capture, points_path=path)


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
