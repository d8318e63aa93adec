"""Rendering many views one after another, with progress, as a job that can be cancelled."""

import time
from collections.abc import Iterator, Sequence

from ..data.capture import View
from ..fields.base import Renderable
from ..jobs.job import Job
from .render import RenderedImage, render_image


def render_views(
    field: Renderable, views: Sequence[View], job: Job, unit: str = "view"
) -> Iterator[tuple[View, RenderedImage]]:
    """Yield the pictures of views in order; progress counts pixels, so large views weigh more.

    Parameters
    ----------
    field : Renderable
    views : sequence of View
    job : Job
    unit : str
        Name of a view in the progress.

    Yields
    ------
    view : View
    image : RenderedImage

    Raises
    ------
    Cancelled
        The job was cancelled.
    """
    pixels = [view.camera.width * view.camera.height for view in views]
    total = sum(pixels)
    start = time.monotonic()
    before = 0
    for number, view in enumerate(views):

        def report(of_view: float, done: int = before, index: int = number) -> None:
            job.raise_if_cancelled()
            fraction = (done + of_view * pixels[index]) / total
            elapsed = time.monotonic() - start
            job.progress(
                fraction=fraction,
                step=index + (of_view >= 1),
                rate=fraction * len(pixels) / max(elapsed, 1e-9),
                unit=unit,
                seconds_left=elapsed * (1 - fraction) / max(fraction, 1e-9),
            )

        job.raise_if_cancelled()
        image = render_image(field, view.camera, progress=report)
        before += pixels[number]
        yield view, image
