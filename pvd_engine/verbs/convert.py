"""Convert a field into another architecture: the verb ``convert``."""

from typing import Any

import torch

from .. import __version__
from ..data.images.image_size import open_at_size
from ..distill.lesson import Lesson, require_density, viewpoints
from ..distill.light import make_light_field
from ..distill.recipe import Recipe
from ..distill.student import inherit, make_student
from ..distill.teach import begin, distil
from ..distill.through import through_sparse_tensor
from ..fields.architectures import architecture, default_preset
from ..fields.header import read_header
from ..fields.radiance_field import RadianceField
from ..fields.registry import LIGHT_FIELD
from ..fields.sizing import fit
from ..fields.storage import content_hash, load_field, save_field
from ..jobs.budget import Budget
from ..jobs.device import choose_device
from ..jobs.job import Job
from ..measure.report import write_report
from ..train.loop import Training
from .arguments import ConvertArguments
from .file_size import parse_size

BRIDGE_SHARE = 0.4
"""Share of the budget that a conversion through a sparse tensor spends on reaching it."""


def run(arguments: ConvertArguments, job: Job) -> dict[str, Any]:
    """The verb ``convert``: field file in, field file of another architecture out."""
    device = choose_device(arguments.device)
    teacher = load_field(arguments.field, device)
    require_density(teacher)
    capture = None
    if arguments.capture is not None:
        capture = open_at_size(
            arguments.capture,
            arguments.downscale,
            device.type,
            job,
            teacher.header.get("provenance"),
        )
    recipe = Recipe(
        stages=arguments.stages,
        density_constraint=arguments.density_constraint,
        hard_poses=arguments.hard_poses,
        hard_rays=arguments.hard_rays,
        hard_points=arguments.hard_points,
        projection=arguments.projection,
    )
    lesson = Lesson(teacher, viewpoints(teacher, capture), capture, recipe)
    make = make_light_field if arguments.to == LIGHT_FIELD else make_radiance_field
    training, report = make(arguments, lesson, job)
    student = training.field
    student.header["provenance"] = {
        "made_by": f"pvd convert {__version__}",
        "teacher": {
            "file": arguments.field.name,
            "hash": content_hash(arguments.field),
            "kind": read_header(arguments.field)["kind"],
        },
        "teacher_provenance": teacher.header.get("provenance"),
        "edits": teacher.header.get("edits"),
        "seed": arguments.seed,
        "steps": training.step,
        "seconds": round(training.elapsed, 1),
        "device": str(device),
        "viewpoints": lesson.poses.to_json(),
        **({} if capture is None else {"downscale": capture.downscale}),
        **report,
    }
    save_field(arguments.out, student)
    return {
        "out": str(arguments.out),
        "to": arguments.to,
        "steps": training.step,
        "seconds": training.elapsed,
        "size": arguments.out.stat().st_size,
        **report,
        "report": write_report(arguments, capture, training, job),
        "warnings": job.warnings,
    }


def make_radiance_field(
    arguments: ConvertArguments, lesson: Lesson, job: Job
) -> tuple[Training[RadianceField], dict[str, Any]]:
    """Distil a field with density until the budget is spent.

    Returns
    -------
    training : Training
        Of the student.
    report : dict
        For the job's result and the student's provenance.
    """
    device = lesson.teacher.device
    preset = arguments.preset or default_preset(device)
    spec = architecture(arguments.to, preset, arguments.decoder)
    budget = Budget.parse(arguments.budget, arguments.steps)
    seed = arguments.seed
    if arguments.through is not None:
        lesson = through_sparse_tensor(lesson, preset, budget.part(BRIDGE_SHARE), seed, job)
        budget = budget.part(1 - BRIDGE_SHARE)
    if arguments.max_size is not None:
        limit = parse_size(arguments.max_size)
        spec = fit(spec, limit, lambda sizes: make_student(sizes, lesson.teacher))
    torch.manual_seed(seed)
    student = make_student(spec, lesson.teacher).to(device)
    inherited = inherit(student, lesson.teacher) if arguments.inherit else []
    training = begin(student, lesson, budget, seed, job)
    report = distil(training, lesson, budget, job, arguments.until_psnr)
    return training, {
        "preset": preset,
        "through": arguments.through,
        "inherited": inherited,
        "projected": "projected" in training.memory,
        **report,
    }
