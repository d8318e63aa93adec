"""Show two fields side by side from the same cameras, and measure how far they differ."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..jobs.job import Job
from ..jobs.verb import Verb
from .views import ViewArguments, open_views, picture_name


@dataclass(frozen=True, kw_only=True)
class CompareArguments(ViewArguments):
    """Show two fields side by side from the same cameras, and measure how far they differ.

    Each picture has the reference, the field, and the map of their difference.

    Example: pvd compare student.safetensors --reference teacher.safetensors --capture lego --out d
    """

    reference: Path
    """The field file that it is compared with."""

    out: Path
    """The folder for the pictures."""


def run(arguments: CompareArguments, job: Job) -> dict[str, Any]:
    """Render both fields from each camera: reference, field and their difference in one PNG.

    Returns
    -------
    dict
        ``out``, the folder; ``images``, the pictures' paths below it; ``compared_with``, the
        reference, and ``measured_on``, the views and their size, for people; ``psnr`` (decibel;
        None where nothing differs) and ``ssim`` of the field against the reference, both on white,
        means over the views.
    """
    import numpy as np

    from ..fields.storage import load_any_field
    from ..files.images import write_png
    from ..jobs.device import choose_device
    from ..jobs.fraction import fraction_reporter
    from ..measure.figures import measured_on
    from ..measure.image_metrics import mean_psnr, psnr, ssim
    from ..measure.side_by_side import side_by_side
    from ..render.render import render_image

    device = choose_device(arguments.device)
    views = open_views(arguments, device.type, job)
    reference, field = (
        load_any_field(path, device) for path in (arguments.reference, arguments.field)
    )
    report = fraction_reporter(job)
    images, measured = [], []
    for number, view in enumerate(views):
        pictures = []
        for half, shown in enumerate((reference, field)):
            before = 2 * number + half
            image = render_image(
                shown,
                view.camera,
                lambda done, before=before: report((before + done) / (2 * len(views))),
            )
            pictures.append(image.on_white())
        target, picture = pictures
        measured.append((psnr(picture, target), ssim(picture, target)))
        images.append(picture_name(view))
        write_png(arguments.out / images[-1], side_by_side(target, picture))
    report(1.0)
    decibels, likeness = zip(*measured, strict=True)
    side = max(max(view.camera.width, view.camera.height) for view in views)
    split = "" if arguments.capture is None else arguments.chosen_split
    return {
        "out": str(arguments.out),
        "images": images,
        "compared_with": arguments.reference.name,
        "measured_on": measured_on(len(views), len(views), split, side),
        "psnr": None if np.isinf(decibels).all() else mean_psnr(decibels),
        "ssim": float(np.mean(likeness)),
    }


VERB = Verb("compare", CompareArguments, run, makes_folder=True)
