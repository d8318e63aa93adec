"""Train Gaussian splats from the images of a capture.

A hash grid learns for a part of the time, and its direct projection is where the splats begin:
Kerbl et al., "3D Gaussian splatting for real-time radiance field rendering", 2023, begin from the
few points of COLMAP, and have to grow all others.
"""

import time
from typing import Any

import torch

from ..data.capture import Capture
from ..data.geometry.poses import PoseDistribution
from ..fields.architectures import architecture, make_field
from ..fields.base import Field
from ..fields.gaussians import GaussianField
from ..fields.sizing import SplatSizes
from ..fields.storage import load_field, save_field
from ..jobs.budget import Budget
from ..jobs.fraction import count_reporter
from ..jobs.job import Job
from ..measure.figures import TO_IMAGES
from ..space.space_map import SpaceMap
from ..train.ending import Ending
from ..train.from_images import image_goal, train_from_images
from ..train.loop import optimise
from ..train.pieces import ImagePieces
from ..train.pixels import READING_FRACTION
from ..train.preview import Preview, preview_views
from ..train.splat_objective import FIRST_PIXELS, Growth, SplatObjective
from ..train.training import Training
from .splats import PROJECTION_FRACTION, projected_field

TEACHER = "hash"
"""Architecture of the field that the splats are projected from."""

TEACHER_FRACTION = 0.3
"""Fraction of the budget in which it learns."""


def splats_from_images(
    sizes: SplatSizes,
    capture: Capture,
    space: SpaceMap,
    budget: Budget,
    seed: int,
    job: Job,
    until_psnr: float | None = None,
) -> tuple[Training[GaussianField], dict[str, Any]]:
    """Train splats on the train split until the budget is spent.

    Parameters
    ----------
    sizes : SplatSizes
    capture : Capture
    space : SpaceMap
    budget : Budget
        Of all: the time of the hash grid counts, too.
    seed : int
    job : Job
    until_psnr : float, optional
        PSNR of a validation view to its image at which to stop, decibels.

    Returns
    -------
    training : Training
        The training of the splats, at its end.
    dict
        The quick figures of the field, JSON as in `measure.figures`.
    """
    started = time.monotonic()
    first = budget.part(TEACHER_FRACTION)
    teacher = _teacher(sizes.preset, capture, space, first, seed, job)
    if budget.steps is not None:
        budget = Budget(None, max(budget.steps - (first.steps or 0), 1))
    poses = PoseDistribution.from_cameras([view.camera for view in capture.split("train")])
    deadline = budget.deadline(time.monotonic(), PROJECTION_FRACTION)
    field = projected_field(teacher, poses.moved(-space.origin), sizes, seed, deadline)
    growth = Growth(field)
    training = Training.start(field, seed, parts={"growth": growth})
    training.started, training.rays = started, float(FIRST_PIXELS)
    training.resume(job)
    preview = Preview(preview_views(capture), field, job, budget)
    ending = Ending(field, budget, preview)
    with ImagePieces(
        capture.split("train"),
        field.device,
        seed,
        wait=budget.steps is not None,
        deadline=budget.deadline(time.monotonic(), READING_FRACTION),
        report=count_reporter(job, "Reading images"),
    ) as images:
        objective = SplatObjective(training, images, growth, "psnr_to_images")
        optimise(training, objective, budget, job, ending, image_goal(preview, until_psnr))
    decibels = ending.finish(training.started)
    training.count_time()
    return training, {TO_IMAGES: preview.figure(decibels)}


def _teacher(
    preset: str, capture: Capture, space: SpaceMap, budget: Budget, seed: int, job: Job
) -> Field:
    """Return a hash grid that has learned from the images; a resumed job has it already."""
    path = job.checkpoints / f"{TEACHER}-field.safetensors"
    if path.is_file():
        return load_field(path, space.box.device)
    torch.manual_seed(seed)
    field = make_field(architecture(TEACHER, preset), space).to(space.box.device)
    training = Training.start(field, seed, checkpoint=TEACHER)
    training.resume(job)
    train_from_images(training, capture, budget, job)
    save_field(path, field)
    return field
