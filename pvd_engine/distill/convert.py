"""Convert a field into another architecture: the verb ``convert``."""

import copy
import math
import time
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from .. import __version__
from ..data.capture import Capture, View
from ..data.poses import PoseDistribution
from ..data.readers import open_capture
from ..edit.edited_field import EditedField, edited_occupancy
from ..errors import UserError
from ..fields.architectures import architecture, default_preset, make_field
from ..fields.base import Field
from ..fields.encoders.sparse_tensor import SparseTensorEncoder
from ..fields.radiance_field import RadianceField
from ..fields.sizing import fit
from ..fields.storage import content_hash, load_field, save_field
from ..jobs.arguments import ConvertArguments
from ..jobs.budget import Budget
from ..jobs.device import choose_device
from ..jobs.file_size import parse_size
from ..jobs.job import Job
from ..metrics.image_metrics import psnr
from ..render.rays import CameraBatch
from ..render.render import render_image
from ..report.report import write_report
from ..train.loop import Training, optimise
from ..train.preview import Preview
from .feature_match import FeatureMatch, match_features
from .objective import DistillObjective
from .probe import visible_points
from .projection import project
from .ray_source import RaySource
from .recipe import Recipe

PROJECTION_SHARE = 0.2
"""Most of the budget's time that a direct projection may be fitted for."""

PROBE_RAYS = 2048
"""Rays whose visible points show the spread of the teacher's features."""

SAMPLES_PER_STEP = {"cpu": 1 << 13, "cuda": 1 << 18}

BRIDGE_SHARE = 0.4
"""Share of the budget that a conversion through a sparse tensor spends on reaching it."""


@dataclass(frozen=True)
class Lesson:
    """What a student is taught from.

    Attributes
    ----------
    teacher : Field
    poses : PoseDistribution
        From where it is looked at.
    capture : Capture or None
        Its training cameras give half of the rays.
    recipe : Recipe
    """

    teacher: Field
    poses: PoseDistribution
    capture: Capture | None
    recipe: Recipe


def run(arguments: ConvertArguments, job: Job) -> dict[str, Any]:
    """The verb ``convert``: field file in, field file of another architecture out."""
    device = choose_device(arguments.device)
    teacher = load_field(arguments.field, device)
    capture = open_capture(arguments.capture) if arguments.capture else None
    recipe = Recipe(
        stages=arguments.stages,
        density_constraint=arguments.density_constraint,
        hard_poses=arguments.hard_poses,
        hard_rays=arguments.hard_rays,
        hard_points=arguments.hard_points,
    )
    lesson = Lesson(teacher, viewpoints(teacher, capture), capture, recipe)
    preset = arguments.preset or default_preset(device)
    spec = architecture(arguments.to, preset, arguments.decoder)
    budget = Budget.parse(arguments.budget, arguments.steps)
    seed = arguments.seed
    if arguments.through is not None:
        lesson = through_sparse_tensor(lesson, preset, share_of(budget, BRIDGE_SHARE), seed, job)
        budget = share_of(budget, 1 - BRIDGE_SHARE)
    if arguments.max_size is not None:
        limit = parse_size(arguments.max_size)
        spec = fit(spec, limit, lambda sizes: make_student(sizes, lesson.teacher))
    torch.manual_seed(seed)
    student = make_student(spec, lesson.teacher).to(device)
    inherited = inherit(student, lesson.teacher) if arguments.inherit else []
    training = begin(student, lesson, seed)
    if not training.resume(job) and arguments.projection:
        project_within(training, lesson, budget)
    report = distil(training, lesson, budget, job)
    student.header["provenance"] = {
        "made_by": f"pvd convert {__version__}",
        "teacher": {"file": arguments.field.name, "hash": content_hash(arguments.field)},
        "teacher_provenance": teacher.header.get("provenance"),
        "edits": teacher.header.get("edits"),
        "through": arguments.through,
        "inherited": inherited,
        "projected": "projected" in training.memory,
        "seed": seed,
        "steps": training.step,
        "seconds": round(training.elapsed, 1),
        "device": str(device),
        "viewpoints": lesson.poses.to_json(),
        **report,
    }
    save_field(arguments.out, student)
    return {
        "out": str(arguments.out),
        "to": arguments.to,
        "preset": preset,
        "through": arguments.through,
        "inherited": inherited,
        "projected": "projected" in training.memory,
        "steps": training.step,
        "seconds": training.elapsed,
        "size": arguments.out.stat().st_size,
        **report,
        "report": write_report(arguments, capture, training, job),
    }


def viewpoints(teacher: Field, capture: Capture | None) -> PoseDistribution:
    """Where students of a field are taught from: what its file says, else its capture's cameras.

    The file of a merged field, or of one with moved parts, knows of places that no capture shows.

    Raises
    ------
    UserError
        When there is no capture and the file does not say.
    """
    stored = (teacher.header.get("provenance") or {}).get("viewpoints")
    if stored is not None:
        return PoseDistribution.from_json(stored)
    if capture is None:
        raise UserError(
            "This field does not say from where it was seen; give its dataset with --capture."
        )
    return PoseDistribution.from_cameras([view.camera for view in capture.split("train")])


def make_student(spec: dict[str, Any], teacher: Field) -> RadianceField:
    """A new field over the teacher's box that may hold density only where the teacher may.

    Knowing which cells are empty is knowledge of the scene, not of the teacher's weights.
    """
    student = make_field(spec, teacher.box.cpu(), copy.deepcopy(teacher.occupancy).cpu())
    student.occupancy.values[student.occupancy.binary == 0] = -1
    return student


@torch.no_grad()
def inherit(student: RadianceField, teacher: Field) -> list[str]:
    """Copy the teacher's parameters that have the same name and shape; returns their names."""
    known = dict(teacher.named_parameters())
    copied = []
    for name, parameter in student.named_parameters():
        source = known.get(name)
        if source is not None and source.shape == parameter.shape:
            parameter.copy_(source)
            copied.append(name)
    return copied


def begin(
    student: RadianceField, lesson: Lesson, seed: int, checkpoint: str = "latest"
) -> Training:
    """A student at step 0, with what is learned beside it to compare its features."""
    points = visible_points(lesson.teacher, lesson.poses, PROBE_RAYS, seed)
    beside = match_features(lesson.teacher, student, points)
    return Training.start(student, seed, checkpoint, beside)


def project_within(training: Training, lesson: Lesson, budget: Budget) -> None:
    """Start a student from a direct projection; what that takes counts as time spent."""
    start = time.monotonic()
    most = PROJECTION_SHARE * (budget.seconds or math.inf)
    field = training.field
    if project(field, lesson.teacher, lesson.poses, training.seed, most):
        training.memory["projected"] = torch.tensor(True)
        training.renew_optimizer()
    training.elapsed = time.monotonic() - start


def distil(training: Training, lesson: Lesson, budget: Budget, job: Job) -> dict[str, Any]:
    """Teach a student until the budget is spent, then settle its occupancy.

    Parameters
    ----------
    training : Training
        Of the student; changed in place.
    lesson : Lesson
    budget : Budget
    job : Job

    Returns
    -------
    dict
        ``psnr_to_teacher`` on one view and whether the features stage took part.

    Raises
    ------
    UserError
        When the teacher is empty.
    """
    student, teacher = training.field, lesson.teacher
    if not teacher.occupancy.binary.any():
        raise UserError("The field is empty, so there is nothing to convert; undo some edits.")
    teacher.requires_grad_(False)
    cameras = None
    if lesson.capture is not None:
        known = [view.camera for view in lesson.capture.split("train")]
        cameras = CameraBatch.from_cameras(known, student.device)
    recipe, features = lesson.recipe, training.beside
    source = RaySource(
        lesson.poses,
        cameras,
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
    preview = Preview(_preview_view(lesson), student, job)
    optimise(training, objective, budget, job, preview)
    student.occupancy.rebuild(student.log_density, student.step)
    preview()
    picture = render_image(student, preview.camera).over(1.0)
    expected = render_image(teacher, preview.camera).over(1.0)
    return {
        "psnr_to_teacher": psnr(picture, expected),
        "stages": [int(stage) for stage in objective.recipe.stages],
    }


def through_sparse_tensor(
    lesson: Lesson, preset: str, budget: Budget, seed: int, job: Job
) -> Lesson:
    """The published way to edit: a sparse tensor learns the field, and its tensors are edited.

    An unedited teacher is just passed on through the sparse tensor. PVD, section 4.4.

    Returns
    -------
    Lesson
        With the edited sparse tensor as teacher.
    """
    path = job.checkpoints / "sparse_tensor-field.safetensors"
    if path.is_file():
        return replace(lesson, teacher=load_field(path, lesson.teacher.device))
    # Edits that move or tint have no tensors to be made in: the bridge learns their outcome.
    edited = lesson.teacher
    edited = edited if isinstance(edited, EditedField) and edited.only_cuts else None
    base = lesson.teacher if edited is None else edited.base
    torch.manual_seed(seed)
    bridge = make_student(architecture("sparse_tensor", preset), base).to(base.device)
    unedited = replace(lesson, teacher=base)
    training = begin(bridge, unedited, seed, checkpoint="sparse_tensor")
    training.resume(job)
    distil(training, unedited, budget, job)
    if edited is not None:
        carve(bridge, edited)
    save_field(path, bridge)
    return replace(lesson, teacher=bridge)


def carve(field: RadianceField, edited: EditedField) -> None:
    """Drop the values of a sparse tensor where the edits of another field leave nothing."""
    if not isinstance(field.encoder, SparseTensorEncoder):
        raise TypeError("only a sparse tensor can be carved")
    field.encoder.keep_vertices(lambda points: edited.mask(field.from_engine(points)))
    field.occupancy = edited_occupancy(field.occupancy, list(edited.edit_lists))  # type: ignore[arg-type]


def share_of(budget: Budget, share: float) -> Budget:
    """A part of a budget."""
    return Budget(
        None if budget.seconds is None else budget.seconds * share,
        None if budget.steps is None else max(round(budget.steps * share), 1),
    )


def _preview_view(lesson: Lesson) -> View:
    """A view to show; without its image, as an edited teacher does not look like that."""
    if lesson.capture is not None:
        view = (lesson.capture.split("val") or lesson.capture.split("train"))[0]
        return replace(view, image_path=None)
    camera = lesson.poses.sample(1, np.random.default_rng(0))[0]
    return View("view", camera, "val", None)
