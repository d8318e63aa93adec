"""Draw the layers of the engine and every import between them: ``docs/images/layers.svg``.

    python docs/draw_layers.py

The drawing is made from the sources: the text of a box is the first line of the folder's own
docstring, and a line stands for the imports of a folder's files. A test compares the file with what
this script draws.
"""

import ast
from collections.abc import Iterator
from pathlib import Path
from xml.sax.saxutils import escape

ROOT = Path(__file__).resolve().parent.parent
ENGINE = ROOT / "pvd_engine"
PICTURE = ROOT / "docs" / "images" / "layers.svg"

COMMAND_LINE = "cli"
"""The layer of the files that lie in no folder."""

LAYERS = (
    COMMAND_LINE,
    "bench",
    "verbs",
    "distill",
    "train",
    "measure",
    "render",
    "exchange",
    "edit",
    "fields",
    "space",
    "data",
    "jobs",
    "kernels",
    "files",
)
"""Folders of the engine, top to bottom. Imports go down."""

ROW = 42
BOX_HEIGHT = 32
BOX_WIDTH = 500
NAME_WIDTH = 98
COLUMN = 26
MARGIN = 20
OFFSET = 7
"""Pixels from a row's middle to the line that leaves its box, above, and those that enter, below."""

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


def imports(package: Path = ENGINE) -> set[tuple[str, str]]:
    """Return the pairs of layers of which the first imports the second.

    Imports inside functions count. Files that lie in no folder and are imported from below, such as
    the errors, belong to no layer.

    Parameters
    ----------
    package : Path
        The engine's folder.
    """
    pairs = set()
    for path in package.rglob("*.py"):
        inside = path.relative_to(package).parts
        layer = inside[0] if len(inside) > 1 else COMMAND_LINE
        for target in _imported(path, [package.name, *inside[:-1]]):
            if (package / target).is_dir() and target != layer:
                pairs.add((layer, target))
    return pairs


def _imported(path: Path, folders: list[str]) -> Iterator[str]:
    """Yield the folders of the engine, or files beside them, that a file imports."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            start = folders[: len(folders) + 1 - node.level] if node.level else []
            module = [*start, *(node.module.split(".") if node.module else [])]
            names = [module] if len(module) > 1 else [[*module, name.name] for name in node.names]
        elif isinstance(node, ast.Import):
            names = [name.name.split(".") for name in node.names]
        else:
            continue
        yield from (name[1] for name in names if name[0] == folders[0] and len(name) > 1)


def describe(layer: str, package: Path = ENGINE) -> str:
    """Return the first line of a layer's docstring, without its full stop."""
    file = package / ("cli.py" if layer == COMMAND_LINE else f"{layer}/__init__.py")
    docstring = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or ""
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
    width = max(column.values()) + MARGIN
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
    note = "A line leaves a folder and has a dot for each folder that it imports; upward is red."
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
    return draw(LAYERS, imports(), {layer: describe(layer) for layer in LAYERS})


if __name__ == "__main__":
    PICTURE.write_text(drawing(), encoding="utf-8")
    print(PICTURE)
