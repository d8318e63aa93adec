"""All conversions among the architectures on one capture, beside training from scratch.

Every field is made once with the same budget: a teacher of each architecture from the images, then
a student of each other architecture from each teacher. All are measured on the test split.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from ..data.readers import open_capture
from ..distill import convert
from ..fields.architectures import PRESETS
from ..fields.header import read_header
from ..fields.storage import load_field
from ..jobs.arguments import ConvertArguments, EvalArguments, TrainArguments
from ..jobs.files import write_json
from ..jobs.job import Job
from ..metrics import evaluate
from ..metrics.image_metrics import psnr
from ..render.render import render_image
from ..train import train


@dataclass(frozen=True)
class Plan:
    """What is measured, and where it is kept.

    Attributes
    ----------
    capture, folder : Path
        Fields and measures that lie in the folder already are not made again.
    budget : str
        Of each teacher and of each student.
    seed : int
    device : str
    """

    capture: Path
    folder: Path
    budget: str
    seed: int
    device: Literal["cpu", "cuda"]


def run(plan: Plan, job: Job) -> dict[str, Any]:
    """Make and measure all teachers and students.

    Returns
    -------
    dict
        The plan, ``"teachers"`` by architecture and ``"conversions"``, a list; each with ``psnr``
        and ``ssim`` on the test images, ``seconds``, ``steps``, ``size`` in bytes, and for
        conversions ``psnr_to_teacher``, the mean over the test views.
    """
    plan.folder.mkdir(parents=True, exist_ok=True)
    result: dict[str, Any] = {
        "capture": plan.capture.name,
        "budget": plan.budget,
        "seed": plan.seed,
        "device": plan.device,
        "teachers": {name: _teacher(plan, name, job) for name in PRESETS},
        "conversions": [],
    }
    for source in PRESETS:
        for target in PRESETS:
            if source != target:
                result["conversions"].append(_conversion(plan, source, target, job))
    write_json(plan.folder / "conversions.json", result)
    return result


def format_table(result: dict[str, Any]) -> str:
    """The result of `run` as lines of text."""
    lines = [
        f"{result['capture']}, {result['budget']} each, seed {result['seed']}, {result['device']};"
        " PSNR in dB on the test views",
        f"{'':<30}{'teacher':>9}{'student':>9}{'to teacher':>12}{'scratch':>9}{'s':>7}{'MB':>8}",
    ]
    teachers = result["teachers"]
    for row in result["conversions"]:
        lines.append(
            f"{row['source'] + ' -> ' + row['target']:<30}"
            f"{teachers[row['source']]['psnr']:>9.2f}{row['psnr']:>9.2f}"
            f"{row['psnr_to_teacher']:>12.2f}{teachers[row['target']]['psnr']:>9.2f}"
            f"{row['seconds']:>7.0f}{row['size'] / 1e6:>8.2f}"
        )
    return "\n".join(lines)


def _teacher(plan: Plan, name: str, job: Job) -> dict[str, Any]:
    arguments = TrainArguments(
        capture=plan.capture,
        arch=name,
        out=_field_path(plan, name),
        budget=plan.budget,
        seed=plan.seed,
        device=plan.device,
    )
    if not arguments.out.is_file():
        train.run(arguments, _sub_job(plan, name, job))
    return _measured(plan, name, job)


def _conversion(plan: Plan, source: str, target: str, job: Job) -> dict[str, Any]:
    name = f"{source}-to-{target}"
    arguments = ConvertArguments(
        field=_field_path(plan, source),
        to=target,
        out=_field_path(plan, name),
        capture=plan.capture,
        budget=plan.budget,
        seed=plan.seed,
        device=plan.device,
    )
    if not arguments.out.is_file():
        convert.run(arguments, _sub_job(plan, name, job))
    return {
        "source": source,
        "target": target,
        **_measured(plan, name, job),
        "psnr_to_teacher": _likeness(plan, source, name, job),
    }


def _measured(plan: Plan, name: str, job: Job) -> dict[str, Any]:
    """Quality on the test split, with size and time; kept beside the field."""
    path, kept = _field_path(plan, name), plan.folder / f"{name}.json"
    if kept.is_file():
        return json.loads(kept.read_text(encoding="utf-8"))
    arguments = EvalArguments(field=path, capture=plan.capture, device=plan.device)
    quality = evaluate.run(arguments, job)
    provenance = read_header(path)["provenance"]
    measured = {
        "psnr": quality["psnr"],
        "ssim": quality["ssim"],
        "seconds": provenance["seconds"],
        "steps": provenance["steps"],
        "size": path.stat().st_size,
    }
    write_json(kept, measured)
    return measured


def _likeness(plan: Plan, teacher: str, student: str, job: Job) -> float:
    """Mean PSNR of a student's renders against its teacher's, on white, over the test views."""
    fields = [load_field(_field_path(plan, name)) for name in (teacher, student)]
    values = []
    for view in open_capture(plan.capture).split("test"):
        job.raise_if_cancelled()
        expected, picture = (render_image(field, view.camera).over(1.0) for field in fields)
        values.append(psnr(picture, expected))
    return float(np.mean(values))


def _field_path(plan: Plan, name: str) -> Path:
    return plan.folder / f"{name}.safetensors"


def _sub_job(plan: Plan, name: str, job: Job) -> Job:
    """A job with a folder of its own that reports and is cancelled as part of another."""
    job.emit("message", text=f"{name}, {plan.budget}")
    return job.part(plan.folder / f"{name}.job")
