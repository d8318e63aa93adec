"""Write the tables of measured results into their page, from the JSON files of the benchmarks.

    python -m docs.list_results FOLDER

A table stands between two marks, of which the first names a folder: `cost` is FOLDER/cost, where a
benchmark has left its JSON file (`pvd bench cost lego --out FOLDER/cost`), or the demo or the
example of merging its ``metrics.json``. Tables whose folder is missing stay as they are. The
pictures of benchmarks go to `docs/images`.
"""

import json
import re
import shutil
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from pvd_engine.bench.matrix import NEAR_TEACHER
from pvd_engine.bench.measure import to_source

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "results.md"
IMAGES = ROOT / "docs" / "images"

MARKED = re.compile(
    r"(?P<start><!-- results of (?P<name>[\w-]+) -->\n).*?(?P<end><!-- end of results -->\n)",
    re.DOTALL,
)

PICTURES = {
    "matrix": ("matrix.png", "matrix_lego.png", "The matrix"),
    "cost": (
        "cost.svg",
        "cost.svg",
        "Processor time by size, both from the smallest, with exponents",
    ),
}
"""Pictures by the folder: their file, its name in the docs, and the text in their place."""

WHOLE, WITHOUT = "the whole scene", "the scene without bucket"
DEMO = {
    "teacher": ("teacher, `hash`", WHOLE),
    "student_unedited": ("student of the unedited teacher, `mlp`", WHOLE),
    "edited": ("edited teacher", WITHOUT),
    "student": ("student of the edited teacher, `mlp`", WITHOUT),
    "student_through": ("the same through a `sparse_tensor` (the published way)", WITHOUT),
}
"""The demo's fields: title, and what they are compared with."""

Result = dict[str, Any]


def table(head: str, rows: Iterable[Iterable[str]]) -> str:
    """Return a table; `head` names its columns, with bars between them."""
    names = head.split("|")
    lines = [names, ["---"] * len(names), *rows]
    return "".join(f"| {' | '.join(cell.strip() for cell in line)} |\n" for line in lines)


def conditions(result: Result) -> str:
    """Return a paragraph on how a result was measured."""
    parts = [f"`{result['command']}`", f"{result['date']}, version {result['version']}"]
    if "capture" in result:
        parts += [f"{result['width']} × {result['height']} pixels"]
    threads = f"{result['threads']} thread{'s' if result['threads'] > 1 else ''}"
    parts += [f"{result['name']}, {threads}", f"seed {result['seed']}"]
    return "; ".join(parts) + ".\n"


def matrix(result: Result) -> str:
    """Return the table of a matrix, teachers first."""
    teachers = result["teachers"]

    def row(start: str, to: str, record: Result, others: list[float]) -> list[str]:
        numbers = [f"{value:.2f}" for value in others] or [""] * 3
        return [
            start,
            to,
            f"{record['test']['psnr']:.2f}",
            f"{record['test']['ssim']:.3f}",
            *numbers,
            f"{record['steps']:,}",
            f"{record['size'] / 1e6:.2f}",
            _megabytes(record["peak_memory"]),
        ]

    rows = [row("images", f"`{name}`", record, []) for name, record in teachers.items()]
    for cell in result["cells"]:
        ends = [teachers[cell[key]]["test"]["psnr"] for key in ("source", "target")]
        half = "" if cell["max_size"] is None else ", half"
        others = [cell["test"]["psnr_to_source"], *ends]
        rows.append(row(f"`{cell['source']}`", f"`{cell['target']}`{half}", cell, others))
    near = sum(cell["verdict"].startswith("within") for cell in result["cells"])
    head = "from|to|PSNR|SSIM|to teacher|teacher|scratch|steps|MB|peak MB"
    students = f"{near} of {len(result['cells'])} students"
    return table(head, rows) + f"\n{students} are within {NEAR_TEACHER:g} dB of their teacher.\n"


def budgets(result: Result) -> str:
    """Return the table of quality by budget."""
    rows = []
    for row in result["rows"]:
        test = row["test"]
        start = row["from"] if row["from"] == "images" else f"`{row['from']}`"
        rows.append(
            [
                start,
                f"`{row['to']}`",
                f"{row['budget']:g}",
                f"{test['psnr']:.2f}",
                f"{test['ssim']:.3f}",
                to_source(test),
                f"{row['steps']:,}",
                f"{row['seconds']:.1f}",
                f"{row['process_seconds']:.1f}",
                f"{row['size'] / 1e6:.2f}",
            ]
        )
    head = "from|to|budget, s|PSNR|SSIM|to teacher|steps|spent, s|whole process, s|MB"
    return table(head, rows)


def speed(result: Result) -> str:
    """Return the table of the students that were the first to reach a baseline."""
    rows = []
    for row in result["rows"]:
        reached = ["not"] + [""] * 3
        if row["fraction"] is not None:
            reached = [
                _part(row["fraction"]),
                f"{row['student_psnr']:.2f}",
                f"{row['student_seconds']:.1f}",
                f"{row['process_seconds']:.1f}",
            ]
        rows.append([str(row["seed"]), row["baseline"], f"{row['psnr']:.2f}", *reached])
    medians = [
        f"{'not reached' if part is None else _part(part)} against {name}"
        for name, part in result["medians"].items()
    ]
    head = "seed|baseline|its PSNR|reached at|student|seconds|whole process, s"
    return table(head, rows) + f"\nMedian part of the budget: {', '.join(medians)}.\n"


def ablation(result: Result) -> str:
    """Return the table of an ablation."""
    columns = {"val_psnr": "validation", "test_psnr": "test", "psnr_to_source": "to the teacher"}
    known = [name for name in columns if name in result["rows"][0]["mean"]]
    rows = []
    for row in result["rows"]:
        mean, least, most = row["mean"], row["least"], row["most"]
        cells = [f"{mean[n]:.2f} ({least[n]:.2f} to {most[n]:.2f})" for n in known]
        rows.append([f"`{result['source']}` → `{row['target']}`, {row['variant']}", *cells])
    return table("|".join(["conversion", *(columns[name] for name in known)]), rows)


def head_start(result: Result) -> str:
    """Return the table of students from a projection and from noise."""
    rows = []
    for row in result["rows"]:
        arrivals = [row["arrivals"][start] for start in ("projection", "noise")]
        ratio = "" if None in arrivals else f"{arrivals[0] / arrivals[1]:.2f}"
        parts = ["not" if part is None else _part(part) for part in arrivals]
        rows.append([f"`{row['target']}`", f"{row['final']:.2f}", *parts, ratio])
    return table("student|final|from a projection|from noise|ratio", rows)


def frames(result: Result) -> str:
    """Return the table of seconds for a frame."""
    rows = [
        [label, f"{seconds:.2f}", f"{result['ratios'][label]:.0f}"]
        for label, seconds in result["seconds"].items()
    ]
    return table(f"{result['side']} × {result['side']}|seconds|times faster", rows)


def kernels(result: Result) -> str:
    """Return the table of the kernels' rates."""
    rows = [
        [
            f"{row['name']}, against {row['rival']}",
            f"{row['fast_per_second'] / 1e6:.3g} {row['unit']}",
            f"{row['other_per_second'] / 1e6:.3g}",
            f"{row['ratio']:.1f}",
        ]
        for row in result["kernels"]
    ]
    return table("kernel|fast, M/s|other, M/s|ratio", rows)


def step(result: Result) -> str:
    """Return the table of the parts of a step."""
    rows = []
    for part in result["parts"]:
        share, spent = part["share_of_ceiling"], part["milliseconds"]
        rows.append(
            [
                part["name"],
                f"{spent:.2f}",
                f"{100 * spent / result['clock_ms']:.1f}",
                "" if share is None else f"{100 * share:.0f} % of {part['ceiling']}",
            ]
        )
    whole = (
        f"A step of {result['rays']:,} rays takes {result['processor_ms']:.1f} ms of the "
        f"processor, {result['clock_ms']:.1f} on the clock.\n\n"
    )
    return whole + table("part|ms|% of the clock|of what the machine can do", rows)


def gpu(result: Result) -> str:
    """Return the tables of what a device reaches: of fields, and of kernels."""
    rows = []
    for row in result["fields"]:
        test, rays = row["test"], row["rays_per_second"]
        rows.append(
            [
                f"`{row['name']}`",
                f"{row['budget']:g}",
                f"{test['psnr']:.2f}",
                to_source(test),
                f"{row['steps']:,}",
                "" if rays is None else f"{rays / 1e6:.2f}",
                f"{1 / row['frame_seconds']:.2f}",
                *(_megabytes(row[key]) for key in ("device_memory", "frame_memory")),
            ]
        )
    head = "field|budget, s|PSNR|to teacher|steps|M rays/s|frames/s|memory, MB|of a frame"
    return f"{table(head, rows)}\n{kernels(result)}"


def cost(result: Result) -> str:
    """Return the table of the axes, each with its ends and exponents."""
    rows = []
    for axis in result["axes"]:
        first, last = axis["points"][0], axis["points"][-1]
        exponents = [f"{axis['exponents'][kind]:.2f}" for kind in ("processor_ms", "clock_ms")]
        rows.append(
            [
                axis["work"],
                f"{axis['size']}, {first['size']:,} to {last['size']:,}",
                f"{first['processor_ms']:.1f} to {last['processor_ms']:.1f}",
                f"{first['clock_ms']:.1f} to {last['clock_ms']:.1f}",
                *exponents,
            ]
        )
    head = "work|size|processor, ms|clock, ms|exponent, processor|exponent, clock"
    return table(head, rows)


def metrics(result: Result) -> str:
    """Return the table of an example: of merging, or of the demo."""
    return merge(result["views of both"]) if "views of both" in result else demo(result)


def demo(result: Result) -> str:
    """Return the table of the demo's fields."""
    rows = []
    for name, (title, truth) in DEMO.items():
        field = result["fields"][name]
        alpha = field.get("alpha_where_only_the_bucket_was")
        leaks = [alpha["mean"], alpha["percentile_99"], alpha["max"]] if alpha else []
        rows.append(
            [
                title,
                truth,
                f"{field['psnr']:.2f}",
                f"{field['ssim']:.3f}",
                f"{field['size'] / 1e6:.2f}",
                ", ".join(f"{leak:.2g}" for leak in leaks),
            ]
        )
    last = "alpha where only the bucket was: mean, 99th percentile, max"
    return table(f"field|compared with|PSNR|SSIM|MB|{last}", rows)


def merge(distances: dict[str, Result]) -> str:
    """Return the table of merged fields by the distance between them."""

    def entries(name: str) -> list[str]:
        found = [distance[name] for distance in distances.values()]
        return [f"{one['psnr']:.2f}, {one['ssim']:.3f}, {one['covered']:.2f}" for one in found]

    alone = [[f"{name} alone", *entries(name)] for name in ("yellow", "blue")]
    added = [f"{one['added']:.2f}" for one in distances.values()]
    lost = [f"{-one['lost']:+.2f} dB" for one in distances.values()]
    rows = [
        *alone,
        ["merged", *entries("merged")],
        ["the errors of the two, added", *added],
        ["covered, merged against the worse of the two", *lost],
    ]
    columns = (f"{name}: PSNR, SSIM, covered" for name in distances)
    return table("|".join(["field", *columns]), rows)


FORMATS: dict[str, Callable[[Result], str]] = {
    form.__name__: form
    for form in (
        matrix,
        budgets,
        speed,
        ablation,
        head_start,
        frames,
        kernels,
        step,
        cost,
        gpu,
        metrics,
    )
}
"""Functions that make the table, by the name of the JSON file: that of the benchmark."""


def made(folder: Path) -> str | None:
    """Return what stands between the marks of a folder's table; None where nothing is measured.

    Raises
    ------
    ValueError
        The folder holds results of several benchmarks.
    """
    found = [name for name in FORMATS if (folder / f"{name}.json").is_file()]
    if len(found) > 1:
        raise ValueError(f"{folder} holds {' and '.join(found)}; give each a folder of its own.")
    if not found:
        return None
    result = json.loads((folder / f"{found[0]}.json").read_text(encoding="utf-8"))
    text = f"\n{conditions(result)}\n"
    if folder.name in PICTURES:
        _, name, words = PICTURES[folder.name]
        text += f"![{words}](images/{name})\n\n"
    return text + FORMATS[found[0]](result) + "\n"


def page(text: str, folder: Path) -> str:
    """Return the page with the tables of all folders that are there.

    Raises
    ------
    ValueError
        A folder of results has no table on the page.
    """
    marked = {match["name"] for match in MARKED.finditer(text)}
    measured = {path.parent.name for name in FORMATS for path in folder.glob(f"*/{name}.json")}
    if measured - marked:
        raise ValueError(f"the page has no marks for {', '.join(sorted(measured - marked))}")

    def table_of(match: re.Match[str]) -> str:
        fresh = made(folder / match["name"])
        return match[0] if fresh is None else f"{match['start']}{fresh}{match['end']}"

    return MARKED.sub(table_of, text)


def copy_pictures(folder: Path) -> None:
    """Copy the pictures of benchmarks into the docs."""
    for name, (file, shown, _) in PICTURES.items():
        if (folder / name / file).is_file():
            shutil.copyfile(folder / name / file, IMAGES / shown)


def _megabytes(count: int | None) -> str:
    """Return bytes as megabytes; nothing where they are unknown."""
    return "" if count is None else f"{count / 1e6:.0f}"


def _part(fraction: float) -> str:
    """Return a part of a budget, such as 1/20."""
    return f"1/{round(1 / fraction)}"


if __name__ == "__main__":
    measures = Path(sys.argv[1])
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8"), measures), encoding="utf-8")
    copy_pictures(measures)
    print(PAGE)
