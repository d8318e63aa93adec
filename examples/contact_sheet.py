"""Arrange pictures in rows with a caption under each, for the contact sheet of the demo.

Run in the engine's environment: ``python contact_sheet.py sheet.json sheet.png``. The JSON file
holds ``{"columns": [title, ...], "rows": [[{"image": path, "caption": text}, ...], ...]}``;
pictures with alpha are shown on white.
"""

import json
import sys
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

MARGIN = 12
LINE = 18
INK = (32, 34, 38)
SOFT_INK = (104, 108, 116)


def on_white(path: str) -> Image.Image:
    picture = Image.open(path).convert("RGBA")
    white = Image.new("RGBA", picture.size, "white")
    return Image.alpha_composite(white, picture).convert("RGB")


def draw_sheet(sheet: dict) -> Image.Image:
    cell = max(on_white(entry["image"]).width for row in sheet["rows"] for entry in row)
    cell = max(cell, 200)
    columns = len(sheet["columns"])
    height = MARGIN + LINE + len(sheet["rows"]) * (cell + 2 * LINE + MARGIN)
    canvas = Image.new("RGB", (columns * (cell + MARGIN) + MARGIN, height), "white")
    draw = ImageDraw.Draw(canvas)
    title, text = ImageFont.load_default(15), ImageFont.load_default(13)
    for column, name in enumerate(sheet["columns"]):
        draw.text((MARGIN + column * (cell + MARGIN), MARGIN // 2), name, INK, title)
    for number, row in enumerate(sheet["rows"]):
        top = MARGIN + LINE + number * (cell + 2 * LINE + MARGIN)
        for column, entry in enumerate(row):
            left = MARGIN + column * (cell + MARGIN)
            picture = on_white(entry["image"]).resize((cell, cell), Image.Resampling.LANCZOS)
            canvas.paste(picture, (left, top))
            draw.rectangle((left, top, left + cell - 1, top + cell - 1), outline=(220, 222, 226))
            draw.text((left, top + cell + 4), entry["caption"], SOFT_INK, text)
    return canvas


if __name__ == "__main__":
    source, target = Path(sys.argv[1]), Path(sys.argv[2])
    draw_sheet(json.loads(source.read_text())).save(target)
