"""Make a light field from a radiance field."""

from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from ..data.geometry.poses import PoseDistribution
from ..errors import UserError
from ..fields.architectures import default_preset, light_field
from ..fields.base import Field
from ..fields.header import read_header
from ..fields.light_field import LightField, Reach, bordered_occupancy
from ..jobs.budget import Budget
from ..jobs.fraction import count_reporter
from ..jobs.job import Job
from ..measure.report import alteration
from ..train.loop import Training, optimise
from ..train.pixels import PixelTable
from ..train.preview import Preview
from .lesson import Lesson, goal, likeness
from .light_objective import LightObjective, LightRecipe
from .ray_pool import RayPool
from .ray_source import RaySource

if TYPE_CHECKING:
    from ..verbs.convert import ConvertArguments

REFUSED = {"decoder": None, "through": None, "inherit": False, "max_size": None}
"""Options that mean nothing for a light field, and how they are when they are not given."""


def make_light_field(
    arguments: "ConvertArguments", lesson: Lesson, job: Job
) -> tuple[Training[LightField], dict[str, Any]]:
    """Teach a light field until the budget is spent.

    Returns
    -------
    training : Training
        Of the light field.
    report : dict
        For the job's result and the field's provenance.

    Raises
    ------
    UserError
        For options that mean nothing here.
    """
    for name, unset in REFUSED.items():
        if getattr(arguments, name) != unset:
            option = name.replace("_", "-")
            raise UserError(f"--{option} means nothing for a light field; leave it out.")
    teacher = lesson.teacher.requires_grad_(False)
    device = teacher.device
    preset = arguments.preset or default_preset(device)
    spec = light_field(
        preset,
        arguments.ray_points,
        arguments.ray_interval,
        arguments.ray_skip_empty,
        arguments.ray_encoding,
    )
    recipe = LightRecipe(
        arguments.ray_pool,
        arguments.ray_hard,
        arguments.ray_importance,
        arguments.fine_tune,
    )
    torch.manual_seed(arguments.seed)
    field = LightField(spec, bordered_occupancy(teacher.occupancy), reach(teacher, lesson.poses))
    training = Training.start(field.to(device), arguments.seed)
    training.resume(job)
    budget = Budget.parse(arguments.budget, arguments.steps)
    source = RaySource(
        lesson.poses, lesson.cameras(), device, arguments.seed, False, False, training.memory
    )
    pixels = _pixels(arguments, lesson, recipe, training, job)
    pool = RayPool(recipe.pool, device, None)
    objective = LightObjective(
        training,
        teacher,
        source,
        pool,
        recipe,
        pixels,
        lesson.capture is not None and lesson.capture.has_alpha,
    )
    preview = Preview(lesson.view(), field, job)
    try:
        wanted = goal(arguments.until_psnr, teacher, preview.camera)
        optimise(training, objective, budget, job, preview, wanted)
    finally:
        pool.discard()
        if pixels is not None:
            pixels.close()
    preview()
    return training, {
        "psnr_to_teacher": likeness(field, teacher, preview.camera),
        "preset": preset,
        "rays": training.step * objective.batch,
        "fine_tuned": pixels is not None,
        "flops": field.flops(),
    }


def reach(teacher: Field, poses: PoseDistribution) -> Reach:
    """Where a light field of a teacher is taught.

    All that is occupied lies between near and far, wherever the cameras stand.
    """
    box = teacher.occupancy.occupied_box().numpy()
    radius = float(np.linalg.norm(np.abs(box - poses.center).max(axis=0)))
    low, high = poses.distance
    near = max(low - radius, 0.0)
    return Reach(near, high + radius, box.tolist(), poses.to_json())


def _pixels(
    arguments: "ConvertArguments",
    lesson: Lesson,
    recipe: LightRecipe,
    training: Training[LightField],
    job: Job,
) -> PixelTable | None:
    """The images to fine-tune on: none of a teacher that shows something else than they do."""
    if lesson.capture is None or recipe.fine_tune == 0:
        return None
    if alteration(read_header(arguments.field)) is not None:
        return None
    pixels = PixelTable.open(
        lesson.capture.split("train"),
        lesson.teacher.device,
        seed=training.seed + training.step,
        wait=arguments.steps is not None,
        report=count_reporter(job, "Reading images"),
    )
    job.warn(pixels.notes())
    return pixels
