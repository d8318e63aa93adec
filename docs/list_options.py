"""Write the table of the options of ``convert`` into the page for script writers.

    python -m docs.list_options

The options are those of the table that the engine writes for the add-on (``make options``). A test
compares the page with what this script writes.
"""

import json
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "scripts.md"
OPTIONS = ROOT / "pvd_blender" / "state" / "engine_options.json"

NAMED = ("preset", "steps", "seed", "until_psnr")
"""Options that the signature of the add-on's `convert` names."""

START = "| option | values | default | meaning |\n| --- | --- | --- | --- |\n"
VALUES = {"bool": "`True`, `False`", "int": "whole number", "float": "number", "str": "text"}


def row(name: str, option: dict[str, Any]) -> str:
    """Return the table's row for an option."""
    choices = ", ".join(f"`{_python(value)}`" for value, *_ in option["choices"])
    values = choices or VALUES[option["type"]]
    return f"| `{name}` | {values} | `{_python(option['default'])}` | {option['tooltip']} |\n"


def _python(value: Any) -> str:
    """Return a value as a script has it."""
    return f'"{value}"' if isinstance(value, str) else repr(value)


def page() -> str:
    """Return the page with the table of the options as they are now."""
    before, after = PAGE.read_text(encoding="utf-8").split(START)
    options = json.loads(OPTIONS.read_text(encoding="utf-8"))["options"]["convert"]
    rows = [row(name, option) for name, option in options.items() if name not in NAMED]
    return before + START + "".join(rows) + after[after.index("\n\n") + 1 :]


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    print(PAGE)
