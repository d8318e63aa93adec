"""Seconds for one frame: a network at 256 samples per ray, as published, against faster fields.

All render the same 800 x 800 view, turn by turn, in one process. The fields are made first. Their
quality does not matter here, but their empty space decides how much can be skipped.
"""

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

from ..data.capture import Camera
from ..fields.light_field import LightField
from ..fields.registry import LIGHT_FIELD, RADIANCE_FIELDS
from ..fields.storage import load_any_field, load_light_field
from ..jobs.job import Job
from ..render.render import render_image
from . import plain_nerf
from .measure import require_test_views
from .plan import Plan, make_and_measure

SIDE = 800
"""Length of the frame's sides in pixels, as in NeRF-Synthetic."""

TURNS = 3

STRIP = 20
"""Rows in the frame's middle on which the plain NeRF is timed: all its rays cost the same, and a
whole frame would take many minutes on a CPU."""

TEACHER = "hash"
PLAIN = "NeRF, 256 samples a ray"
EVERY_RAY = "light_field W181D88, every ray"


def run(plan: Plan, job: Job) -> dict[str, Any]:
    """Make the fields, then time their frames.

    Parameters
    ----------
    plan : Plan
    job : Job

    Returns
    -------
    dict
        The plan's conditions, ``"side"``, ``"seconds"``, the median over `TURNS` frames by what
        rendered them, and ``"ratios"``, how many times faster than the first each is.
    """
    capture = plan.opened(job)
    view = require_test_views(capture, 1)[0]
    views = {"test": (view,)}
    requests = {
        TEACHER: plan.training(TEACHER, TEACHER),
        **{
            name: plan.conversion(TEACHER, name, name)
            for name in RADIANCE_FIELDS
            if name != TEACHER
        },
        "light_field small": plan.conversion(TEACHER, LIGHT_FIELD, "small", preset="small"),
        "light_field W181D88": plan.conversion(TEACHER, LIGHT_FIELD, "full", preset="W181D88"),
    }
    for request in requests.values():
        make_and_measure(request, views, job)
    fields = {label: load_any_field(r.out, plan.device) for label, r in requests.items()}
    fields[EVERY_RAY] = evaluating_every_ray(requests["light_field W181D88"].out, plan.device)
    camera = square(view.camera)
    nerf = plain_nerf.PlainNerf.start(capture, plan.seed, fields["hash"].device)
    strip = replace(camera, height=STRIP, cy=camera.cy - (SIDE - STRIP) / 2)
    plain = timed(lambda: plain_nerf.picture(nerf, strip, job)) * SIDE / STRIP
    turns = {PLAIN: [plain]}
    for _ in range(TURNS):
        for label, field in fields.items():
            job.raise_if_cancelled()
            taken = timed(lambda field=field: render_image(field, camera))
            turns.setdefault(label, []).append(taken)
    seconds = {label: median(times) for label, times in turns.items()}
    return {
        **plan.conditions(capture),
        "side": SIDE,
        "seconds": seconds,
        "ratios": {label: seconds[PLAIN] / value for label, value in seconds.items()},
    }


def evaluating_every_ray(path: Path, device: str) -> LightField:
    """Return a light field whose network also evaluates rays that meet nothing."""
    field = load_light_field(path, device)
    field.skip_empty = False
    return field


def square(camera: Camera) -> Camera:
    """Return a camera with `SIDE` pixels to each side that sees as much of the scene along x."""
    scale = SIDE / camera.width
    return replace(
        camera,
        width=SIDE,
        height=SIDE,
        fx=camera.fx * scale,
        fy=camera.fy * scale,
        cx=camera.cx * scale,
        cy=camera.cy * scale + (SIDE - camera.height * scale) / 2,
    )


def timed(work: Callable[[], object]) -> float:
    """Return the seconds that a call takes; its result is on the CPU, so nothing is pending."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def format_table(result: dict[str, Any]) -> str:
    """Return the result of `run` as lines of text."""
    lines = [
        f"{result['capture']}, one frame of {result['side']} x {result['side']},"
        f" {result['device']}; fields made in {result['budget']} each",
        f"{'':<34}{'seconds':>10}{'times faster':>14}",
    ]
    for label, seconds in result["seconds"].items():
        lines.append(f"{label:<34}{seconds:>10.3f}{result['ratios'][label]:>14.1f}")
    return "\n".join(lines)
