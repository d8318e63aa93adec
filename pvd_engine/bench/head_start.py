"""The head start of a student that begins with a direct projection instead of noise.

A student from noise with the whole budget gives the final PSNR. Then, for both starts, students get
growing fractions of the budget, each a run with a schedule of its own, until one is within a
decibel of that. Nothing is interpolated; projection counts as time spent.
"""

from collections.abc import Sequence
from typing import Any

from ..jobs.budget import parse_seconds
from ..jobs.job import Job
from .measure import require_test_views
from .plan import Plan, make_and_measure

MOST_VIEWS = 8
"""Most test views that are measured, evenly spaced."""

PARTS = (60, 40, 30, 20, 15, 10, 7, 5, 3, 2, 1)
"""Divisors of the budget, one for each student."""

NEAR = 1.0
"""Decibels below the final PSNR within which a student counts as arrived."""

STARTS = {"projection": True, "noise": False}


def run(plan: Plan, source: str, targets: Sequence[str], job: Job) -> dict[str, Any]:
    """Make and measure a teacher and its students.

    Parameters
    ----------
    plan : Plan
    source : str
        The teacher's architecture.
    targets : sequence of str
    job : Job

    Returns
    -------
    dict
        The plan's conditions, ``"teacher"``, and ``"rows"`` by target: ``final``, the PSNR from
        noise with the whole budget, ``students`` by start, each with its ``fraction`` of the
        budget, and what `arrival` gives for each start.
    """
    capture = plan.opened(job)
    views = {"test": require_test_views(capture, MOST_VIEWS)}
    result: dict[str, Any] = {
        **plan.conditions(capture),
        "source": source,
        "teacher": make_and_measure(plan.training(source, source), views, job),
        "rows": [],
    }

    def student(target: str, start: str, part: int) -> dict[str, Any]:
        request = plan.conversion(
            source,
            target,
            f"{source}-to-{target}-{start}-part-{part}",
            budget=f"{parse_seconds(plan.budget) / part:.3f}s",
            projection=STARTS[start],
        )
        return {"fraction": 1 / part, **make_and_measure(request, views, job)}

    for target in targets:
        final = student(target, "noise", 1)["test"]["psnr"]
        students: dict[str, list[dict[str, Any]]] = {start: [] for start in STARTS}
        for start, made in students.items():
            for part in PARTS:
                made.append(student(target, start, part))
                if made[-1]["test"]["psnr"] >= final - NEAR:
                    break
        arrivals = {start: arrival(made, final) for start, made in students.items()}
        result["rows"].append(
            {"target": target, "final": final, "students": students, "arrivals": arrivals}
        )
    return result


def arrival(students: Sequence[dict[str, Any]], final: float) -> float | None:
    """Return the smallest fraction of the budget with which a student came near the final PSNR."""
    fractions = [s["fraction"] for s in students if s["test"]["psnr"] >= final - NEAR]
    return min(fractions, default=None)


def format_table(result: dict[str, Any]) -> str:
    """Return the result of `run` as lines of text."""
    lines = [
        f"{result['capture']}, teacher {result['source']}"
        f" {result['teacher']['test']['psnr']:.2f} dB, {result['budget']}, {result['device']};"
        f" fraction of the budget within {NEAR:.0f} dB of the final PSNR from noise",
        f"{'target':<16}{'final':>8}{'projection':>12}{'noise':>9}{'ratio':>8}",
    ]
    for row in result["rows"]:
        soon, late = (row["arrivals"][start] for start in STARTS)
        ratio = "-" if soon is None or late is None else f"{soon / late:.3f}"
        first, second = ("not" if part is None else f"{part:.3f}" for part in (soon, late))
        lines.append(f"{row['target']:<16}{row['final']:>8.2f}{first:>12}{second:>9}{ratio:>8}")
    return "\n".join(lines)
