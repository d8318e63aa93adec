"""The time after which a student is as good as training from scratch at the end of its time.

For each seed: a teacher, the student's architecture from the images by this engine, and, where it
is wanted, the plain NeRF recipe, all for the whole budget. Then students get growing fractions of
the budget, each a run with a schedule of its own, until one has reached all baselines. The smallest
fraction that was enough counts; nothing is interpolated. All are measured on the same few test
views, because the plain recipe takes minutes to render one on a CPU.
"""

import json
import math
from collections.abc import Sequence
from statistics import median
from typing import Any

import torch

from ..data.capture import Capture, View
from ..files.atomic import write_json
from ..jobs.budget import parse_seconds
from ..jobs.job import Job
from . import plain_nerf
from .measure import compare, require_test_views
from .plan import Plan, make_and_measure

MOST_VIEWS = 2
"""Most test views that are measured, evenly spaced."""

PARTS = (20, 15, 10, 7, 5, 3, 2)
"""Divisors of the budget, one for each student."""

SCRATCH, PLAIN = "scratch", "plain NeRF"
GOALS = {SCRATCH: 1 / 5, PLAIN: 1 / 20}
"""Baselines, and the fraction of the budget that a student may take to reach each."""


def run(plan: Plan, source: str, target: str, seeds: int, plain: bool, job: Job) -> dict[str, Any]:
    """Make and measure teachers, baselines and students.

    Parameters
    ----------
    plan : Plan
    source, target : str
        Architectures.
    seeds : int
        Number of seeds, from the plan's on.
    plain : bool
        Whether the plain NeRF recipe is a baseline, too.
    job : Job

    Returns
    -------
    dict
        The plan's conditions, ``"runs"`` by seed (``teacher``, the baselines, ``students``) and
        ``"rows"``, what `reached` gives for each seed and baseline, and ``"medians"``, the median
        fraction by baseline, None when in most runs no student reached it.
    """
    capture = plan.opened(job)
    views = require_test_views(capture, MOST_VIEWS)
    runs = [
        _one_seed(plan, capture, views, source, target, seed, plain, job)
        for seed in range(plan.seed, plan.seed + seeds)
    ]
    baselines = [name for name in GOALS if plain or name != PLAIN]
    rows = [reached(run, name, parse_seconds(plan.budget)) for run in runs for name in baselines]
    return {
        **plan.conditions(capture),
        "source": source,
        "target": target,
        "views": [view.name for view in views],
        "runs": runs,
        "rows": rows,
        "medians": {
            name: median_fraction([row["fraction"] for row in rows if row["baseline"] == name])
            for name in baselines
        },
    }


def reached(run: dict[str, Any], baseline: str, budget: float) -> dict[str, Any]:
    """Find the student of one seed that was the first to reach a baseline.

    Parameters
    ----------
    run : dict
        ``seed``, ``teacher``, the baseline, and ``students``, each a record with ``fraction``.
    baseline : str
        Key of `GOALS`.
    budget : float
        Seconds.

    Returns
    -------
    dict
        ``seed``, ``baseline``, its ``psnr``, the ``fraction`` of the budget (None when no student
        reached it), the student's ``student_psnr``, ``student_seconds`` and
        ``process_seconds`` (with what comes before and after the optimisation), and
        ``fraction_with_teacher``, of the student's and the teacher's optimisation together.
    """
    wanted = run[baseline]["test"]["psnr"]
    row = {
        "seed": run["seed"],
        "baseline": baseline,
        "psnr": wanted,
        "fraction": None,
        "student_psnr": None,
        "student_seconds": None,
        "process_seconds": None,
        "fraction_with_teacher": None,
    }
    enough = [student for student in run["students"] if student["test"]["psnr"] >= wanted]
    if not enough:
        return row
    first = min(enough, key=lambda student: student["fraction"])
    return row | {
        "fraction": first["fraction"],
        "student_psnr": first["test"]["psnr"],
        "student_seconds": first["seconds"],
        "process_seconds": first["process_seconds"],
        "fraction_with_teacher": (first["seconds"] + run["teacher"]["seconds"]) / budget,
    }


def median_fraction(fractions: Sequence[float | None]) -> float | None:
    """Return the median, where None (not reached) counts as more than any fraction."""
    middle = median(math.inf if part is None else part for part in fractions)
    return None if math.isinf(middle) else middle


def format_table(result: dict[str, Any]) -> str:
    """Return the result of `run` as lines of text."""
    lines = [
        f"{result['capture']}, {result['source']} -> {result['target']}, {result['budget']},"
        f" {result['device']}; PSNR in dB on {len(result['views'])} test views; fractions of the"
        " budget",
        f"{'seed':<6}{'baseline':<12}{'PSNR':>7}{'reached at':>12}{'student':>9}{'s':>8}"
        f"{'whole s':>9}{'with teacher':>14}",
    ]
    for row in result["rows"]:
        start = f"{row['seed']:<6}{row['baseline']:<12}{row['psnr']:>7.2f}"
        if row["fraction"] is None:
            lines.append(f"{start}{'not':>12}")
            continue
        lines.append(
            f"{start}{row['fraction']:>12.3f}{row['student_psnr']:>9.2f}"
            f"{row['student_seconds']:>8.1f}{row['process_seconds']:>9.1f}"
            f"{row['fraction_with_teacher']:>14.2f}"
        )
    for name, fraction in result["medians"].items():
        middle = "not reached" if fraction is None else f"{fraction:.3f}"
        lines.append(f"median against {name}: {middle} (goal: at most {GOALS[name]:.3f})")
    return "\n".join(lines)


def _one_seed(
    plan: Plan,
    capture: Capture,
    views: Sequence[View],
    source: str,
    target: str,
    seed: int,
    plain: bool,
    job: Job,
) -> dict[str, Any]:
    on = {"test": views}
    teacher = f"{source}-{seed}"
    run: dict[str, Any] = {
        "seed": seed,
        "teacher": make_and_measure(plan.training(source, teacher, seed=seed), on, job),
        SCRATCH: make_and_measure(
            plan.training(target, f"{target}-scratch-{seed}", seed=seed), on, job
        ),
        **({PLAIN: _plain_nerf(plan, capture, views, seed, job)} if plain else {}),
        "students": [],
    }
    goal = max(run[name]["test"]["psnr"] for name in GOALS if name in run)
    seconds = parse_seconds(plan.budget)
    for part in PARTS:
        request = plan.conversion(
            teacher,
            target,
            f"{source}-to-{target}-part-{part}-{seed}",
            seed=seed,
            budget=f"{seconds / part:.3f}s",
        )
        student = make_and_measure(request, on, job)
        run["students"].append({"fraction": 1 / part, **student})
        if student["test"]["psnr"] >= goal:
            break
    return run


def _plain_nerf(
    plan: Plan, capture: Capture, views: Sequence[View], seed: int, job: Job
) -> dict[str, Any]:
    """Train and measure the plain recipe, unless its measures are there."""
    kept = plan.folder / f"plain-nerf-{seed}.json"
    if kept.is_file():
        return json.loads(kept.read_text(encoding="utf-8"))
    job.emit("message", text=f"plain NeRF, seed {seed}, {plan.budget}")
    seconds, device = parse_seconds(plan.budget), torch.device(plan.device)
    nerf, steps = plain_nerf.train(capture, seconds, seed, device, job)
    pictures = [plain_nerf.picture(nerf, view.camera, job) for view in views]
    record = {"steps": steps, "seconds": seconds, "test": compare(pictures, views)}
    write_json(kept, record)
    return record
