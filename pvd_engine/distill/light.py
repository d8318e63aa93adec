"""Teach a light field what another field shows."""

import time
from typing import Any

import numpy as np
import torch

from ..data.geometry.poses import PoseDistribution
from ..fields.base import Renderable
from ..fields.light_field import VISIBLE, LightField, Reach, bordered_occupancy
from ..jobs.budget import Budget
from ..jobs.job import Job
from ..space.extinction import extinction_codes
from ..train.flag import Flag
from ..train.training import Part, Training
from .fine_tuning import at_last, pixels_to_learn
from .lesson import Lesson, follow
from .light_objective import LightObjective, LightOnImages, LightRecipe, hard_rays
from .ray_source import RaySource


def teach_light_field(
    spec: dict[str, Any],
    lesson: Lesson,
    recipe: LightRecipe,
    budget: Budget,
    seed: int,
    job: Job,
    until_psnr: float | None = None,
) -> tuple[Training[LightField], dict[str, Any]]:
    """Make a light field and teach it until the budget is spent.

    Parameters
    ----------
    spec : dict
        Description of the light field, from `pvd_engine.fields.architectures.light_field`.
    lesson : Lesson
    recipe : LightRecipe
    budget : Budget
    seed : int
    job : Job
    until_psnr : float, optional
        PSNR to the source's picture of one view at which to stop, decibels.

    Returns
    -------
    training : Training
        The training of the light field, at its end.
    report : dict
        ``figures`` as in `measure.figures`, on one view; ``rays`` that it learned from;
        ``fine_tuned``, whether images took part; and ``flops`` of a ray.
    """
    started = time.monotonic()
    teacher = lesson.teacher.requires_grad_(False)
    torch.manual_seed(seed)
    occupancy = bordered_occupancy(teacher.occupancy)
    visible = spec["ray"]["interval"] == VISIBLE
    codes = extinction_codes(teacher.log_density, occupancy) if visible else None
    field = LightField(spec, occupancy, reach(teacher, lesson.poses), codes).to(teacher.device)
    hard = hard_rays(field.device) if recipe.hard_rays else None
    turned = Flag()
    parts: dict[str, Part] = {"turned": turned}
    if hard is not None:
        parts["hard_rays"] = hard
    training = Training.start(field, seed, parts=parts)
    training.started = started
    training.resume(job)
    source = RaySource(lesson.local_poses, lesson.cameras(), field.device, seed)
    objective = LightObjective(training, teacher, source, recipe, hard)
    with pixels_to_learn(lesson, training, budget, job) as pixels:
        steps = objective
        if pixels is not None and lesson.capture is not None:
            on_images = LightOnImages(training, pixels, lesson.capture.has_alpha)
            steps = at_last(objective, on_images, lesson.fine_tune, turned)
        figures = follow(training, steps, lesson, budget, job, until_psnr)
    return training, {
        "figures": figures,
        "rays": training.step * objective.batch,
        "fine_tuned": turned.on,
        "flops": field.flops(),
    }


def reach(teacher: Renderable, poses: PoseDistribution) -> Reach:
    """Return the region in which a light field of a teacher is taught.

    All that is occupied lies between near and far, wherever the cameras stand.
    """
    box = teacher.occupancy.occupied_box().numpy()
    center = poses.moved(-teacher.space.origin).center
    radius = float(np.linalg.norm(np.abs(box - center).max(axis=0)))
    low, high = poses.distance
    near = max(low - radius, 0.0)
    return Reach(near, high + radius, box.tolist(), poses.to_json())
