"""Render a field as pictures."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ..jobs.job import Job
from ..jobs.verb import Verb
from .views import ViewArguments, open_views, picture_name

if TYPE_CHECKING:
    from ..render.render import RenderedImage

PictureFormat = Literal["png", "png16", "exr"]


@dataclass(frozen=True, kw_only=True)
class RenderArguments(ViewArguments):
    """Render a field as pictures.

    The cameras come from a split of a capture or from a cameras.json. Each picture is an sRGB PNG
    with straight alpha, named like the capture's image: the view test/r_0 becomes
    OUT/test/r_0.png.

    Example: pvd render lego.safetensors --capture lego --split test --out pictures
    """

    out: Path
    """The folder for the pictures."""

    format: PictureFormat = "png"
    """Format of the pictures: png has 8 bits, png16 has 16, and exr holds linear light with
    premultiplied alpha, as compositing programs take it."""


def run(arguments: RenderArguments, job: Job) -> dict[str, Any]:
    """Render each view into one picture.

    Returns
    -------
    dict
        ``out``, the folder; ``images``, the pictures' paths below it, in order of the views;
        ``outside``, the names of the views that a light field was not taught for; and ``warnings``.
    """
    from ..fields.storage import load_any_field
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
        images.append(picture_name(view, ".exr" if arguments.format == "exr" else ".png"))
        _write(image, arguments.out / images[-1], arguments.format)
    return {
        "out": str(arguments.out),
        "images": images,
        "outside": outside,
        "warnings": job.warnings,
    }


def _write(image: "RenderedImage", path: Path, picture_format: PictureFormat) -> None:
    from ..files.images import write_exr, write_png

    if picture_format == "exr":
        write_exr(path, image.color, image.alpha)
    else:
        write_png(path, image.to_uint16() if picture_format == "png16" else image.to_uint8())


VERB = Verb("render", RenderArguments, run, makes_folder=True)
