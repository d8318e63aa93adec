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


def run(plan: Plan, sources: Sequence[str], targets: Sequence[str], job: Job) -> dict[str, Any]:
    """Make and measure fields from the images, or students where there are targets.

    Parameters
    ----------
    plan : Plan
    sources : sequence of str
        Architectures that are trained from the images: with each part of the budget, or, where
        there are targets, with all of it.
    targets : sequence of str
        Architectures into which the first source is converted, with each part of the budget.
    job : Job

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

    def row(start: str, to: str, part: int) -> dict[str, Any]:
        seconds = parse_seconds(plan.budget) / part
        budget, name = f"{seconds:.3f}s", f"{start}-to-{to}-part-{part}"
        if start == IMAGES:
            request = plan.training(to, name, budget=budget)
        else:
            request = plan.conversion(f"{IMAGES}-to-{start}-part-1", to, name, budget=budget)
        record = make_and_measure(request, views, job)
        return {
            "from": start,
            "to": to,
            "budget": seconds,
            "spent": record["seconds"] / seconds,
            "process_spent": record["process_seconds"] / seconds,
            **record,
        }

    rows = [row(IMAGES, to, part) for to in sources for part in (PARTS[-1:] if targets else PARTS)]
    rows += [row(sources[0], to, part) for to in targets for part in PARTS]
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
