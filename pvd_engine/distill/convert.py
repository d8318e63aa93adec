"""Convert a field into another architecture: the verb ``convert``."""

import copy
from pathlib import Path
from typing import Any

import numpy as np
import torch

from .. import __version__
from ..data.capture import Capture, View
from ..data.readers import open_capture
from ..errors import UserError
from ..fields.architectures import architecture, default_preset, make_field
from ..fields.base import Field
from ..fields.radiance_field import RadianceField
from ..fields.storage import content_hash, load_field, save_field
from ..jobs.arguments import ConvertArguments
from ..jobs.budget import Budget
from ..jobs.device import choose_device
from ..jobs.job import Job
from ..metrics.image_metrics import psnr
from ..render.rays import CameraBatch
from ..render.render import render_image
from ..train.loop import Training, optimise
from ..train.preview import Preview
from .objective import DistillObjective, RaySource, Stages
from ..data.poses import PoseDistribution

SAMPLES_PER_STEP = {"cpu": 1 << 14, "cuda": 1 << 18}


def run(arguments: ConvertArguments, job: Job) -> dict[str, Any]:
    """The verb ``convert``: field file in, field file of another architecture out."""
    device = choose_device(arguments.device)
    teacher_path = Path(arguments.field)
    teacher = load_field(teacher_path, device)
    capture = open_capture(arguments.capture) if arguments.capture else None
    poses = viewpoints(teacher, capture)
    preset = arguments.preset or default_preset(device)
    spec = architecture(arguments.to, preset, arguments.decoder)
    torch.manual_seed(arguments.seed)
    student = make_student(spec, teacher).to(device)
    inherited = inherit(student, teacher) if arguments.inherit else []
    training = Training.start(student, arguments.seed)
    training.resume(job)
    budget = Budget.parse(arguments.budget, arguments.steps)
    report = distil(training, teacher, poses, capture, budget, job)
    student.header["provenance"] = {
        "made_by": f"pvd convert {__version__}",
        "teacher": {"file": teacher_path.name, "hash": content_hash(teacher_path)},
        "teacher_provenance": teacher.header.get("provenance"),
        "edits": teacher.header.get("edits"),
        "seed": arguments.seed,
        "steps": training.step,
        "seconds": round(training.elapsed, 1),
        "device": str(device),
        "inherited": inherited,
        "viewpoints": poses.to_json(),
    }
    out = Path(arguments.out)
    save_field(out, student)
    return {
        "out": str(out),
        "to": arguments.to,
        "preset": preset,
        "steps": training.step,
        "seconds": training.elapsed,
        "size": out.stat().st_size,
        "inherited": inherited,
        **report,
    }


def viewpoints(teacher: Field, capture: Capture | None) -> PoseDistribution:
    """Where students of a field are taught from: its capture's cameras, else what its file says.

    Raises
    ------
    UserError
        When there is no capture and the file does not say.
    """
    if capture is not None:
        return PoseDistribution.from_cameras([view.camera for view in capture.split("train")])
    stored = (teacher.header.get("provenance") or {}).get("viewpoints")
    if stored is None:
        raise UserError(
            "This field does not say from where it was seen; give its dataset with --capture."
        )
    return PoseDistribution.from_json(stored)


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


def distil(
    training: Training,
    teacher: Field,
    poses: PoseDistribution,
    capture: Capture | None,
    budget: Budget,
    job: Job,
) -> dict[str, Any]:
    """Teach a student until the budget is spent, then settle its occupancy.

    Parameters
    ----------
    training : Training
        Of the student; changed in place.
    teacher : Field
    poses : PoseDistribution
    capture : Capture or None
        Its training cameras give half of the rays.
    budget : Budget
    job : Job

    Returns
    -------
    dict
        ``psnr_to_teacher`` on one view and whether the features stage took part.
    """
    student = training.field
    for parameter in teacher.parameters():
        parameter.requires_grad_(False)
    cameras = None
    if capture is not None:
        known = [view.camera for view in capture.split("train")]
        cameras = CameraBatch.from_cameras(known, student.device)
    source = RaySource(poses, cameras, student.device, training.generator)
    samples = SAMPLES_PER_STEP[student.device.type]
    objective = DistillObjective(training, teacher, source, Stages(), samples)
    view = _preview_view(capture, poses)
    preview = Preview(view, student, job)
    optimise(training, objective, budget, job, preview)
    student.occupancy.rebuild(student.log_density, student.step)
    preview()
    picture = render_image(student, preview.camera).over(1.0)
    expected = render_image(teacher, preview.camera).over(1.0)
    return {
        "psnr_to_teacher": psnr(picture, expected),
        "stages": [1, 2, 3] if objective.features_match else [2, 3],
    }


def _preview_view(capture: Capture | None, poses: PoseDistribution) -> View:
    if capture is not None:
        return (capture.split("val") or capture.split("train"))[0]
    camera = poses.sample(1, np.random.default_rng(0))[0]
    return View("view", camera, "val", None)
