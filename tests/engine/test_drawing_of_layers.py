"""The drawing of the layers in the docs shows the imports that there are."""

from xml.etree import ElementTree

from docs import draw_layers

SVG = "{http://www.w3.org/2000/svg}"


def drawn(pairs):
    """Lines and dots of a drawing of three layers, by class."""
    layers = ("verbs", "fields", "files")
    root = ElementTree.fromstring(
        draw_layers.draw(layers, pairs, {name: "A & B" for name in layers})
    )
    classes = [item.get("class") for item in root if item.tag in (f"{SVG}path", f"{SVG}circle")]
    return {name: classes.count(name) for name in ("line", "dot", "line up", "dot up")}


def test_the_drawing_in_the_docs_is_that_of_the_sources():
    shown = draw_layers.PICTURE.read_text(encoding="utf-8")
    assert shown == draw_layers.drawing(), "run python -m docs.draw_layers"


def test_each_import_is_a_dot_on_the_line_of_its_folder():
    pairs = {("verbs", "fields"), ("verbs", "files"), ("fields", "files")}
    assert drawn(pairs) == {"line": 2, "dot": 3, "line up": 0, "dot up": 0}


def test_an_import_upwards_stands_out():
    found = drawn({("verbs", "files"), ("fields", "verbs")})
    assert found == {"line": 1, "dot": 1, "line up": 1, "dot up": 1}
    assert drawn(set()) == dict.fromkeys(found, 0)
