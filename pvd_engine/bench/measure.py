"""Quality of a field: its pictures against the images, and against its teacher's pictures."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from ..data.capture import Capture, View
from ..data.images.downscale import view_on_white
from ..data.images.masks import load_mask
from ..data.splits import evenly_spaced
from ..errors import UserError
from ..fields.storage import load_any_field
from ..jobs.job import Job
from ..measure.comparable import measurable, require_comparable
from ..measure.image_metrics import mean_psnr, psnr, ssim
from ..render.render import render_image
from ..render.view_loop import render_views


def held_out(
    capture: Capture, split: Literal["val", "test"], most: int | None = None
) -> tuple[View, ...]:
    """Return the views of a split that a field can be measured on.

    Parameters
    ----------
    capture : Capture
    split : str
    most : int, optional
        Largest number of views, evenly spaced; all when not given.

    Raises
    ------
    UserError
        An image is too small to be compared.
    """
    views = [view for view in capture.split(split) if view.image_path is not None]
    require_comparable(capture, views)
    views = measurable(views)
    return tuple(views) if most is None else evenly_spaced(views, most)


def require_test_views(capture: Capture, most: int | None = None) -> tuple[View, ...]:
    """Return the held-out views of the test split.

    Raises
    ------
    UserError
        There is none, or an image is too small to be compared.
    """
    views = held_out(capture, "test", most)
    if not views:
        raise UserError(
            f"The capture {capture.name} has no test views with images, which this benchmark "
            "needs; use another capture."
        )
    return views


def to_source(test: Mapping[str, float]) -> str:
    """Return the PSNR to the source of what `measure` gave, as text; nothing for a teacher."""
    return f"{test['psnr_to_source']:.2f}" if "psnr_to_source" in test else ""


def compare(pictures: Sequence[np.ndarray], views: Sequence[View]) -> dict[str, float]:
    """Return mean ``psnr`` (decibels) and ``ssim`` of pictures, (H, W, 3) on white, to images.

    Pixels that a mask leaves out do not count.
    """
    compared = [
        (picture, view_on_white(view), load_mask(view))
        for picture, view in zip(pictures, views, strict=True)
    ]
    return {
        "psnr": mean_psnr([psnr(*each) for each in compared]),
        "ssim": float(np.mean([ssim(*each) for each in compared])),
    }


def measure(
    field: Path, views: Sequence[View], device: str, job: Job, teacher: Path | None = None
) -> dict[str, float]:
    """Render a field from views and compare.

    Parameters
    ----------
    field : Path
        The field file.
    views : sequence of View
        With images.
    device : str
    job : Job
    teacher : Path, optional
        Another field file, to be rendered from the same views.

    Returns
    -------
    dict
        As from `compare`, and with a teacher ``psnr_to_source``, the mean of the views' PSNR
        between the two fields' pictures on white.

    Raises
    ------
    Cancelled
        The job was cancelled.
    """
    loaded = load_any_field(field, device)
    pictures = [image.on_white() for _, image in render_views(loaded, views, job)]
    measures = compare(pictures, views)
    if teacher is not None:
        example = load_any_field(teacher, device)
        likeness = []
        for view, picture in zip(views, pictures, strict=True):
            job.raise_if_cancelled()
            likeness.append(psnr(picture, render_image(example, view.camera).on_white()))
        measures["psnr_to_source"] = mean_psnr(likeness)
    return measures
