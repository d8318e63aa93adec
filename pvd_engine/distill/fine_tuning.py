"""The end of a conversion, in which the student learns from the capture's images."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from ..fields.base import Field
from ..fields.radiance_field import RadianceField
from ..jobs.budget import Budget
from ..jobs.job import Job
from ..kernels.compositing import composite
from ..space.rays import sample_positions
from ..train.batch_size import BatchSize
from ..train.flag import Flag
from ..train.from_images import training_pixels
from ..train.loop import Objective
from ..train.picture_error import picture_error
from ..train.pixels import PixelTable
from ..train.readings import Metrics
from ..train.training import Training
from .lesson import Lesson

REAL = 5
"""Number of this stage in reports, after PVD's three and that of a light field."""

CHECK_EVERY = 32
"""Steps between two looks whether a student is ready for the images."""

CHECKED_RAYS = 1 << 11
"""Rays of such a look."""


@contextmanager
def pixels_to_learn(
    lesson: Lesson, training: Training, budget: Budget, job: Job
) -> Iterator[PixelTable | None]:
    """Open the pixels of the capture's training images; None where the lesson leaves them out."""
    if lesson.capture is None or lesson.fine_tune == 0:
        yield None
        return
    with training_pixels(lesson.capture, training, budget, job) as pixels:
        yield pixels


class FieldOnImages:
    """Squared error of a student's pictures against the pixels of a capture, over all backgrounds.

    The samples are those that the teacher sees, so that the student is asked for each once, and
    learns nothing where the teacher is empty.

    Parameters
    ----------
    training : Training
        The training of the student.
    teacher : Field
    pixels : PixelTable
    batch : BatchSize
    """

    def __init__(
        self,
        training: Training[RadianceField],
        teacher: Field,
        pixels: PixelTable,
        batch: BatchSize,
    ) -> None:
        self.training = training
        self.teacher = teacher
        self.pixels = pixels
        self.batch = batch

    def __call__(self, step: int, fraction: float) -> tuple[Tensor, Metrics]:
        """Return the loss of one batch of rays, and its error."""
        student, generator = self.training.field, self.training.generator
        rays, rgba = self.pixels.draw(int(self.training.rays), generator)
        jitter = torch.rand(len(rgba), generator=generator, device=rgba.device)
        samples, _ = self.teacher.visible_samples(rays, jitter)
        self.training.aim(len(samples.t), self.batch.at(fraction))
        points, directions = sample_positions(rays, samples)
        density, color = student.decode(points, directions, student.features(points))
        seen = composite(density, color, samples, self.teacher.step)
        wanted = rgba[:, :3] * rgba[:, 3:]
        error = picture_error(seen.color, seen.alpha, wanted, rgba[:, 3]).mean()
        return error, {"psnr_to_images": error}

    def is_due(self, step: int) -> bool:
        """Return whether the student is nearer to its teacher than the teacher is to the images.

        Until then the teacher's points teach it more than pixels. It is found out on pixels at
        random, in every `CHECK_EVERY`-th step.
        """
        if step % CHECK_EVERY > 0:
            return False
        device = self.training.field.device
        generator = torch.Generator(device).manual_seed(self.training.seed + step)
        rays, rgba = self.pixels.draw(CHECKED_RAYS, generator)
        shown, wanted = (field.render(rays) for field in (self.training.field, self.teacher))
        to_teacher = picture_error(shown.color, shown.alpha, wanted.color, wanted.alpha)
        color, alpha = rgba[:, :3] * rgba[:, 3:], rgba[:, 3]
        to_images = picture_error(wanted.color, wanted.alpha, color, alpha)
        return bool(to_teacher.mean() < to_images.mean())


def at_last(
    taught: Objective,
    on_images: Objective,
    fine_tune: float,
    turned: Flag,
    is_due: Callable[[int], bool] = lambda step: True,
) -> Objective:
    """Return an objective that becomes another one in the last part of the budget.

    Parameters
    ----------
    taught, on_images : callable
        The first, and the last.
    fine_tune : float
        The fraction of the budget, at its end, in which it may become the other.
    turned : Flag
        Whether it has; changed in place.
    is_due : callable
        Takes the number of a step in this part; returns whether the other may begin in it.
    """

    def objective(step: int, fraction: float) -> tuple[Tensor, Metrics]:
        if not turned.on and fraction >= 1 - fine_tune:
            turned.on = is_due(step)
        if not turned.on:
            return taught(step, fraction)
        loss, metrics = on_images(step, fraction)
        return loss, {"stage": float(REAL), **metrics}

    return objective
