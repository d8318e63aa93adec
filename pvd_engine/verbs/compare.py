"""The verb ``compare``: two fields side by side from the same cameras, and how far they differ."""

from collections.abc import Callable
from typing import Any

import numpy as np

from ..data.capture import View
from ..fields.light_field import AnyField
from ..fields.storage import load_any_field
from ..files.images import write_png
from ..jobs.device import choose_device
from ..jobs.fraction import fraction_reporter
from ..jobs.job import Job
from ..measure.image_metrics import psnr, ssim
from ..measure.pictures import error_map, smaller, to_uint8
from ..render.render import render_image
from .arguments import CompareArguments
from .render import picture_name, views_to_render

GAP = 4
"""Pixels between two pictures."""


def run(arguments: CompareArguments, job: Job) -> dict[str, Any]:
    """Render both fields from each camera: reference, field and their difference in one PNG.

    Returns
    -------
    dict
        ``out``, the folder; ``images``, the pictures' paths below it; ``psnr`` (decibel; None where
        nothing differs) and ``ssim`` of the field against the reference, both on white, means over
        the views.
    """
    device = choose_device(arguments.device)
    views = views_to_render(arguments, device.type, job)
    field = load_any_field(arguments.field, device)
    reference = load_any_field(arguments.reference, device)
    report = fraction_reporter(job)
    images, measured = [], []
    for number, view in enumerate(views):

        def share(done: float, first: float, index: int = number) -> None:
            report((index + first + done / 2) / len(views))

        picture = on_white(field, view, lambda done, share=share: share(done, 0.0))
        target = on_white(reference, view, lambda done, share=share: share(done, 0.5))
        measured.append((psnr(picture, target), ssim(picture, target)))
        images.append(picture_name(view))
        write_png(arguments.out / images[-1], side_by_side(target, picture))
    report(1.0)
    means = np.mean(measured, axis=0)
    return {
        "out": str(arguments.out),
        "images": images,
        "psnr": float(means[0]) if np.isfinite(means[0]) else None,
        "ssim": float(means[1]),
    }


def on_white(field: AnyField, view: View, report: Callable[[float], None]) -> np.ndarray:
    """A field's picture (H, W, 3) on white, in [0, 1]."""
    return render_image(field, view.camera, report).over(1.0).clip(0, 1)


def side_by_side(reference: np.ndarray, picture: np.ndarray) -> np.ndarray:
    """Both pictures and the map of their difference, (h, w, 3) uint8, as wide as a report's."""
    parts = [to_uint8(smaller(part)) for part in (reference, picture)]
    parts.append(error_map(picture, reference))
    gap = np.full((parts[0].shape[0], GAP, 3), 255, np.uint8)
    return np.concatenate([parts[0], gap, parts[1], gap, parts[2]], axis=1)
