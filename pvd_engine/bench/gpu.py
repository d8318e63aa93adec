"""What a GPU reaches: kernels, training, conversions, a light field, pictures, and their memory.

A CPU can do it, too, with its small presets.
"""

import statistics
from pathlib import Path
from typing import Any

import torch

from ..data.capture import Camera
from ..fields.header import read_header
from ..fields.registry import LIGHT_FIELD
from ..fields.storage import load_any_field
from ..jobs.budget import parse_seconds
from ..jobs.device import forget_peak_memory, peak_memory, processor
from ..jobs.job import Job
from ..render.render import render_image
from . import ceilings, kernels
from .frames import SIDE, square, timed
from .measure import require_test_views, to_source
from .plan import Plan, make_and_measure

TEACHER = "hash"

TEACHER_PARTS = (12, 6, 2)
"""Divisors of the budget, one for each teacher; the last one teaches."""

STUDENTS = ("mlp", "vm", "sparse_tensor")

LIGHT_PRESET = {"cpu": "small", "gpu": "W256D88"}
"""Size of the light field, by device: R2L's on a GPU."""

POINTS = {"cpu": 1 << 14, "gpu": 1 << 20}
"""Points of the kernels' contests, by device."""

MOST_VIEWS = 8
"""Test views that fields are measured on, at most."""

TURNS = 5
"""Frames of each field that are timed, after one that is not."""


def run(plan: Plan, job: Job) -> dict[str, Any]:
    """Measure a device, from its kernels to its pictures.

    Parameters
    ----------
    plan : Plan
        Conversions and the light field have its budget each; of the teachers the last has half.
    job : Job

    Returns
    -------
    dict
        The plan's conditions, ``"views"``, their number, ``"ceilings"`` and ``"kernels"`` as those
        benchmarks give them, ``"side"`` of the frames, and ``"fields"``: what `make_and_measure`
        gives, with ``name``, ``budget`` in seconds, ``rays_per_second`` (None but for the light
        field), and ``frame_seconds`` and ``frame_memory`` as `frames` gives them.

    Raises
    ------
    Cancelled
        The job was cancelled; fields that are made are not made again.
    """
    device = torch.device(plan.device)
    kind = processor(device.type)
    capture = plan.opened(job)
    views = require_test_views(capture, MOST_VIEWS)
    seconds = parse_seconds(plan.budget)
    preset = LIGHT_PRESET[kind]
    teachers = {
        f"{TEACHER}-{part}": plan.training(
            TEACHER, f"{TEACHER}-{part}", budget=f"{seconds / part:.3f}s"
        )
        for part in TEACHER_PARTS
    }
    best = list(teachers)[-1]
    requests = {
        **teachers,
        **{name: plan.conversion(best, name, name) for name in STUDENTS},
        f"{LIGHT_FIELD} {preset}": plan.conversion(best, LIGHT_FIELD, LIGHT_FIELD, preset=preset),
    }
    fields = []
    for name, request in requests.items():
        record = make_and_measure(request, {"test": views}, job)
        rays = read_header(request.out)["provenance"].get("rays")
        fields.append(
            {
                "name": name,
                "budget": parse_seconds(request.budget),
                "rays_per_second": None if rays is None else rays / record["seconds"],
                **record,
                **frames(request.out, square(views[0].camera), device, job),
            }
        )
    return {
        **plan.conditions(capture),
        "views": len(views),
        "ceilings": ceilings.measure(device),
        "kernels": kernels.run(POINTS[kind], plan.seed)["kernels"],
        "side": SIDE,
        "fields": fields,
    }


def frames(path: Path, camera: Camera, device: torch.device, job: Job) -> dict[str, Any]:
    """Render a picture of a field again and again.

    Returns
    -------
    dict
        ``frame_seconds``, the median, and ``frame_memory``, the most bytes that a GPU held for it,
        its field included; None on a CPU.
    """
    field = load_any_field(path, device.type)
    render_image(field, camera)
    forget_peak_memory(device)
    took = []
    for _ in range(TURNS):
        job.raise_if_cancelled()
        took.append(timed(lambda: render_image(field, camera)))
    return {"frame_seconds": statistics.median(took), "frame_memory": peak_memory(device)}


def format_table(result: dict[str, Any]) -> str:
    """Return the result of `run` as lines of text."""
    lines = [
        f"{result['capture']}, {result['name']}; PSNR in dB on {result['views']} test views; frames"
        f" of {result['side']} x {result['side']} pixels; memory of the GPU in MB",
        f"{'':<24}{'budget s':>10}{'PSNR':>8}{'to source':>11}{'steps':>9}{'M rays/s':>10}"
        f"{'frames/s':>10}{'memory':>9}{'a frame':>9}",
    ]
    for row in result["fields"]:
        test, rays = row["test"], row["rays_per_second"]
        lines.append(
            f"{row['name']:<24}{row['budget']:>10.1f}{test['psnr']:>8.2f}{to_source(test):>11}"
            f"{row['steps']:>9,}{'' if rays is None else f'{rays / 1e6:.2f}':>10}"
            f"{1 / row['frame_seconds']:>10.2f}{_megabytes(row['device_memory']):>9}"
            f"{_megabytes(row['frame_memory']):>9}"
        )
    lines += [f"{name:<34}{value / 1e9:>9.2f} G/s" for name, value in result["ceilings"].items()]
    return "\n".join([*lines, *kernels.format_rows(result["kernels"])])


def _megabytes(count: int | None) -> str:
    return "" if count is None else f"{count / 1e6:.0f}"
