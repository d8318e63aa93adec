"""The lesson of a student: its teacher, the cameras that render it, and the recipe."""

from dataclasses import dataclass, replace

import numpy as np

from ..data.capture import Camera, Capture, View
from ..data.geometry.poses import PoseDistribution
from ..edit.merged_viewpoints import known_viewpoints
from ..errors import UserError
from ..fields.base import Field, Renderable
from ..measure.image_metrics import psnr
from ..render.render import render_image
from ..space.rays import CameraBatch
from ..train.goal import Goal
from .recipe import Recipe


@dataclass(frozen=True)
class Lesson:
    """A teacher, the cameras that render it, and the recipe.

    Attributes
    ----------
    teacher : Field
    poses : PoseDistribution
        Distribution of the random cameras.
    capture : Capture or None
        Its training cameras give half of the rays.
    recipe : Recipe
    """

    teacher: Field
    poses: PoseDistribution
    capture: Capture | None
    recipe: Recipe

    def cameras(self) -> CameraBatch | None:
        """Return the capture's training cameras; None without a capture."""
        if self.capture is None:
            return None
        known = [view.camera for view in self.capture.split("train")]
        return CameraBatch.from_cameras(known, self.teacher.device)

    def view(self) -> View:
        """Return a view for previews, without its image, from which an edited teacher differs."""
        if self.capture is not None:
            view = (self.capture.split("val") or self.capture.split("train"))[0]
            return replace(view, image_path=None)
        camera = self.poses.sample(1, np.random.default_rng(0))[0]
        return View("view", camera, "val", None)


def require_density(teacher: Field) -> None:
    """Raise `UserError` when a teacher is empty."""
    if not teacher.occupancy.binary.any():
        raise UserError("The field is empty, so there is nothing to convert; undo some edits.")


def goal(until_psnr: float | None, teacher: Field, camera: Camera) -> Goal | None:
    """Return the goal of a PSNR to the teacher's picture; None without one."""
    if until_psnr is None:
        return None
    return Goal(until_psnr, camera, render_image(teacher, camera).over(1.0))


def likeness(student: Renderable, teacher: Renderable, camera: Camera) -> float:
    """Return the PSNR of a student's picture to its teacher's, on white."""
    picture, expected = (render_image(field, camera).over(1.0) for field in (student, teacher))
    return psnr(picture, expected)


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
