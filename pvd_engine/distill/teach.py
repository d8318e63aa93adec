"""Teach a student: direct projection, then the stages, then its occupancy."""

import math
import time
from typing import Any

import torch

from ..fields.radiance_field import RadianceField
from ..jobs.budget import Budget
from ..jobs.job import Job
from ..train.loop import Training, optimise
from ..train.preview import Preview
from .feature_match import FeatureMatch, match_features
from .lesson import Lesson, goal, likeness
from .objective import DistillObjective
from .probe import visible_points
from .projection import project
from .ray_source import RaySource

PROJECTION_SHARE = 0.2
"""Most of the budget's time that a direct projection may be fitted for."""

PROBE_RAYS = 2048
"""Rays whose visible points show the spread of the teacher's features."""

SAMPLES_PER_STEP = {"cpu": 1 << 13, "cuda": 1 << 18}


def begin(
    student: RadianceField,
    lesson: Lesson,
    budget: Budget,
    seed: int,
    job: Job,
    checkpoint: str = "latest",
) -> Training[RadianceField]:
    """Go on from a checkpoint, or start, from a direct projection where the recipe has one.

    Parameters
    ----------
    student : RadianceField
    lesson : Lesson
    budget : Budget
        What the projection takes of it counts as time spent.
    seed : int
    job : Job
    checkpoint : str
        Its name in the job folder.
    """
    points = visible_points(lesson.teacher, lesson.poses, PROBE_RAYS, seed)
    beside = match_features(lesson.teacher, student, points)
    training = Training.start(student, seed, checkpoint, beside)
    if training.resume(job) or not lesson.recipe.projection:
        return training
    start = time.monotonic()
    seconds = PROJECTION_SHARE * (budget.seconds or math.inf)
    if project(student, lesson.teacher, lesson.poses, seed, seconds):
        training.memory["projected"] = torch.tensor(True)
        training.renew_optimizer()
    training.elapsed = time.monotonic() - start
    return training


def distil(
    training: Training[RadianceField],
    lesson: Lesson,
    budget: Budget,
    job: Job,
    until_psnr: float | None = None,
) -> dict[str, Any]:
    """Teach a student until the budget is spent, then settle its occupancy.

    Parameters
    ----------
    training : Training
        Of the student; changed in place.
    lesson : Lesson
    budget : Budget
    job : Job
    until_psnr : float, optional
        Decibel to the teacher's picture of one view that are enough.

    Returns
    -------
    dict
        ``psnr_to_teacher`` on one view and whether the features stage took part.

    """
    student, teacher = training.field, lesson.teacher
    teacher.requires_grad_(False)
    recipe, features = lesson.recipe, training.beside
    source = RaySource(
        lesson.poses,
        lesson.cameras(),
        student.device,
        training.seed,
        recipe.hard_poses,
        recipe.hard_rays,
        training.memory,
    )
    samples = SAMPLES_PER_STEP[student.device.type]
    objective = DistillObjective(
        training,
        teacher,
        source,
        recipe,
        features if isinstance(features, FeatureMatch) else None,
        samples,
    )
    preview = Preview(lesson.view(), student, job)
    wanted = goal(until_psnr, teacher, preview.camera)
    optimise(training, objective, budget, job, preview, wanted)
    student.occupancy.rebuild(student.log_density, student.step)
    preview()
    return {
        "psnr_to_teacher": likeness(student, teacher, preview.camera),
        "stages": [int(stage) for stage in objective.recipe.stages],
    }
