"""Draw the layers of the engine and every import between them: ``docs/images/layers.svg``.

    python -m docs.draw_layers

The drawing is made from the sources: the layers and the imports are those of the import test
(`tests.layers`), and the text of a box is the first line of the folder's own docstring. A test
compares the file with what this script draws.
"""

import ast
from pathlib import Path
from xml.sax.saxutils import escape

from tests.layers import ENGINE, imports_of

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "pvd_engine"
PICTURE = ROOT / "docs" / "images" / "layers.svg"

ROW = 42
"""Pixels from the top of one box to the top of the next."""

BOX_WIDTH, BOX_HEIGHT = 500, 32
"""Pixels of a box's sides."""

NAME_WIDTH = 98
"""Pixels from the start of a folder's name to the start of its text."""

COLUMN = 26
"""Pixels between the vertical lines."""

MARGIN = 20
"""Pixels around everything."""

OFFSET = 7
"""Pixels from a row's middle up to the line that leaves its box, and down to those that enter."""

STYLE = """
  .ground { fill: #ffffff; }
  .box { fill: #f3f5f8; stroke: #c9d1da; }
  .name { fill: #1d232b; font: 600 15px ui-monospace, Consolas, Menlo, monospace; }
  .text { fill: #525d69; font: 13px system-ui, "Segoe UI", Helvetica, Arial, sans-serif; }
  .line { fill: none; stroke: #2f6fbd; stroke-width: 1.5; }
  .enter { fill: none; stroke: #aab6c4; stroke-width: 1.5; }
  .dot { fill: #2f6fbd; }
  .head { fill: #8794a5; }
  .up { stroke: #c62828; stroke-width: 2.5; }
  .up.dot { fill: #c62828; stroke: none; }
  @media (prefers-color-scheme: dark) {
    .ground { fill: #0d1117; }
    .box { fill: #1a212b; stroke: #3a4552; }
    .name { fill: #eef2f7; }
    .text { fill: #a5b1bf; }
    .line { stroke: #6aa9f4; }
    .enter { stroke: #4d5967; }
    .dot { fill: #6aa9f4; }
    .head { fill: #7c8999; }
    .up { stroke: #ff7b72; }
    .up.dot { fill: #ff7b72; }
  }
"""


def drawn_layers() -> tuple[str, ...]:
    """Return the folders of the engine, top to bottom, below the command line's file."""
    names = (name for layer in ENGINE for name in layer)
    return tuple(name for name in names if name == "cli" or _is_folder(name))


def _is_folder(name: str) -> bool:
    return bool(name) and (PACKAGE / name).is_dir()


def drawn_imports(layers: tuple[str, ...]) -> set[tuple[str, str]]:
    """Return the pairs of layers of which the first imports the second."""
    pairs = set()
    for one in imports_of(PACKAGE):
        importer, imported = (f"{name}.".split(".")[1] for name in (one.importer, one.imported))
        if one.imported.startswith(f"{PACKAGE.name}.") and importer != imported:
            pairs.add((importer, imported))
    return {pair for pair in pairs if set(pair) <= set(layers)}


def describe(layer: str) -> str:
    """Return the first line of a layer's docstring, without its full stop."""
    file = PACKAGE / layer / "__init__.py"
    source = file if file.is_file() else PACKAGE / f"{layer}.py"
    docstring = ast.get_docstring(ast.parse(source.read_text(encoding="utf-8"))) or ""
    return docstring.split("\n", 1)[0].replace("``", "").rstrip(".")


def draw(layers: tuple[str, ...], pairs: set[tuple[str, str]], texts: dict[str, str]) -> str:
    """Return the drawing as the text of an SVG file.

    Each layer's line leaves its box to the right, turns into a column of its own and has a dot in
    the row of each layer that it imports. The top layer has the outermost column, so that lines
    that leave a box cross none.

    Parameters
    ----------
    layers : tuple of str
        Top to bottom.
    pairs : set of tuple of str
        Importing and imported layer.
    texts : dict of str to str
        A line about each layer.
    """
    middle = {layer: MARGIN + ROW * row + BOX_HEIGHT // 2 for row, layer in enumerate(layers)}
    importing = [layer for layer in reversed(layers) if any(pair[0] == layer for pair in pairs)]
    right = MARGIN + BOX_WIDTH
    column = {layer: right + COLUMN * (place + 1) for place, layer in enumerate(importing)}
    width = max(column.values(), default=right) + MARGIN
    height = middle[layers[-1]] + BOX_HEIGHT // 2 + MARGIN + 28

    parts = [f'<rect class="ground" width="{width}" height="{height}" rx="6"/>']
    for layer in layers:
        sources = [source for source, target in pairs if target == layer]
        if sources:
            parts += _entering(right, max(column[source] for source in sources), middle[layer])
    for layer in importing:
        targets = [target for source, target in pairs if source == layer]
        parts += _leaving(right, column[layer], middle[layer], [middle[name] for name in targets])
    for layer in layers:
        parts += _box(layer, texts[layer], middle[layer])
    note = "A line leaves a folder and has a dot for each folder that it imports. Up would be red."
    parts.append(f'<text class="text" x="{MARGIN}" y="{height - MARGIN}">{note}</text>')
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'width="{width}" height="{height}" role="img">\n'
        f"<title>The layers of the engine and the imports between them</title>\n"
        f"<style>{STYLE}</style>\n" + "\n".join(parts) + "\n</svg>\n"
    )


def _entering(right: int, outermost: int, middle: int) -> list[str]:
    """Draw the line along which imports come into a box, with its arrowhead."""
    y = middle + OFFSET
    return [
        f'<path class="enter" d="M{outermost} {y}H{right + 6}"/>',
        f'<path class="head" d="M{right} {y}l8 -4v8z"/>',
    ]


def _leaving(right: int, x: int, middle: int, targets: list[int]) -> list[str]:
    """Draw a layer's column, with a dot in the row of each target; red where it goes up."""
    start = middle - OFFSET
    lines = []
    for up in (False, True):
        rows = [row + OFFSET for row in targets if (row < middle) is up]
        if rows:
            mark = " up" if up else ""
            end = min(rows) if up else max(rows)
            lines.append(f'<path class="line{mark}" d="M{right} {start}H{x}V{end}"/>')
            lines += [f'<circle class="dot{mark}" cx="{x}" cy="{y}" r="4"/>' for y in sorted(rows)]
    return lines


def _box(layer: str, text: str, middle: int) -> list[str]:
    top, baseline = middle - BOX_HEIGHT // 2, middle + 5
    return [
        f'<rect class="box" x="{MARGIN}" y="{top}" width="{BOX_WIDTH}" height="{BOX_HEIGHT}" '
        'rx="4"/>',
        f'<text class="name" x="{MARGIN + 12}" y="{baseline}">{escape(layer)}</text>',
        f'<text class="text" x="{MARGIN + 12 + NAME_WIDTH}" y="{baseline}">{escape(text)}</text>',
    ]


def drawing() -> str:
    """Return the drawing of the engine as it is now."""
    layers = drawn_layers()
    return draw(layers, drawn_imports(layers), {layer: describe(layer) for layer in layers})


if __name__ == "__main__":
    PICTURE.write_text(drawing(), encoding="utf-8")
    print(PICTURE)
