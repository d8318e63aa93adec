"""All conversions among the architectures on one capture, next to training from scratch.

A teacher of each architecture is trained from the images once. From each teacher a student of each
architecture is distilled in the same time; a student of the teacher's own architecture gets half of
its file size. The teacher of an architecture is also the result of training it from scratch in that
time.
"""

from collections.abc import Sequence
from typing import Any

from ..jobs.job import Job
from .matrix_picture import write_picture
from .measure import require_test_views
from .plan import Plan, make_and_measure

NEAR_TEACHER = 1.0
"""Decibels that a student may lie below its teacher."""


def run(plan: Plan, sources: Sequence[str], targets: Sequence[str], job: Job) -> dict[str, Any]:
    """Make and measure all teachers and students; write ``matrix.png``.

    Parameters
    ----------
    plan : Plan
    sources, targets : sequence of str
        Architectures to convert from and to.
    job : Job

    Returns
    -------
    dict
        The plan's conditions, ``"teachers"`` by architecture and ``"cells"``, a list in order of
        sources and targets. Each holds what `make_and_measure` gives; a cell also ``source``,
        ``target``, ``max_size`` (None but for a cell of one architecture) and ``verdict``.
    """
    capture = plan.opened(job)
    views = {"test": require_test_views(capture)}
    teachers = {
        name: make_and_measure(plan.training(name, name), views, job)
        for name in dict.fromkeys([*sources, *targets])
    }
    cells = []
    for source in sources:
        for target in targets:
            max_size = f"{teachers[source]['size'] / 2e6:.2f}MB" if source == target else None
            request = plan.conversion(source, target, f"{source}-to-{target}", max_size=max_size)
            record = make_and_measure(request, views, job)
            qualities = [r["test"]["psnr"] for r in (record, teachers[source], teachers[target])]
            cells.append(
                {
                    "source": source,
                    "target": target,
                    "max_size": max_size,
                    "verdict": verdict(*qualities),
                    **record,
                }
            )
    result = {
        **plan.conditions(capture),
        "sources": list(sources),
        "targets": list(targets),
        "teachers": teachers,
        "cells": cells,
    }
    write_picture(plan.folder / "matrix.png", result)
    return result


def verdict(student: float, teacher: float, scratch: float) -> str:
    """Judge a student by PSNR to the test images, decibels.

    Parameters
    ----------
    student : float
    teacher : float
    scratch : float
        The student's architecture, trained from the images for the same time.

    Returns
    -------
    str
        ``"within 1 dB of its teacher"``, else ``"above scratch"``, else ``"below both"``.
    """
    if student >= teacher - NEAR_TEACHER:
        return f"within {NEAR_TEACHER:g} dB of its teacher"
    return "above scratch" if student > scratch else "below both"


def format_table(result: dict[str, Any]) -> str:
    """Return the result of `run` as lines of text: teachers first, then students."""
    teachers = result["teachers"]
    rows = [(f"images -> {name}", r, f"{'':>30}", "") for name, r in teachers.items()]
    for cell in result["cells"]:
        size = "" if cell["max_size"] is None else f" ({cell['max_size']})"
        others = (
            f"{cell['test']['psnr_to_source']:>12.2f}"
            f"{teachers[cell['source']]['test']['psnr']:>9.2f}"
            f"{teachers[cell['target']]['test']['psnr']:>9.2f}"
        )
        name = f"{cell['source']} -> {cell['target']}{size}"
        rows.append((name, cell, others, cell["verdict"]))
    width = max(len(name) for name, *_ in rows)
    return "\n".join(
        [
            f"{result['capture']}, {result['budget']} each, seed {result['seed']},"
            f" {result['device']}; PSNR to images and to source in dB,"
            " on the test views",
            "s is the optimisation; whole s and peak MB are all of its process",
            f"{'':<{width}}{'PSNR':>7}{'SSIM':>7}{'to source':>12}{'teacher':>9}{'scratch':>9}"
            f"{'steps':>8}{'s':>7}{'whole s':>9}{'MB':>8}{'peak MB':>9}  verdict",
            *(
                f"{name:<{width}}{_numbers(record, others)}  {word}".rstrip()
                for name, record, others, word in rows
            ),
        ]
    )


def _numbers(record: dict[str, Any], others: str) -> str:
    peak = record["peak_memory"]
    return (
        f"{record['test']['psnr']:>7.2f}{record['test']['ssim']:>7.3f}{others}"
        f"{record['steps']:>8,}{record['seconds']:>7.0f}{record['process_seconds']:>9.0f}"
        f"{record['size'] / 1e6:>8.2f}"
        f"{'-' if peak is None else f'{peak / 1e6:.0f}':>9}"
    )
