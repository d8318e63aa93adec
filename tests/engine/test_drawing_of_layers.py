"""The drawing of the layers in the docs shows the imports that there are."""

import importlib.util
from pathlib import Path
from xml.etree import ElementTree

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "docs" / "draw_layers.py"
SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("draw_layers", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def drawn(script, pairs):
    """Lines and dots of a drawing of three layers, by class."""
    layers = ("verbs", "fields", "files")
    root = ElementTree.fromstring(script.draw(layers, pairs, {name: "A & B" for name in layers}))
    classes = [item.get("class") for item in root if item.tag in (f"{SVG}path", f"{SVG}circle")]
    return {name: classes.count(name) for name in ("line", "dot", "line up", "dot up")}


def test_the_drawing_in_the_docs_is_that_of_the_sources(script):
    shown = script.PICTURE.read_text(encoding="utf-8")
    assert shown == script.drawing(), "run python docs/draw_layers.py"


def test_each_import_is_a_dot_on_the_line_of_its_folder(script):
    pairs = {("verbs", "fields"), ("verbs", "files"), ("fields", "files")}
    assert drawn(script, pairs) == {"line": 2, "dot": 3, "line up": 0, "dot up": 0}


def test_an_import_upwards_stands_out(script):
    found = drawn(script, {("verbs", "files"), ("fields", "verbs")})
    assert found == {"line": 1, "dot": 1, "line up": 1, "dot up": 1}
    assert drawn(script, set()) == dict.fromkeys(found, 0)
