"""Measure a field's renders against a capture's images."""

from dataclasses import dataclass
from typing import Any

from ..errors import UserError
from ..jobs.job import Job
from ..jobs.verb import Verb
from .option_kinds import CapturePath, Downscale, FieldArguments, Split


@dataclass(frozen=True, kw_only=True)
class EvalArguments(FieldArguments):
    """Measure a field's renders against a capture's images.

    Gives PSNR to images in decibel and SSIM, for each view and their means. Images with alpha and
    the renders are compared on white.

    Example: pvd eval lego.safetensors --capture lego --split test --json
    """

    capture: CapturePath
    """The dataset to compare with."""

    downscale: Downscale | None = None
    """Divide width and height of the capture's images by this, averaging their pixels; when not
    given, by what the field's training divided them by."""

    split: Split = "test"
    """Split of the capture whose views are measured."""


def run(arguments: EvalArguments, job: Job) -> dict[str, Any]:
    """Measure every view of a split that has an image.

    Images with alpha and renders are laid on white; a render's colours are clipped to [0, 1] as a
    picture file would hold them, but not rounded. Pixels that a mask leaves out do not count.

    Returns
    -------
    dict
        ``compared_with``, the images, and ``measured_on``, the views and their size, for people;
        ``psnr`` (decibel) and ``ssim``, means over the views; ``views``, a list of ``name``,
        ``psnr``, ``ssim``; ``outside``, the names of the views that a light field was not
        taught for; ``downscale``, the number that the images' sides were divided by; and
        ``warnings``.
    """
    import numpy as np

    from ..data.images.downscale import view_on_white
    from ..data.images.image_size import open_at_size
    from ..data.images.masks import load_mask
    from ..fields.header import read_header
    from ..fields.storage import load_any_field
    from ..jobs.device import choose_device
    from ..measure.comparable import measurable, require_comparable
    from ..measure.figures import measured_on
    from ..measure.image_metrics import mean_psnr, psnr, ssim
    from ..render.region import outside_warnings, views_outside
    from ..render.view_loop import render_views

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
    of_split = len(views)
    views = measurable(views)
    if not views:
        raise UserError(
            f"The masks of {capture.name} leave nothing of its {arguments.split} views to compare; "
            "choose another --split."
        )
    side = max(max(view.camera.width, view.camera.height) for view in views)
    field = load_any_field(arguments.field, device)
    outside = views_outside(field, views)
    job.warn(outside_warnings(outside, views))
    measured = []
    for view, image in render_views(field, views, job):
        compared = image.on_white(), view_on_white(view), load_mask(view)
        entry = {"name": view.name, "psnr": psnr(*compared), "ssim": ssim(*compared)}
        measured.append(entry)
        job.emit("metrics", view=view.name, psnr_to_images=entry["psnr"], ssim=entry["ssim"])
    return {
        "compared_with": "images",
        "measured_on": measured_on(len(views), of_split, arguments.split, side),
        "psnr": mean_psnr([entry["psnr"] for entry in measured]),
        "ssim": float(np.mean([entry["ssim"] for entry in measured])),
        "views": measured,
        "outside": outside,
        "downscale": capture.downscale,
        "warnings": job.warnings,
    }


VERB = Verb("eval", EvalArguments, run)
