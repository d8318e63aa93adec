"""Cut the documentation's pictures out of those of a real window.

GUI_CAPTURE=demo_output/captures/excavator GUI_SECONDS=45 make test-gui GUI_BLENDER=blender
.venv-engine/bin/python -m docs.cut_pictures gui_output/test_every_state_of_the_panel_is_pictured
"""

import json
import sys
from pathlib import Path

from PIL import Image

IMAGES = Path(__file__).resolve().parent / "images"
VIEWS = {
    "capture": ("imported_dark", 1160, 0, 1120),
    "teacher": ("trained_dark", 1160, 0, 1240),
    "training": ("converting", 1160, 0, 1240),
    "view": ("view", 1160, 400, 1300),
}
"""Pictures of the 3D View: the window's picture; their width from the right of the view, and their
top and bottom from its top, pixels."""

SHOWN_WIDTH = 870
"""Width of these pictures in the documentation, pixels."""

PANELS = ("converting", "shapes_dark", "converted_dark")
"""The sidebars of `panel.png`, from left to right."""

PANEL_HEIGHT = 1680
GAP = 16
"""Pixels between two sidebars."""


def main(folder: Path) -> None:
    """Make the pictures of those that the window test left in a folder."""
    measured = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    for name, (source, width, first, last) in VIEWS.items():
        _, top, right, _ = _box(folder, source, measured["view"])
        picture = _picture(folder, source)
        cut = picture.crop((right - width, top + first, right, top + last))
        cut.thumbnail((SHOWN_WIDTH, cut.height), Image.Resampling.LANCZOS)
        cut.save(IMAGES / f"{name}.png", optimize=True)
    sidebars = [
        _picture(folder, name).crop(_box(folder, name, measured["sidebar"])) for name in PANELS
    ]
    width = sidebars[0].width
    panel = Image.new("RGB", (len(PANELS) * (width + GAP) - GAP, PANEL_HEIGHT), "#303030")
    for number, sidebar in enumerate(sidebars):
        panel.paste(sidebar.crop((0, 0, width, PANEL_HEIGHT)), (number * (width + GAP), 0))
    panel.save(IMAGES / "panel.png", optimize=True)


def _picture(folder: Path, name: str) -> Image.Image:
    return Image.open(folder / f"{name}.png").convert("RGB")


def _box(folder: Path, name: str, rectangle: list[int]) -> tuple[int, int, int, int]:
    """Return a part of the window, which counts from below, as a box of its picture."""
    x, y, width, height = rectangle
    bottom = _picture(folder, name).height - y
    return x, bottom - height, x + width, bottom


if __name__ == "__main__":
    main(Path(sys.argv[1]))
