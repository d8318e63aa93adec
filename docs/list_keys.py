"""Write the tables of the formats' keys into the page about datasets.

    python -m docs.list_keys

The tables stand with the readers (`pvd_engine.data.formats`). A test compares the page with what
this script writes.
"""

from pathlib import Path

from pvd_engine.data.formats.keys import Keys
from pvd_engine.data.readers import FORMATS

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "datasets.md"

START = "<!-- made by python -m docs.list_keys -->\n"
END = "<!-- end of what is made -->\n"
HEAD = "| keys, files | | meaning |\n| --- | --- | --- |\n"


def row(keys: Keys) -> str:
    """Return the table's row for keys that belong together."""
    names = ", ".join(f"`{name}`" for name in keys.names)
    place = {"": "", "file": ", of the file", "entry": ", of an entry"}[keys.level]
    return f"| {names} | {keys.treatment}{place} | {keys.meaning} |\n"


def page() -> str:
    """Return the page with the tables as they are now."""
    text = PAGE.read_text(encoding="utf-8")
    before, after = text[: text.index(START)], text[text.index(END) :]
    tables = [
        f"### {kind.name}\n\n{HEAD}{''.join(row(keys) for keys in kind.keys)}"
        for kind in FORMATS
        if kind.keys
    ]
    return before + START + "\n" + "\n".join(tables) + "\n" + after


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    print(PAGE)
