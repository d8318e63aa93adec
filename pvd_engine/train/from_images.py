"""Train a field from the images of a capture."""

from typing import Any

import torch
from torch import Tensor

from ..data.capture import Capture
from ..fields.radiance_field import RadianceField
from ..jobs.budget import Budget
from ..jobs.fraction import count_reporter
from ..jobs.job import Job
from ..measure.figures import TO_IMAGES
from ..space.seen import exclude_unseen
from ..space.space_map import BoxMap
from .batch_size import BatchSize, batch_size
from .distortion import distortion
from .ending import Ending
from .goal import Goal
from .loop import optimise
from .picture_error import picture_error
from .pixels import READING_FRACTION, PixelTable
from .preview import Preview, preview_views
from .readings import Metrics
from .training import Training

OCCUPANCY_EVERY = 16
"""Steps between two updates of the occupancy grid."""

OCCUPANCY_WARM_UP = 128
"""Steps during which every update evaluates all cells."""

OCCUPANCY_CELLS = 1 << 16
"""Cells that a later update evaluates."""

DISTORTION = 0.05
"""Weight of the distortion loss in scenes that extend beyond their box, which without it get fog in
front of the cameras. Objects do without: the excavator lost 0.3 to 0.5 dB and gained nothing."""


class ImageObjective:
    """Squared error of rendered colour against the pixels of a capture, over all backgrounds.

    So a field must be empty where an image is transparent, and opaque where it is not.

    Parameters
    ----------
    training : Training
    pixels : PixelTable
    batch : BatchSize
    """

    def __init__(
        self, training: Training[RadianceField], pixels: PixelTable, batch: BatchSize
    ) -> None:
        self.training = training
        self.pixels = pixels
        self.batch = batch

    def __call__(self, step: int, fraction: float) -> tuple[Tensor, Metrics]:
        """Return the loss of one batch of rays, and its error."""
        field, generator = self.training.field, self.training.generator
        if step % OCCUPANCY_EVERY == 0 and step > 0:
            self._update_occupancy(step)
        count = int(self.training.rays)
        rays, rgba = self.pixels.draw(count, generator)
        jitter = torch.rand(count, generator=generator, device=field.device)
        result, samples = field.march(rays, jitter)
        color, alpha = rgba[:, :3] * rgba[:, 3:], rgba[:, 3]
        error = picture_error(result.color, result.alpha, color, alpha).mean()
        self.training.aim(len(samples.t), self.batch.at(fraction))
        report: Metrics = {"psnr_to_images": error}
        if isinstance(field.space, BoxMap):
            return error, report
        # At full strength from half of the budget on, when surfaces have formed.
        strength = DISTORTION * min(1.0, 2 * fraction)
        spread = distortion(result.weights, samples, field.step, field.space.half_side)
        return error + strength * spread, report

    def _update_occupancy(self, step: int) -> None:
        field, generator = self.training.field, self.training.generator
        if step <= OCCUPANCY_WARM_UP:
            field.occupancy.update_everywhere(field.log_density, field.step, generator)
        else:
            cells = field.occupancy.cells_to_update(OCCUPANCY_CELLS, generator)
            field.occupancy.update(field.log_density, field.step, cells, generator)


def training_pixels(capture: Capture, training: Training, budget: Budget, job: Job) -> PixelTable:
    """Return the pixels of a capture's training images, as far as the budget's time suffices."""
    pixels = PixelTable.open(
        capture.split("train"),
        training.field.device,
        seed=training.seed + training.step,  # a resumed training sees other images first
        wait=budget.steps is not None,
        deadline=budget.deadline(training.started, READING_FRACTION),
        origin=training.field.space.origin,
        report=count_reporter(job, "Reading images"),
    )
    job.warn(pixels.notes())
    return pixels


def image_goal(preview: Preview, until_psnr: float | None) -> Goal | None:
    """Return the PSNR of a preview to its image at which to stop; None where there is no such."""
    if until_psnr is None or preview.truth is None:
        return None
    return Goal(until_psnr, preview.camera, preview.truth, preview.counts)


def train_from_images(
    training: Training[RadianceField],
    capture: Capture,
    budget: Budget,
    job: Job,
    until_psnr: float | None = None,
) -> dict[str, Any]:
    """Optimise a field on the train split and settle its occupancy, until the budget is spent.

    Parameters
    ----------
    training : Training
        Changed in place.
    capture : Capture
    budget : Budget
    job : Job
    until_psnr : float, optional
        PSNR of a validation view to its image at which to stop, decibels.

    Returns
    -------
    dict
        The quick figures of the field, JSON as in `measure.figures`.
    """
    field = training.field
    pixels = training_pixels(capture, training, budget, job)
    if training.step == 0:
        exclude_unseen(field.occupancy, pixels.cameras, training.seed)
    batch = batch_size(field, budget, field.cpu_samples)
    objective = ImageObjective(training, pixels, batch)
    preview = Preview(preview_views(capture), field, job, budget)
    goal = image_goal(preview, until_psnr)
    ending = Ending(field, budget, preview)
    with pixels:
        optimise(training, objective, budget, job, ending, goal)
    decibels = ending.finish(training.started)
    training.count_time()
    return {TO_IMAGES: preview.figure(decibels)}
