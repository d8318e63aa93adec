"""Teach a student: direct projection, then the stages, then its occupancy."""

import math
import time
from typing import Any

from ..fields.radiance_field import RadianceField
from ..jobs.budget import Budget
from ..jobs.device import processor
from ..jobs.job import Job
from ..train.loop import Training, optimise
from ..train.preview import Preview
from .feature_match import match_features
from .lesson import Lesson, goal, quick_figures
from .objective import DistillObjective
from .probe import visible_points
from .projection import Start, project
from .ray_source import RaySource

PROJECTION_FRACTION = 0.2
"""Fraction of the budget's time that fitting a direct projection may take, at most."""

PROBE_RAYS = 2048
"""Rays whose visible points give the spread of the teacher's features."""

SAMPLES_PER_STEP = {"cpu": 1 << 13, "gpu": 1 << 18}
"""Visible samples that a step aims at; the number of rays follows."""


def teach(
    student: RadianceField,
    lesson: Lesson,
    budget: Budget,
    seed: int,
    job: Job,
    until_psnr: float | None = None,
    checkpoint: str = "latest",
) -> tuple[Training[RadianceField], dict[str, Any]]:
    """Teach a new student until the budget is spent, then settle its occupancy.

    It continues from a checkpoint, or starts from a direct projection where the recipe has one.

    Parameters
    ----------
    student : RadianceField
        Changed in place.
    lesson : Lesson
    budget : Budget
        The time of the projection counts as spent.
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
        on one view; and ``stages``, the ones that took part.
    """
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
    start = Start()
    parts = {"start": start, **source.parts()}
    training = Training.start(student, seed, checkpoint, companion=features, parts=parts)
    if not training.resume(job) and recipe.projection:
        start.projected = begin_projected(training, lesson, budget)
    teacher.requires_grad_(False)
    samples = SAMPLES_PER_STEP[processor(student.device.type)]
    objective = DistillObjective(training, teacher, source, recipe, features, samples)
    preview = Preview(lesson.views(), student, job)
    wanted = goal(until_psnr, lesson.source, preview.camera)
    optimise(training, objective, budget, job, preview, wanted)
    student.occupancy.rebuild(student.log_density, student.step)
    preview()
    return training, {
        "projected": start.projected,
        "figures": quick_figures(student, lesson, preview),
        "stages": [int(stage) for stage in objective.recipe.stages],
    }


def begin_projected(training: Training[RadianceField], lesson: Lesson, budget: Budget) -> bool:
    """Start a training from a direct projection of its teacher; return whether there was one."""
    start = time.monotonic()
    seconds = PROJECTION_FRACTION * (budget.seconds or math.inf)
    student, seed = training.field, training.seed
    projected = project(student, lesson.teacher, lesson.local_poses, seed, seconds)
    if projected:
        training.renew_optimizer()
    training.elapsed = time.monotonic() - start
    return projected
