"""The report as one HTML file that needs nothing else: no script, no font, no address.

Everything that comes from files (names of captures, views and fields) is escaped, and the page's
own policy forbids whatever it does not bring along.
"""

import json
import math
from collections.abc import Sequence
from html import escape
from typing import Any

from ..data.notes import percentage
from ..files.atomic import json_text
from .curves import line_plot
from .figures import TO_SOURCE
from .pictures import ERROR_SCALE
from .style import STYLE

POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"

STAGE_NAMES = {
    1: "features",
    2: "density and colour of points",
    3: "rendered rays",
    4: "rays of the teacher",
    5: "pixels of the images",
}

REAL = 5
"""Stage whose rays are compared with the images."""

Pictures = Sequence[tuple[str, Sequence[tuple[str, str]]]]
"""Views by name, each with captions and ``data:`` URIs."""


def page(report: dict[str, Any], pictures: Pictures) -> str:
    """Return the page of a report.

    Parameters
    ----------
    report : dict
        As `report.report` describes it.
    pictures : sequence
        Some views with their pictures.

    Returns
    -------
    str
        HTML.
    """
    teacher, student = report["teacher"], report["student"]
    title = f"{teacher['file']} → {student['file']}"
    sections = (
        _heading(report, title),
        *(f'<p class="note">{escape(note)}</p>' for note in report["notes"]),
        _tiles(report),
        _views(pictures),
        _curves(report["curves"]),
        _table_of_views(report),
        _fields(teacher, student),
        _settings(report),
        _footer(report),
    )
    return "\n".join(
        (
            "<!DOCTYPE html>",
            '<html lang="en">',
            "<head>",
            '<meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{escape(POLICY)}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            '<meta name="color-scheme" content="light dark">',
            f"<title>{escape(title)}</title>",
            f"<style>{STYLE}</style>",
            "</head>",
            "<body>",
            *sections,
            "</body>",
            "</html>",
            "",
        )
    )


def number(value: float | None, digits: int = 2) -> str:
    """Return a figure for people: a dash when unknown."""
    if value is None or math.isnan(value):
        return "–"
    return ("∞" if value > 0 else "−∞") if math.isinf(value) else f"{value:,.{digits}f}"


def megabytes(size: int) -> str:
    """Return bytes as megabytes, below one as kilobytes, below one of these as bytes."""
    if size < 1e3:
        return f"{size} bytes"
    return f"{size / 1e6:.2f} MB" if size >= 1e6 else f"{size / 1e3:.1f} kB"


def positive(value: float) -> str:
    """Return a time or a rate to one decimal; what is not nothing is not ``"0.0"``."""
    return "less than 0.1" if 0 < value < 0.1 else number(value, 1)


def table(head: Sequence[str], rows: Sequence[Sequence[str]], kind: str = "") -> str:
    """Return a table of texts; the first cell of a row is its heading."""
    lines = ['<div class="wide">', f'<table class="{kind}">']
    if head:
        cells = "".join(f'<th scope="col">{escape(cell)}</th>' for cell in head)
        lines.append(f"<thead><tr>{cells}</tr></thead>")
    lines.append("<tbody>")
    for first, *rest in rows:
        cells = "".join(f"<td>{escape(cell)}</td>" for cell in rest)
        mark = ' class="mean"' if first == "mean" else ""
        lines.append(f'<tr{mark}><th scope="row">{escape(first)}</th>{cells}</tr>')
    lines += ["</tbody>", "</table>", "</div>"]
    return "\n".join(lines)


def _section(title: str, *lines: str) -> str:
    return "\n".join(("<section>", f"<h2>{title}</h2>", *lines, "</section>"))


def _name_of(field: dict[str, Any]) -> str:
    spec = field["architecture"] or {}
    words = [str(spec[key]) for key in ("name", "preset") if spec.get(key)]
    prefix = {"edited_field": "edited ", "merged_field": "merged "}.get(field["kind"], "")
    return prefix + ", ".join(words)


def _heading(report: dict[str, Any], title: str) -> str:
    teacher, student = _name_of(report["teacher"]), _name_of(report["student"])
    capture = report["capture"]
    words = (
        f"{teacher} → {student}, converted in {positive(report['times']['seconds'])} s; measured "
        f"on {report['figures'][TO_SOURCE]['measured_on']}, of {capture['name']}."
    )
    return f'<header>\n<h1>{escape(title)}</h1>\n<p class="muted">{escape(words)}</p>\n</header>'


def _tiles(report: dict[str, Any]) -> str:
    """Return the main figures: how faithful, how good, how small."""
    before, after, faithful = report["before"], report["after"], report["to_teacher"]
    old, new = report["teacher"]["size"], report["student"]["size"]
    change = ""
    if before["psnr"] is not None and after["psnr"] is not None:
        change = f"; {after['psnr'] - before['psnr']:+.2f} dB".replace("-", "−")
    tiles = (
        ("main", "PSNR to source: student to teacher", _decibel(faithful), _ssim(faithful)),
        ("", "PSNR to images before: teacher", _decibel(before), _ssim(before)),
        ("", "PSNR to images after: student", _decibel(after), _ssim(after) + change),
        ("", "File", megabytes(new), f"teacher {megabytes(old)}; {percentage(new / old)} of it"),
    )
    lines = ['<div class="tiles">']
    for kind, label, figure, more in tiles:
        lines.append(
            f'<div class="tile {kind}"><small>{label}</small><b>{figure}</b>'
            f"<small>{more}</small></div>"
        )
    return "\n".join((*lines, "</div>"))


def _decibel(quality: dict[str, float | None]) -> str:
    return f"{number(quality['psnr'])} dB"


def _ssim(quality: dict[str, float | None]) -> str:
    return f"SSIM {number(quality['ssim'], 4)}"


def _views(pictures: Pictures) -> str:
    lines = []
    for name, panels in pictures:
        lines += [f"<h3>{escape(name)}</h3>", '<div class="views">']
        for caption, uri in panels:
            lines.append(
                f'<figure><img src="{uri}" alt="{escape(f"{caption}, {name}")}">'
                f"<figcaption>{escape(caption)}</figcaption></figure>"
            )
        lines.append("</div>")
    lines.append(
        '<div class="scale"><span>Absolute error, mean of the three channels: 0</span><i></i>'
        f"<span>{ERROR_SCALE:g} or more, of 1</span></div>"
    )
    return _section("Side by side", *lines)


def _curves(curves: dict[str, Any]) -> str:
    seconds, stages = curves["seconds"], curves["stage"]
    meaning = "PSNR to source (to images in stage 5)" if REAL in stages else "PSNR to source"
    plots = (
        line_plot(f"{meaning}, of each step's rays", "dB", seconds, curves["psnr"], stages),
        line_plot("Loss, logarithmic", "loss", seconds, curves["loss"], stages, log=True),
    )
    titles = (f"{meaning}, of the rays of the steps", "Loss, on a logarithmic axis")
    lines = ['<div class="plots">']
    for plot, title in zip(plots, titles, strict=True):
        lines.append(f'<figure class="card">\n{plot}\n<figcaption>{title}</figcaption>\n</figure>')
    lines.append("</div>")
    present = sorted({stage for stage in stages if stage is not None})
    named = ", ".join(f"{stage} {STAGE_NAMES.get(stage, '')}".strip() for stage in present)
    if named:
        lines.append(f'<p class="muted">Shaded by stage: {escape(named)}.</p>')
    return _section("The conversion over time", *lines)


def _table_of_views(report: dict[str, Any]) -> str:
    head = (
        "view",
        "PSNR to images before, dB",
        "SSIM",
        "PSNR to images after, dB",
        "SSIM",
        "PSNR to source, dB",
        "SSIM",
    )
    rows = [_row(view["name"], view) for view in report["views"]]
    rows.append(_row("mean", report))
    return _section("Each view", f'<div class="card">\n{table(head, rows)}\n</div>')


def _row(name: str, figures: dict[str, Any]) -> list[str]:
    cells = [name]
    for key in ("before", "after", "to_teacher"):
        cells += [number(figures[key]["psnr"]), number(figures[key]["ssim"], 4)]
    return cells


def _fields(teacher: dict[str, Any], student: dict[str, Any]) -> str:
    rows = [
        ["file", teacher["file"], student["file"]],
        ["architecture", _name_of(teacher), _name_of(student)],
        ["parameters", f"{teacher['parameters']:,}", f"{student['parameters']:,}"],
        ["size", megabytes(teacher["size"]), megabytes(student["size"])],
    ]
    content = table(("", "teacher", "student"), rows, "pairs")
    return _section("Teacher and student", f'<div class="card">\n{content}\n</div>')


def _settings(report: dict[str, Any]) -> str:
    times, machine = report["times"], report["machine"]
    device = machine["device"] or {}
    made = [
        ["conversion", f"{positive(times['seconds'])} s"],
        ["steps", f"{times['steps']:,}, {positive(times['steps_per_second'])} a second"],
        ["this report", f"{positive(times['report_seconds'])} s, not counted above"],
        ["device", f"{device.get('type', '–')}, {device.get('name', '–')}"],
        ["threads", f"{machine['threads']} of {machine['cores']} cores"],
        ["platform", f"{machine['platform']}, Python {machine['python']}"],
        ["engine", f"{machine['engine']}, torch {machine['torch']}, warp {machine['warp'] or '–'}"],
    ]
    chosen = [[name.replace("_", " "), _value(v)] for name, v in report["settings"].items()]
    # Through JSON: what was measured may hold values that JSON writes as null.
    provenance = json.dumps(
        json.loads(json_text(report["provenance"])), indent=2, ensure_ascii=False
    )
    return _section(
        "How it was made",
        '<div class="plots">',
        f'<div class="card">\n<h3>Time and machine</h3>\n{table((), made, "pairs")}\n</div>',
        f'<div class="card">\n<h3>Settings</h3>\n{table((), chosen, "pairs")}\n</div>',
        "</div>",
        '<details class="card">',
        "<summary>Provenance, as in the student’s file</summary>",
        f"<pre>{escape(provenance)}</pre>",
        "</details>",
    )


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "–" if value is None else str(value)


def _footer(report: dict[str, Any]) -> str:
    words = (
        f"Made {report['made']} by pvd {report['machine']['engine']}. Images and renders are "
        "compared on white: PSNR for values from 0 to 1; SSIM after Wang et al. 2004. The same "
        "figures for programs are in the .report.json file next to this page."
    )
    return f"<footer><p>{escape(words)}</p></footer>"
