"""The verb ``render``: pictures of a field from the cameras of a capture or of a cameras.json."""

from pathlib import PurePosixPath
from typing import Any

from ..data.capture import View
from ..data.formats.cameras_json import read_cameras
from ..data.images.image_size import open_at_size
from ..errors import UserError
from ..fields.header import read_header
from ..fields.storage import load_any_field
from ..files.images import write_png
from ..jobs.device import choose_device
from ..jobs.job import Job
from ..render.region import outside_warnings, views_outside
from ..render.view_loop import render_views
from .arguments import CompareArguments, RenderArguments


def run(arguments: RenderArguments, job: Job) -> dict[str, Any]:
    """Render each view into one PNG with straight alpha, sRGB.

    Returns
    -------
    dict
        ``out``, the folder; ``images``, the pictures' paths below it, in order of the views;
        ``outside``, the names of the views that a light field was not taught for; and ``warnings``.
    """
    device = choose_device(arguments.device)
    views = views_to_render(arguments, device.type, job)
    field = load_any_field(arguments.field, device)
    outside = views_outside(field, views)
    job.warn(outside_warnings(outside, views))
    out = arguments.out
    images = []
    for view, image in render_views(field, views, job):
        name = picture_name(view)
        write_png(out / name, image.to_uint8())
        images.append(name)
    return {"out": str(out), "images": images, "outside": outside, "warnings": job.warnings}


def picture_name(view: View) -> str:
    """Path of a view's picture below the output folder, such as ``"test/r_0.png"``.

    A name that would lead out of that folder is kept within it.
    """
    name = view.name.replace("\\", "/").replace(":", "_")
    parts = [part for part in PurePosixPath(name).parts if part not in ("/", ".", "..")]
    return f"{'/'.join(parts)}.png"


def views_to_render(
    arguments: RenderArguments | CompareArguments, device: str, job: Job
) -> tuple[View, ...]:
    """The views of a capture's split, or of a cameras.json.

    Parameters
    ----------
    arguments : RenderArguments or CompareArguments
    device : str
    job : Job
        Is told of the views' size.

    Raises
    ------
    UserError
        There are none.
    """
    if arguments.cameras is not None:
        return read_cameras(arguments.cameras)
    provenance = read_header(arguments.field).get("provenance")
    path = arguments.capture or ""
    capture = open_at_size(path, arguments.downscale, device, job, provenance)
    views = capture.split(arguments.split)
    if not views:
        raise UserError(
            f"The capture {capture.name} has no {arguments.split} views; choose another --split."
        )
    return views
