"""Describe a capture or a field file, without waiting for torch; or what computes here."""

import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from tyro.conf import Positional, arg

from ..errors import UserError
from ..jobs.job import Job
from ..jobs.verb import Verb
from .option_kinds import CheckedArguments, option_word

if TYPE_CHECKING:
    from ..data.capture import Capture

DeviceWord = Annotated[str | None, option_word("DEVICE", alone="auto")]

POINTS = "points.ply"
"""File of the job folder with the capture's sparse points."""


@dataclass(frozen=True, kw_only=True)
class InfoArguments(CheckedArguments):
    """Describe a capture or a field file.

    Shows what a dataset holds (cameras by split, the scene's box and where it comes from, what had
    to be guessed) or what a field file is (architecture, sizes, box, how it was made). With
    --device, shows what training computes on here, and why.

    Example: pvd info lego --json
    """

    path: Positional[Annotated[Path | None, arg(metavar="CAPTURE|FIELD")]] = None
    """A dataset's folder or the file that lists its cameras, or a field's .safetensors file."""

    device: DeviceWord = None
    """Describe this device, or without a name the one that auto takes."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.path is None and self.device is None:
            raise UserError("Name a capture or a field as 'path', or give --device.")


def run(arguments: InfoArguments, job: Job) -> dict[str, Any]:
    """Describe what a path holds, and a device.

    Returns
    -------
    dict
        ``device`` as `describe_device` returns it, and ``capture`` as
        ``data/formats/cameras_json.py`` describes, or ``field``: the file's header with
        ``parameters``, their number, and ``size``, in bytes. A job folder that stays gets
        ``points.ply`` where the capture has sparse points in no PLY file of its own.
    """
    described = {}
    if arguments.device is not None:
        from .device_report import describe_device

        described["device"] = describe_device(arguments.device)
    if arguments.path is not None:
        described |= describe_path(arguments.path, job)
    return described


def describe_path(path: Path, job: Job) -> dict[str, Any]:
    """Return the description of a capture or a field file, as `run` does."""
    from ..data.formats.cameras_json import capture_to_dict
    from ..data.geometry.camera_notes import camera_notes
    from ..data.images.empty import empty_images
    from ..data.readers import open_capture

    if path.suffix == ".safetensors":
        return {"field": describe_field(path)}
    capture = open_capture(path)
    likely = (*camera_notes(capture), *empty_images(capture.views))
    capture = replace(capture, notes=(*capture.notes, *likely))
    if not job.temporary:
        capture = with_points_file(capture, job.folder)
    return {"capture": capture_to_dict(capture)}


def with_points_file(capture: "Capture", folder: Path) -> "Capture":
    """Return the capture with its sparse points in a PLY file, made in `folder` if it has none.

    The points of a capture that stands far from the origin are written around `capture_origin`,
    since readers of PLY files keep float32.

    Raises
    ------
    UserError
        The file cannot be written.
    """
    from ..data.geometry.far_origin import capture_origin
    from ..data.geometry.points import write_ply

    origin = capture_origin(capture)
    if capture.points is None or (capture.points_path is not None and not origin.any()):
        return capture
    path = folder / POINTS
    write_ply(path, capture.points.positions - origin, capture.points.colors)
    return replace(capture, points_path=path)


def describe_field(path: Path) -> dict[str, Any]:
    """Return the header of a field file, with the number of its values and its size.

    Raises
    ------
    UserError
        The file does not exist or is no field file.
    """
    from ..fields.header import opened

    with opened(path, "numpy") as (header, file):
        shapes = [file.get_slice(key).get_shape() for key in file.keys()]  # noqa: SIM118
    return {**header, "parameters": sum(map(math.prod, shapes)), "size": path.stat().st_size}


VERB = Verb("info", InfoArguments, run)
