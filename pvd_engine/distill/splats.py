"""Teach Gaussian splats what another field shows: a direct projection, then whole pictures."""

import math
import time
from dataclasses import replace
from functools import partial
from typing import Any

import torch

from ..data.geometry.poses import PoseDistribution
from ..errors import UserError
from ..fields.architectures import splat_field
from ..fields.base import Field
from ..fields.gaussians import GaussianField
from ..fields.sizing import SplatSizes
from ..fields.splats import Splats
from ..jobs.budget import Budget
from ..jobs.fraction import count_reporter
from ..jobs.job import Job
from ..train.flag import Flag
from ..train.pieces import ImagePieces
from ..train.pixels import READING_FRACTION
from ..train.splat_objective import FIRST_PIXELS, Growth, SplatObjective, piece_error
from ..train.training import Part, Training
from .fine_tuning import CHECK_EVERY, at_last
from .lesson import Lesson, follow
from .splat_projection import projected_splats
from .taught_pieces import TaughtPieces, pictured

PROJECTION_FRACTION = 0.1
"""Fraction of the budget's time in which the direct projection may look at the teacher."""

ANTIALIASED = True
"""How projected splats, and those that are taught from there, are drawn."""

CHECKED_PIXELS = 1 << 12
"""Pixels of a look whether splats are ready for the images."""


def teach_splats(
    sizes: SplatSizes,
    lesson: Lesson,
    budget: Budget,
    seed: int,
    job: Job,
    until_psnr: float | None = None,
) -> tuple[Training[GaussianField], dict[str, Any]]:
    """Make a field of splats and teach it until the budget is spent.

    Parameters
    ----------
    sizes : SplatSizes
    lesson : Lesson
    budget : Budget
        The time of the projection counts, too.
    seed : int
    job : Job
    until_psnr : float, optional
        PSNR to the source's picture of one view at which to stop, decibels.

    Returns
    -------
    training : Training
        The training of the splats, at its end.
    report : dict
        ``figures`` as in `measure.figures`, on one view; ``splats``, their number; and
        ``fine_tuned``, whether images took part.
    """
    started = time.monotonic()
    teacher = lesson.teacher.requires_grad_(False)
    deadline = budget.deadline(started, PROJECTION_FRACTION)
    projected = projected_field(teacher, lesson.local_poses, sizes, seed, deadline)
    growth, turned = Growth(projected), Flag()
    parts: dict[str, Part] = {"growth": growth, "turned": turned}
    training = Training.start(projected, seed, parts=parts)
    training.started, training.rays = started, float(FIRST_PIXELS)
    training.resume(job)
    taught = SplatObjective(
        training, TaughtPieces(lesson, seed, budget.steps is None), growth, "psnr_to_source"
    )
    if lesson.capture is None or lesson.fine_tune == 0:
        figures = follow(training, taught, lesson, budget, job, until_psnr)
    else:
        with ImagePieces(
            lesson.capture.split("train"),
            projected.device,
            seed,
            wait=budget.steps is not None,
            deadline=budget.deadline(started, READING_FRACTION),
            report=count_reporter(job, "Reading images"),
        ) as images:
            on_images = SplatObjective(training, images, growth, "psnr_to_images")
            is_due = partial(is_near, training.field, teacher, images)
            steps = at_last(taught, on_images, lesson.fine_tune, turned, is_due)
            figures = follow(training, steps, lesson, budget, job, until_psnr)
    return training, {
        "figures": figures,
        "splats": len(training.field.centers),
        "fine_tuned": turned.on,
    }


@torch.no_grad()
def is_near(field: GaussianField, teacher: Field, images: ImagePieces, step: int) -> bool:
    """Return whether splats are nearer to their teacher than the teacher is to the images.

    It is found out on a part of an image, in every `CHECK_EVERY`-th step.
    """
    if step % CHECK_EVERY > 0:
        return False
    image = images.draw(step, CHECKED_PIXELS)
    taught = pictured(teacher, image.camera)
    to_teacher = piece_error(field, replace(taught, counts=image.counts))
    return bool(to_teacher < image.error(taught.color, taught.alpha))


def projected_field(
    teacher: Field,
    poses: PoseDistribution,
    sizes: SplatSizes,
    seed: int,
    deadline: float = math.inf,
) -> GaussianField:
    """Return a direct projection of a field as a field of splats, in the same map of space.

    Its pictures are antialiased: splats are as small as pixels are or smaller, and drawn larger
    they would take more light than their teacher does, in a large picture less than in a small one.

    Parameters
    ----------
    teacher : Field
    poses : PoseDistribution
    sizes : SplatSizes
    seed : int
    deadline : float
        As `projected_splats` takes them.

    Raises
    ------
    UserError
        The field shows nothing from its viewpoints.
    """
    splats = projected_splats(teacher, poses, sizes.count, sizes.degree, seed, deadline)
    require_splats(splats)
    return splat_field(splats, teacher.space, sizes.preset, antialiased=ANTIALIASED)


def require_splats(projected: Splats) -> None:
    """Raise `UserError` when the projection of a field has no splats."""
    if len(projected) == 0:
        raise UserError(
            "The field shows nothing from its cameras, so there is nothing to convert; undo some "
            "edits."
        )
