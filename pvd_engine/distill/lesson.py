"""The lesson of a student: its teacher, the cameras that render it, and the recipe."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..data.capture import Camera, Capture, View
from ..data.geometry.poses import PoseDistribution
from ..edit.merged_viewpoints import known_viewpoints
from ..errors import UserError
from ..fields.base import Field
from ..jobs.budget import Budget
from ..jobs.job import Job
from ..measure.figures import TO_SOURCE
from ..measure.image_metrics import psnr
from ..render.render import render_image
from ..space.rays import CameraBatch
from ..train.ending import Ending
from ..train.goal import Goal
from ..train.loop import Objective, optimise
from ..train.preview import Preview, preview_views
from ..train.training import Training
from .recipe import Recipe


@dataclass(frozen=True)
class Lesson:
    """A teacher, the cameras that render it, and the recipe.

    Attributes
    ----------
    teacher : Field
    poses : PoseDistribution
        Distribution of the random cameras, dataset frame.
    capture : Capture or None
        Its training cameras give half of the rays.
    recipe : Recipe
    fine_tune : float
        Fraction of the budget, at its end, that is spent on the capture's images; 0 where they do
        not show what the teacher shows.
    bridged : Field, optional
        The source, where the teacher is a bridge that was taught by it.
    """

    teacher: Field
    poses: PoseDistribution
    capture: Capture | None
    recipe: Recipe
    fine_tune: float = 0.0
    bridged: Field | None = None

    @property
    def local_poses(self) -> PoseDistribution:
        """The distribution of the random cameras, counted from the origin of the teacher's map."""
        return self.poses.moved(-self.teacher.space.origin)

    def cameras(self) -> CameraBatch | None:
        """Return the capture's training cameras; None without a capture."""
        if self.capture is None:
            return None
        known = [view.camera for view in self.capture.split("train")]
        return CameraBatch.from_cameras(known, self.teacher.device, self.teacher.space.origin)

    @property
    def source(self) -> Field:
        """The field that the student is compared with."""
        return self.teacher if self.bridged is None else self.bridged

    def picture(self, camera: Camera) -> np.ndarray:
        """Return what a student should show, (H, W, 3) float32 on white."""
        return render_image(self.source, camera).on_white()

    def views(self) -> tuple[View, ...]:
        """Return views for a preview, without images, from which an edited teacher differs."""
        if self.capture is not None:
            return tuple(replace(view, image_path=None) for view in preview_views(self.capture))
        camera = self.poses.sample(1, np.random.default_rng(0))[0]
        return (View("view", camera, "random", None),)


def require_density(teacher: Field) -> None:
    """Raise `UserError` when a teacher is empty."""
    if not teacher.occupancy.binary.any():
        raise UserError("The field is empty, so there is nothing to convert; undo some edits.")


def follow(
    training: Training,
    objective: Objective,
    lesson: Lesson,
    budget: Budget,
    job: Job,
    until_psnr: float | None,
) -> dict[str, Any]:
    """Optimise a student until the budget is spent, its end included.

    Parameters
    ----------
    training : Training
        Changed in place.
    objective : callable
        As `optimise` takes it.
    lesson : Lesson
    budget : Budget
    job : Job
    until_psnr : float or None
        PSNR to the source's picture of one view at which to stop, decibels.

    Returns
    -------
    dict
        The figures of the last preview, JSON as in `measure.figures`.
    """
    preview = Preview(lesson.views(), training.field, job, budget)
    expected = lesson.picture(preview.camera)
    ending = Ending(training.field, budget, preview)
    goal = None if until_psnr is None else Goal(until_psnr, preview.camera, expected)
    optimise(training, objective, budget, job, ending, goal)
    ending.finish(training.started)
    training.count_time()
    return {TO_SOURCE: preview.figure(psnr(preview.picture, expected))}


def viewpoints(teacher: Field, capture: Capture | None) -> PoseDistribution:
    """Return the viewpoints that students are taught from: the file's, else the capture's cameras.

    The file of a merged field, or of one with moved parts, has viewpoints that no capture has.

    Raises
    ------
    UserError
        There is no capture, and the file has no viewpoints.
    """
    stored = known_viewpoints(teacher.header.get("provenance") or {})
    if stored is not None:
        return stored
    if capture is None:
        raise UserError(
            "The field file does not hold the cameras that it was trained from; give its dataset "
            "with --capture."
        )
    return PoseDistribution.from_cameras([view.camera for view in capture.split("train")])
