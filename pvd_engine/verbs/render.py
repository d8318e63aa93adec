"""Render a field as PNG pictures."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..jobs.job import Job
from ..jobs.verb import Verb
from .views import ViewArguments, open_views, picture_name


@dataclass(frozen=True, kw_only=True)
class RenderArguments(ViewArguments):
    """Render a field as PNG pictures.

    The cameras come from a split of a capture or from a cameras.json. Each picture is an sRGB PNG
    with straight alpha, named like the capture's image: the view test/r_0 becomes
    OUT/test/r_0.png.

    Example: pvd render lego.safetensors --capture lego --split test --out pictures
    """

    out: Path
    """The folder for the pictures."""


def run(arguments: RenderArguments, job: Job) -> dict[str, Any]:
    """Render each view into one PNG with straight alpha, sRGB.

    Returns
    -------
    dict
        ``out``, the folder; ``images``, the pictures' paths below it, in order of the views;
        ``outside``, the names of the views that a light field was not taught for; and ``warnings``.
    """
    from ..fields.storage import load_any_field
    from ..files.images import write_png
    from ..jobs.device import choose_device
    from ..render.region import outside_warnings, views_outside
    from ..render.view_loop import render_views

    device = choose_device(arguments.device)
    views = open_views(arguments, device.type, job)
    field = load_any_field(arguments.field, device)
    outside = views_outside(field, views)
    job.warn(outside_warnings(outside, views))
    images = []
    for view, image in render_views(field, views, job):
        images.append(picture_name(view))
        write_png(arguments.out / images[-1], image.to_uint8())
    return {
        "out": str(arguments.out),
        "images": images,
        "outside": outside,
        "warnings": job.warnings,
    }


VERB = Verb("render", RenderArguments, run, makes_folder=True)
