"""Teach a student: direct projection, then the stages, then its occupancy."""

import math
import time
from typing import Any

from ..fields.radiance_field import RadianceField
from ..jobs.budget import Budget
from ..jobs.job import Job
from ..train.batch_size import batch_size
from ..train.flag import Flag
from ..train.training import Training
from .feature_match import match_features
from .fine_tuning import FieldOnImages, at_last, pixels_to_learn
from .lesson import Lesson, follow
from .objective import DistillObjective
from .probe import visible_points
from .projection import project
from .ray_source import RaySource

PROJECTION_FRACTION = 0.2
"""Fraction of the budget's time that fitting a direct projection may take, at most."""

PROBE_RAYS = 2048
"""Rays whose visible points give the spread of the teacher's features."""

CPU_SAMPLES = 1 << 13
"""Visible samples of the last steps on a CPU."""


def teach(
    student: RadianceField,
    lesson: Lesson,
    budget: Budget,
    seed: int,
    job: Job,
    until_psnr: float | None = None,
    checkpoint: str = "latest",
) -> tuple[Training[RadianceField], dict[str, Any]]:
    """Teach a new student and settle its occupancy, until the budget is spent.

    It continues from a checkpoint, or starts from a direct projection where the recipe has one.

    Parameters
    ----------
    student : RadianceField
        Changed in place.
    lesson : Lesson
    budget : Budget
        The time of the projection counts, too.
    seed : int
    job : Job
    until_psnr : float, optional
        PSNR to the source's picture of one view at which to stop, decibels.
    checkpoint : str
        Name of the checkpoint in the job folder.

    Returns
    -------
    training : Training
        The training of the student, at its end.
    report : dict
        ``projected``, whether it began from a projection; ``figures`` as in `measure.figures`,
        on one view; ``stages``, the ones that took part; and ``fine_tuned``, whether the images
        did, at last.
    """
    started = time.monotonic()
    teacher, recipe = lesson.teacher, lesson.recipe
    points = visible_points(teacher, lesson.local_poses, PROBE_RAYS, seed)
    features = match_features(teacher, student, points)
    source = RaySource(
        lesson.local_poses,
        lesson.cameras(),
        student.device,
        seed,
        recipe.hard_poses,
        recipe.hard_rays,
    )
    projected, turned = Flag(), Flag()
    parts = {"projected": projected, "turned": turned, **source.parts()}
    training = Training.start(student, seed, checkpoint, companion=features, parts=parts)
    training.started = started
    if not training.resume(job) and recipe.projection:
        projected.on = begin_projected(training, lesson, budget)
    teacher.requires_grad_(False)
    batch = batch_size(student, budget, CPU_SAMPLES)
    objective = DistillObjective(training, teacher, source, recipe, features, batch)
    with pixels_to_learn(lesson, training, budget, job) as pixels:
        steps = objective
        if pixels is not None:
            on_images = FieldOnImages(training, teacher, pixels, batch)
            steps = at_last(objective, on_images, lesson.fine_tune, turned, on_images.is_due)
        figures = follow(training, steps, lesson, budget, job, until_psnr)
    return training, {
        "projected": projected.on,
        "figures": figures,
        "stages": [int(stage) for stage in objective.recipe.stages],
        "fine_tuned": turned.on,
    }


def begin_projected(training: Training[RadianceField], lesson: Lesson, budget: Budget) -> bool:
    """Start a training from a direct projection of its teacher; return whether there was one."""
    seconds = PROJECTION_FRACTION * (budget.seconds or math.inf)
    student, seed = training.field, training.seed
    projected = project(student, lesson.teacher, lesson.local_poses, seed, seconds)
    if projected:
        training.renew_optimizer()
    return projected
