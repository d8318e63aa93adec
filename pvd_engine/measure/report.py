"""The report on a conversion: ``OUT.report.json`` and ``OUT.report.html``.

The keys of the JSON file, decibels for ``psnr``, null where something is not known or not finite:

==============  ====================================================================================
``schema``      `SCHEMA`, raised when keys change their meaning
``made``        when, UTC, ISO 8601
``capture``     ``name`` of the dataset, ``split`` that was measured, ``views`` of the split with
                images and how many of them were ``measured``
``notes``       sentences that a reader of the figures must know
``comparable``  false where the teacher shows another scene than the images: edited or merged
``figures``     as in `figures`, of the student; those against images where they are comparable
``before``      PSNR to images of the teacher: ``psnr`` and ``ssim``, means over the views
``after``       PSNR to images of the student, the same
``to_teacher``  PSNR to source of the student, against the teacher's renders, the same
``views``       a list: ``name``, ``width``, ``height`` and the three above, of each view
``curves``      lists of equal length: ``step``, ``seconds``, ``stage``, ``loss`` and ``psnr``
                (of the rays of those steps, to source; in stage 5 to images);
                each point is a mean over some steps
``teacher``     ``file``, ``kind``, ``architecture`` (as in its header), ``parameters`` (their
                number) and ``size`` in bytes
``student``     the same
``times``       ``steps`` and ``seconds`` of the student's conversion, ``steps_per_second``, and
                ``report_seconds``, which do not count into it
``settings``    the arguments of the command; of paths, the names alone
``provenance``  as in the student's header
``machine``     ``device`` (type, name), ``threads``, ``cores``, ``platform`` and the versions of
                ``engine``, ``python``, ``torch``, ``warp``
==============  ====================================================================================

Images and renders are compared as ``pvd eval`` does, on white.
"""

import math
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

from ..data.capture import Capture
from ..data.splits import evenly_spaced
from ..fields.base import Renderable
from ..fields.header import read_header
from ..fields.storage import load_any_field
from ..files.atomic import write_bytes, write_json
from ..jobs.hello import hello
from ..jobs.job import Job
from .figures import SOURCE_TO_IMAGES, TO_IMAGES, TO_SOURCE, figure
from .page import page
from .pictures import panels
from .report_views import QUALITIES, affordable, mean_quality, measure, views_of

SCHEMA = 1

SHOWN_VIEWS = 3
"""Number of views with pictures on the page."""


@dataclass(frozen=True)
class Conversion:
    """A conversion that has ended, as its report states it.

    Attributes
    ----------
    teacher, student : Path
        Their field files.
    steps : int
    seconds : float
    curves : dict
        ``curves`` of the report.
    settings : dict
        ``settings`` of the report.
    device : torch.device
        The device that it ran on, and that the views are rendered on.
    """

    teacher: Path
    student: Path
    steps: int
    seconds: float
    curves: dict[str, Any]
    settings: dict[str, Any]
    device: torch.device


def write_report(
    conversion: Conversion, capture: Capture, job: Job, seconds: float = math.inf
) -> tuple[Path, dict[str, Any]]:
    """Measure a conversion and write its report next to the student's file.

    Parameters
    ----------
    conversion : Conversion
    capture : Capture
    job : Job
        Receives progress; its cancellation ends the work.
    seconds : float
        Time for measuring. At least one view is measured.

    Returns
    -------
    page : Path
    figures : dict
        ``figures`` of the report.

    Raises
    ------
    Cancelled
        The job was cancelled; the field file is complete then.
    UserError
        The files cannot be written.
    """
    start = time.monotonic()
    device = conversion.device
    files = conversion.teacher, conversion.student
    teacher, student = (load_any_field(path, device) for path in files)
    split, of_split = views_of(capture)
    views = evenly_spaced(of_split, affordable(of_split, device.type))
    job.emit("message", text=f"Writing the report: {len(views)} views of teacher and student.")
    entries, pictures, faults = {}, {}, []
    for index, entry, view in measure(teacher, student, views, faults, job, start + seconds):
        entries[index] = entry
        if len(pictures) < SHOWN_VIEWS:
            pictures[index] = (view.name, panels(view))
    measured = [entries[index] for index in sorted(entries)]
    altered = alteration(read_header(conversion.teacher))
    limit = seconds if len(measured) < len(views) else None
    notes = [*_notes(capture, split, len(of_split), len(measured), altered, limit), *faults]
    figures = _figures(measured, split, len(of_split), comparable=altered is None)
    report = {
        "schema": SCHEMA,
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "capture": {
            "name": capture.name,
            "split": split,
            "views": len(of_split),
            "measured": len(measured),
        },
        "notes": notes,
        "comparable": altered is None,
        "figures": figures,
        **{key: mean_quality([e[key] for e in measured]) for key in QUALITIES},
        "views": measured,
        "curves": conversion.curves,
        "teacher": describe(conversion.teacher, teacher),
        "student": describe(conversion.student, student),
        "times": {
            "steps": conversion.steps,
            "seconds": conversion.seconds,
            "steps_per_second": conversion.steps / max(conversion.seconds, 1e-9),
            "report_seconds": time.monotonic() - start,
        },
        "settings": conversion.settings,
        "provenance": student.header.get("provenance"),
        "machine": machine(device.type),
    }
    stem = conversion.student.with_suffix("").name
    page_path = conversion.student.with_name(f"{stem}.report.html")
    write_json(conversion.student.with_name(f"{stem}.report.json"), report)
    write_bytes(page_path, page(report, [pictures[index] for index in sorted(pictures)]).encode())
    return page_path, figures


def _figures(
    measured: Sequence[dict[str, Any]], split: str, of: int, comparable: bool
) -> dict[str, Any]:
    side = max(max(entry["width"], entry["height"]) for entry in measured)

    def one(key: str) -> dict[str, Any] | None:
        return figure([entry[key]["psnr"] for entry in measured], of, split, side)

    return {
        TO_SOURCE: one("to_teacher"),
        TO_IMAGES: one("after") if comparable else None,
        SOURCE_TO_IMAGES: one("before") if comparable else None,
    }


def alteration(header: dict[str, Any]) -> str | None:
    """Return ``"edited"`` or ``"merged"`` where a field, or one that taught it, is that."""
    kinds = {"edited_field": "edited", "merged_field": "merged"}
    if header.get("kind") in kinds:
        return kinds[header["kind"]]
    provenance = header.get("provenance")
    while provenance:
        if provenance.get("edits"):
            return "edited"
        taught_by = (provenance.get("teacher") or {}).get("kind")
        if taught_by in kinds:
            return kinds[taught_by]
        provenance = provenance.get("teacher_provenance")
    return None


def _notes(
    capture: Capture,
    split: str,
    of_split: int,
    measured: int,
    altered: str | None,
    limit: float | None,
) -> list[str]:
    notes = []
    if altered is not None:
        notes.append(
            f"The teacher is {altered}, so it differs from the images. The changes count as errors "
            "in every figure against the images; judge the conversion by the figures against the "
            "teacher."
        )
    if capture.downscale > 1:
        notes.append(f"The images were read at 1/{capture.downscale} of their width and height.")
    if split == "train":
        notes.append(
            "The capture has no test or validation images, so training views were measured, which "
            "the teacher was trained on."
        )
    elif split == "val":
        notes.append("The capture has no test images, so validation views were measured.")
    if measured < of_split:
        reason = "" if limit is None else f", those that {limit:.3g} s sufficed for"
        notes.append(
            f"Measured on {measured} of the {of_split} {split} views, evenly spaced{reason}; "
            "pvd eval measures them all."
        )
    return notes


def describe(path: Path, field: Renderable) -> dict[str, Any]:
    """Return the entry of a field and its file, ``teacher`` or ``student`` in the report."""
    header = read_header(path)
    return {
        "file": path.name,
        "kind": header["kind"],
        "architecture": header.get("architecture"),
        "parameters": sum(parameter.numel() for parameter in field.parameters()),
        "size": path.stat().st_size,
    }


def machine(device: str) -> dict[str, Any]:
    """Return the entry of the machine that the conversion ran on."""
    return {**hello(device), "threads": torch.get_num_threads(), "cores": os.cpu_count()}
