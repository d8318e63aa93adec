"""Views of a capture that a report measures, and the figures of each."""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from ..data.capture import Capture, View
from ..data.images.downscale import view_on_white
from ..data.images.masks import load_mask
from ..data.splits import spread_order
from ..errors import UserError
from ..fields.base import Renderable
from ..jobs.device import processor
from ..jobs.job import Job
from ..render.render import render_image
from .image_metrics import SSIM_WINDOW, leaves_something, mean_psnr, psnr, ssim
from .pictures import ViewPictures

MAX_VIEWS = 8
"""Most views that are rendered and measured, evenly spaced over the split."""

MAX_PIXELS = {"cpu": 2_000_000, "gpu": 20_000_000}
"""Most pixels of these views together, by device; one view is measured however large it is."""

QUALITIES = ("before", "after", "to_teacher")
"""Teacher against image, student against image, student against teacher."""


def views_of(capture: Capture) -> tuple[str, tuple[View, ...]]:
    """Return the split that is measured, and its views: test, val or train, the first with images.

    Where no view has an image, cameras without images are used, test ones first.
    """
    order = ("test", "val", "train")
    for split in order:
        views = tuple(view for view in capture.split(split) if view.image_path is not None)
        if views:
            return split, views
    return next((split, capture.split(split)) for split in order if capture.split(split))


def affordable(views: Sequence[View], device: str) -> int:
    """Return the number of views of this size that are measured."""
    pixels = max(view.camera.width * view.camera.height for view in views)
    return min(MAX_VIEWS, max(MAX_PIXELS[processor(device)] // pixels, 1))


def measure(
    teacher: Renderable,
    student: Renderable,
    views: Sequence[View],
    notes: list[str],
    job: Job,
    deadline: float = math.inf,
) -> Iterator[tuple[int, dict[str, Any], ViewPictures]]:
    """Render views of teacher and student and compare them with the images and each other.

    Their order is chosen before, and every beginning of it is evenly spread: the figures do not
    depend on which views are rendered fast.

    Parameters
    ----------
    teacher, student : Renderable
    views : sequence of View
    notes : list of str
        Receives a sentence for each image that cannot be read.
    job : Job
        Receives progress; its cancellation ends the work.
    deadline : float
        Value of the monotonic clock by which all is done, judged by the views before; one view is
        measured in any case.

    Yields
    ------
    index : int
        Of the view.
    entry : dict
        Entry of ``views`` in the report.
    view : ViewPictures

    Raises
    ------
    Cancelled
        The job was cancelled.
    """
    start, count = time.monotonic(), len(views)
    seconds = deadline - start

    def picture(field: Renderable, view: View, before: int) -> np.ndarray:
        def report(fraction: float) -> None:
            job.raise_if_cancelled()
            done, elapsed = (before + fraction) / (2 * count), time.monotonic() - start
            job.progress(
                doing=f"Measuring {before // 2 + 1}/{count}",
                fraction=done,
                seconds_left=min(elapsed * (1 - done) / done, max(seconds - elapsed, 0.0)),
            )

        return render_image(field, view.camera, report).on_white()

    for number, index in enumerate(spread_order(len(views))):
        if number > 0:
            each = (time.monotonic() - start) / number
            count = int(min(len(views), max(seconds / each, number)))
        if number == count:
            return
        view = views[index]
        truth, counts = _truth(view, notes)
        pictures = ViewPictures(
            view.name,
            truth,
            picture(teacher, view, 2 * number),
            picture(student, view, 2 * number + 1),
            counts,
        )
        entry = {
            "name": view.name,
            "width": view.camera.width,
            "height": view.camera.height,
            "before": quality(pictures.teacher, truth, counts),
            "after": quality(pictures.student, truth, counts),
            "to_teacher": quality(pictures.student, pictures.teacher),
        }
        yield index, entry, pictures


def _truth(view: View, notes: list[str]) -> tuple[np.ndarray | None, np.ndarray | None]:
    """Return a view's image on white and the pixels that its mask leaves.

    Both are None where the mask leaves too little, as `comparable.measurable` says, or without an
    image that can be read, which adds a note.
    """
    if view.image_path is None:
        return None, None
    try:
        truth, counts = view_on_white(view), load_mask(view)
    except UserError:  # a conversion of hours must not fail because of it
        notes.append(f"The image of {view.name} cannot be read, so it was not compared.")
        return None, None
    return (truth, counts) if leaves_something(counts) else (None, None)


def quality(
    picture: np.ndarray, target: np.ndarray | None, counts: np.ndarray | None = None
) -> dict[str, float | None]:
    """Return PSNR and SSIM of a picture (H, W, 3), by the pixels that count, (H, W) bool.

    Null without a target or, SSIM, where the picture is too small.
    """
    if target is None:
        return {"psnr": None, "ssim": None}
    enough = min(picture.shape[:2]) >= SSIM_WINDOW
    return {
        "psnr": psnr(picture, target, counts),
        "ssim": ssim(picture, target, counts) if enough else None,
    }


def mean_quality(entries: Sequence[dict[str, float | None]]) -> dict[str, float | None]:
    """Return means over the views that have a figure."""

    def mean(name: str, average: Callable[[list[float]], Any]) -> float | None:
        known = [value for entry in entries if (value := entry[name]) is not None]
        return float(average(known)) if known else None

    return {"psnr": mean("psnr", mean_psnr), "ssim": mean("ssim", np.mean)}
