"""Quality against the time that is given, and how well each budget is kept.

Fields get growing parts of the budget, each in a run of its own, whose schedule fits its part.
"""

from collections.abc import Sequence
from typing import Any

from ..jobs.budget import parse_seconds
from ..jobs.job import Job
from .measure import require_test_views, to_source
from .plan import Plan, make_and_measure

PARTS = (8, 4, 2, 1)
"""Divisors of the budget."""

IMAGES = "images"
"""Where a field comes from that is not converted."""


def run(
    plan: Plan,
    sources: Sequence[str],
    targets: Sequence[str],
    job: Job,
    teacher_budget: str | None = None,
) -> dict[str, Any]:
    """Make and measure fields from the images, or students where there are targets.

    Parameters
    ----------
    plan : Plan
    sources : sequence of str
        Architectures that are trained from the images with each part of the budget; where there are
        targets, the first alone, with the teacher's budget.
    targets : sequence of str
        Architectures into which the first source is converted, with each part of the budget.
    job : Job
    teacher_budget : str, optional
        Time that teachers of students get; all of the budget when not given.

    Returns
    -------
    dict
        The plan's conditions, ``"views"``, the number of test views, and ``"rows"``: what
        `make_and_measure` gives, with ``from`` (``"images"`` or the teacher), ``to``, ``budget``
        in seconds, and ``spent`` and ``process_spent``, the fractions of it that the optimisation
        and the whole process took.
    """
    capture = plan.opened(job)
    views = {"test": require_test_views(capture)}

    whole = parse_seconds(plan.budget)

    def row(start: str, to: str, name: str, seconds: float) -> dict[str, Any]:
        budget = f"{seconds:.3f}s"
        if start == IMAGES:
            request = plan.training(to, name, budget=budget)
        else:
            request = plan.conversion(f"{start}-teacher", to, name, budget=budget)
        record = make_and_measure(request, views, job)
        return {
            "from": start,
            "to": to,
            "budget": seconds,
            "spent": record["seconds"] / seconds,
            "process_spent": record["process_seconds"] / seconds,
            **record,
        }

    def parts(start: str, to: str) -> list[dict[str, Any]]:
        return [row(start, to, f"{start}-to-{to}-part-{n}", whole / n) for n in PARTS]

    if targets:
        teacher = sources[0]
        seconds = whole if teacher_budget is None else parse_seconds(teacher_budget)
        rows = [row(IMAGES, teacher, f"{teacher}-teacher", seconds)]
        rows += [one for to in targets for one in parts(teacher, to)]
    else:
        rows = [one for to in sources for one in parts(IMAGES, to)]
    return {**plan.conditions(capture), "views": len(views["test"]), "rows": rows}


def format_table(result: dict[str, Any]) -> str:
    """Return the result of `run` as lines of text."""
    lines = [
        f"{result['capture']}, {result['device']}, seed {result['seed']}; PSNR in dB, to the images"
        f" and to the teacher, on {result['views']} test views; whole is of the process",
        f"{'':<28}{'budget s':>10}{'PSNR':>8}{'SSIM':>7}{'to source':>11}{'steps':>8}{'spent':>8}"
        f"{'whole':>8}{'MB':>8}",
    ]
    for row in result["rows"]:
        test = row["test"]
        lines.append(
            f"{row['from'] + ' -> ' + row['to']:<28}{row['budget']:>10.1f}{test['psnr']:>8.2f}"
            f"{test['ssim']:>7.3f}{to_source(test):>11}{row['steps']:>8,}{row['spent']:>8.2f}"
            f"{row['process_spent']:>8.2f}{row['size'] / 1e6:>8.2f}"
        )
    return "\n".join(lines)
