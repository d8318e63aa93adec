"""A small picture of one view, shown while a field is trained."""

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ..data.capture import Camera, Capture, View
from ..data.images.downscale import scaled_camera, view_on_white
from ..data.images.masks import load_mask
from ..fields.base import Renderable
from ..files.resize import resized
from ..jobs.budget import Budget
from ..jobs.job import Job
from ..measure.figures import figure
from ..measure.image_metrics import psnr
from ..render.render import render_image

LONGEST_SIDE = 128
"""Longest side of a preview, in pixels; it is halved where a preview takes too long."""

SHORTEST_SIDE = 16
"""Longest side of the smallest preview, in pixels."""

BUDGET_FRACTION = 0.05
"""Fraction of the budget's time that one preview may take, with the field as it is at first."""


def _small(camera: Camera, side: int) -> Camera:
    factor = min(1.0, side / max(camera.width, camera.height))
    return scaled_camera(camera, round(camera.width * factor), round(camera.height * factor))


def _affordable(field: Renderable, camera: Camera, seconds: float) -> Camera:
    """Return a camera made so small that a field's picture takes about `seconds` at most."""
    smallest = _small(camera, SHORTEST_SIDE)
    render_image(field, smallest)  # the first picture takes longer: kernels are loaded
    start = time.monotonic()
    render_image(field, smallest)
    per_pixel = (time.monotonic() - start) / (smallest.width * smallest.height)
    side = LONGEST_SIDE
    small = _small(camera, side)
    while side > SHORTEST_SIDE and per_pixel * small.width * small.height > seconds:
        side //= 2
        small = _small(camera, side)
    return small


def preview_views(capture: Capture) -> tuple[View, ...]:
    """Return the views of a capture that a preview is one of: val, or else train.

    Test views are left for the measurement of what is done.
    """
    return capture.split("val") or capture.split("train")


class Preview:
    """Renders one view into the job folder and measures it against its image.

    Parameters
    ----------
    views : sequence of View
        Views of one split, with or without images; the first one is shown.
    field : Renderable
    job : Job
    budget : Budget
        Of the whole work; a preview is small enough not to take much of its time.

    Attributes
    ----------
    camera : Camera
        The view's, smaller.
    truth : (H, W, 3) float32 array or None
        The view's image at that size, on white, where there is one.
    counts : (H, W) bool array or None
        The pixels that are measured, where not all are.
    picture : (H, W, 3) float32 array
        What was shown last, on white.
    """

    picture: np.ndarray

    def __init__(self, views: Sequence[View], field: Renderable, job: Job, budget: Budget) -> None:
        self.view = views[0]
        self.of = len(views)
        self.field = field
        self.job = job
        self.camera = _small(self.view.camera, LONGEST_SIDE)
        if budget.seconds is not None:
            seconds = BUDGET_FRACTION * budget.seconds
            self.camera = _affordable(field, self.view.camera, seconds)
        self.counts = self._counts()
        self.truth = self._truth()

    def _counts(self) -> np.ndarray | None:
        large = self.view.camera
        stored = self.view.stored_size or (large.width, large.height)
        return load_mask(replace(self.view, camera=self.camera, stored_size=stored))

    def _truth(self) -> np.ndarray | None:
        masked_out = self.counts is not None and not self.counts.any()
        if self.view.image_path is None or masked_out:
            return None
        return resized(view_on_white(self.view), (self.camera.width, self.camera.height))

    def __call__(self) -> float | None:
        """Show the field as it is now; return its PSNR to the image, None without one."""
        image = render_image(self.field, self.camera)
        self.picture = image.on_white()
        self.job.preview(self.view.name, image.to_uint8())
        if self.truth is None:
            return None
        value = psnr(self.picture, self.truth, self.counts)
        self.job.emit("metrics", view=self.view.name, psnr_to_images=value)
        return value

    def figure(self, decibels: float | None) -> dict[str, Any] | None:
        """Return the JSON of the quick figure of a PSNR on this view, None without one."""
        side = max(self.camera.width, self.camera.height)
        return figure([decibels], self.of, self.view.split, side, quick=True)
