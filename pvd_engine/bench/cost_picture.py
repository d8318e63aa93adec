"""The growth of costs as one drawing: logarithmic axes, each line from its own smallest size."""

from html import escape
from pathlib import Path
from typing import Any

from ..files.atomic import write_bytes
from ..measure.curves import Axis, grid, path

WIDTH, HEIGHT = 560, 460
LEFT, RIGHT, TOP, BOTTOM = 56, 12, 150, 40
"""Margins, in units of the drawing; the lines' names stand above."""

STYLE = (
    "text { fill: #525d69; font: 12px system-ui, sans-serif; } .ground { fill: #ffffff; } "
    ".line { fill: none; stroke-width: 1.75; } .grid { stroke: #dcdcd6; stroke-width: 0.75; } "
    ".axis, .tick { fill: none; stroke: #65656d; }"
)
"""Fonts and colours that every program shows that opens drawings, hence no variables."""

COLORS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9")
"""Colours of the lines in their order, for the colour-blind, too (Okabe and Ito)."""


def axis_name(axis: dict[str, Any]) -> str:
    """Return the name of an axis of the cost benchmark."""
    return f"{axis['work']}, by {axis['size']}"


def write_picture(file: Path, result: dict[str, Any]) -> None:
    """Draw the processor's time by size as SVG.

    Parameters
    ----------
    file : Path
    result : dict
        As ``cost.json`` holds it.
    """
    lines = [(axis, *_relative(axis["points"])) for axis in result["axes"]]
    largest = max(sizes[-1] for _, sizes, _ in lines)
    least, most = (f(f(costs) for _, _, costs in lines) for f in (min, max))
    x = Axis(1.0, largest, LEFT, WIDTH - RIGHT, log=True)
    y = Axis(0.8 * least, 1.25 * max(most, largest), HEIGHT - BOTTOM, TOP, log=True)
    title = f"{result['capture']}, {result['device']}: processor time by size, from the smallest"
    parts = [
        f'<rect class="ground" width="{WIDTH}" height="{HEIGHT}"/>',
        f'<text x="{LEFT}" y="20">{escape(title)}</text>',
        *grid(x, y),
        f'<path class="axis" stroke-dasharray="4 4" d="{path(x, y, (1, largest), (1, largest))}"/>',
        f'<text x="{LEFT}" y="40">dashed: linear</text>',
        f'<text x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 6}" text-anchor="middle">'
        "times the smallest size</text>",
    ]
    for number, (axis, sizes, costs) in enumerate(lines):
        color, height = COLORS[number], 60 + 18 * number
        name = f"{axis_name(axis)}: exponent {axis['exponents']['processor_ms']:.2f}"
        parts += [
            f'<path class="line" stroke="{color}" d="{path(x, y, sizes, costs)}"/>',
            f'<path class="line" stroke="{color}" d="M{LEFT} {height - 4} h24"/>',
            f'<text x="{LEFT + 32}" y="{height}">{escape(name)}</text>',
        ]
    drawing = "\n".join(
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">',
            f"<title>{escape(title)}</title>",
            f"<style>{STYLE}</style>",
            *parts,
            "</svg>\n",
        )
    )
    write_bytes(file, drawing.encode())


def _relative(points: list[dict[str, Any]]) -> tuple[list[float], list[float]]:
    """Return sizes and the processor's times as multiples of those of the first point."""
    first = points[0]
    return (
        [point["size"] / first["size"] for point in points],
        [point["processor_ms"] / first["processor_ms"] for point in points],
    )
