"""The matrix of conversions as a picture: a grid of PSNR, coloured by the gap to the teacher."""

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from ..files.images import write_png

CELL_WIDTH, CELL_HEIGHT = 150, 96
LEFT, TOP, BOTTOM, RIGHT = 190, 150, 112, 30
LEAST_WIDTH = 620
"""Heights of the title and of the scale, in pixels."""

WORST_GAP = 4.0
"""Decibels below the teacher at which the colours end."""

COLORS = np.array([(253, 231, 37), (94, 201, 98), (33, 145, 140), (59, 82, 139), (68, 1, 84)])
"""Colours of gaps from 0 to `WORST_GAP`: viridis from its bright end, for the colour-blind, too."""

INK, GREY, ALARM = (25, 25, 25), (110, 110, 110), (200, 30, 30)


def picture_size(sources: int, targets: int) -> tuple[int, int]:
    """Return width and height in pixels for a number of rows and columns."""
    width = max(LEFT + targets * CELL_WIDTH + RIGHT, LEAST_WIDTH)
    return width, TOP + sources * CELL_HEIGHT + BOTTOM


def gap_color(gap: float) -> tuple[int, int, int]:
    """Return the colour, sRGB from 0 to 255, of a student `gap` decibels below its teacher."""
    position = min(max(gap / WORST_GAP, 0.0), 1.0) * (len(COLORS) - 1)
    red, green, blue = (
        round(float(np.interp(position, range(len(COLORS)), COLORS[:, channel])))
        for channel in range(3)
    )
    return red, green, blue


def write_picture(path: Path, result: dict[str, Any]) -> None:
    """Draw the result of the matrix benchmark as PNG.

    Parameters
    ----------
    path : Path
    result : dict
        As ``matrix.json`` holds it.
    """
    sources, targets = result["sources"], result["targets"]
    image = Image.new("RGB", picture_size(len(sources), len(targets)), "white")
    draw = ImageDraw.Draw(image)
    _title(draw, result)
    for column, target in enumerate(targets):
        scratch = result["teachers"][target]["test"]["psnr"]
        x = LEFT + (column + 0.5) * CELL_WIDTH
        _text(draw, (x, TOP - 30), target, 18, INK)
        _text(draw, (x, TOP - 11), f"scratch {scratch:.2f}", 13, GREY)
    for row, source in enumerate(sources):
        teacher = result["teachers"][source]["test"]["psnr"]
        y = TOP + (row + 0.5) * CELL_HEIGHT
        _text(draw, (LEFT - 14, y - 10), source, 18, INK, "rm")
        _text(draw, (LEFT - 14, y + 11), f"teacher {teacher:.2f}", 13, GREY, "rm")
    for cell in result["cells"]:
        corner = (
            LEFT + targets.index(cell["target"]) * CELL_WIDTH,
            TOP + sources.index(cell["source"]) * CELL_HEIGHT,
        )
        _cell(draw, corner, cell, result["teachers"][cell["source"]]["test"]["psnr"])
    _scale(draw, image.height - BOTTOM + 22)
    write_png(path, np.asarray(image))


def _title(draw: ImageDraw.ImageDraw, result: dict[str, Any]) -> None:
    _text(draw, (24, 32), f"Conversions on {result['capture']}", 26, INK, "lm")
    made = f"{result['budget']} each, seed {result['seed']}, {result['device']}"
    _text(draw, (24, 62), f"{made}; PSNR to the test images in dB", 15, GREY, "lm")
    _text(draw, (LEFT - 14, TOP - 30), "from row to column", 15, GREY, "rm")


def _cell(
    draw: ImageDraw.ImageDraw, corner: tuple[int, int], cell: dict[str, Any], teacher: float
) -> None:
    x, y = corner
    student = cell["test"]["psnr"]
    color = gap_color(teacher - student)
    lightness = 0.299 * color[0] + 0.587 * color[1] + 0.114 * color[2]
    ink = INK if lightness > 120 else (255, 255, 255)
    below = cell["verdict"] == "below both"
    box = (x + 3, y + 3, x + CELL_WIDTH - 3, y + CELL_HEIGHT - 3)
    draw.rounded_rectangle(
        box, radius=6, fill=color, outline=ALARM if below else None, width=5 if below else 0
    )
    middle = x + CELL_WIDTH / 2
    size = cell["max_size"]
    _text(draw, (middle, y + 24), f"{student:.2f}", 24, ink)
    _text(draw, (middle, y + 48), f"{student - teacher:+.2f} vs teacher", 13, ink)
    note = f"{cell['size'] / 1e6:.2f} MB" + ("" if size is None else f" of {size[:-2]}")
    _text(draw, (middle, y + 64), note, 13, ink)
    _text(draw, (middle, y + 80), cell["verdict"].replace(" of its teacher", ""), 13, ink)


def _scale(draw: ImageDraw.ImageDraw, y: int) -> None:
    """Draw the colours and their meaning."""
    width = 300
    for step in range(width):
        x = LEFT + step
        draw.line((x, y, x, y + 14), fill=gap_color(WORST_GAP * step / width))
    for gap in range(int(WORST_GAP) + 1):
        x = LEFT + width * gap / WORST_GAP
        beyond = {0: " or less", int(WORST_GAP): " or more"}.get(gap, "")
        _text(draw, (x, y + 25), f"{gap}{beyond}", 13, GREY)
    _text(draw, (LEFT - 14, y + 7), "dB below teacher", 13, GREY, "rm")
    box = (LEFT, y + 45, LEFT + 18, y + 61)
    draw.rounded_rectangle(box, radius=4, outline=ALARM, width=3)
    note = "below teacher and scratch;  diagonal: half of the teacher's file size"
    _text(draw, (LEFT + 27, y + 53), note, 13, GREY, "lm")


def _text(
    draw: ImageDraw.ImageDraw,
    position: tuple[float, float],
    text: str,
    size: int,
    color: tuple[int, int, int],
    anchor: str = "mm",
) -> None:
    draw.text(position, text, fill=color, font=ImageFont.load_default(size), anchor=anchor)
