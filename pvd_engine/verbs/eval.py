"""The verb ``eval``: a field's renders against the images of a capture."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..data.capture import Capture, View
from ..data.images.downscale import view_on_white
from ..data.images.image_size import open_at_size
from ..data.images.masks import load_mask
from ..errors import UserError
from ..fields.header import read_header
from ..fields.storage import load_any_field
from ..jobs.device import choose_device
from ..jobs.job import Job
from ..measure.image_metrics import SSIM_WINDOW, leaves_something, psnr, ssim
from ..render.region import outside_warnings, views_outside
from ..render.view_loop import render_views
from .arguments import EvalArguments


def run(arguments: EvalArguments, job: Job) -> dict[str, Any]:
    """Measure every view of a split that has an image.

    Images with alpha and renders are laid on white; a render's colours are clipped to [0, 1] as a
    picture file would hold them, but not rounded. Pixels that a mask leaves out do not count.

    Returns
    -------
    dict
        ``psnr`` (decibel) and ``ssim``, means over the views; ``views``, a list of ``name``,
        ``psnr``, ``ssim``; ``outside``, the names of the views that a light field was not
        taught for; ``downscale``, by what the images' sides were divided; and ``warnings``.
    """
    device = choose_device(arguments.device)
    provenance = read_header(arguments.field).get("provenance")
    capture = open_at_size(arguments.capture, arguments.downscale, device.type, job, provenance)
    views = [view for view in capture.split(arguments.split) if view.image_path is not None]
    if not views:
        raise UserError(
            f"The capture {capture.name} has no {arguments.split} views with images; choose "
            "another --split."
        )
    require_comparable(capture, views)
    views = measurable(views)
    if not views:
        raise UserError(
            f"The masks of {capture.name} leave nothing of its {arguments.split} views to compare; "
            "choose another --split."
        )
    field = load_any_field(arguments.field, device)
    outside = views_outside(field, views)
    job.warn(outside_warnings(outside, views))
    measured = []
    for view, image in render_views(field, views, job):
        compared = image.over(1.0).clip(0, 1), view_on_white(view), load_mask(view)
        entry = {"name": view.name, "psnr": psnr(*compared), "ssim": ssim(*compared)}
        measured.append(entry)
        job.emit("metrics", view=view.name, psnr=entry["psnr"], ssim=entry["ssim"])
    return {
        "psnr": float(np.mean([entry["psnr"] for entry in measured])),
        "ssim": float(np.mean([entry["ssim"] for entry in measured])),
        "views": measured,
        "outside": outside,
        "downscale": capture.downscale,
        "warnings": job.warnings,
    }


def measurable(views: Sequence[View]) -> list[View]:
    """The views whose masks leave something to compare.

    Raises
    ------
    UserError
        A mask cannot be read.
    """
    return [view for view in views if leaves_something(load_mask(view))]


def require_comparable(capture: Capture, views: Sequence[View]) -> None:
    """Check that a capture's views are large enough to be compared.

    Raises
    ------
    UserError
        An image is smaller than the window of SSIM.
    """
    if any(min(view.camera.width, view.camera.height) < SSIM_WINDOW for view in views):
        raise UserError(
            f"The capture {capture.name} has images of less than {SSIM_WINDOW} pixels to a side, "
            "which are too small to compare."
        )
