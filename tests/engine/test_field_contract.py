"""The contract of fields: outside their folder nobody tells their kinds apart."""

import ast
from pathlib import Path

import pytest

import pvd_engine
from pvd_engine import edit, fields
from pvd_engine.fields.base import Field, Learner, Renderable
from pvd_engine.fields.encoders.base import Encoder
from pvd_engine.fields.light_field import LightField
from pvd_engine.fields.radiance_field import RadianceField

ENGINE = Path(pvd_engine.__file__).parent
OUTSIDE = [
    path
    for path in ENGINE.rglob("*.py")
    if not {Path(fields.__file__).parent, Path(edit.__file__).parent} & set(path.parents)
]


def kinds(cls):
    """Names of a class and of all that the product derives from it."""
    return {cls.__name__}.union(*map(kinds, cls.__subclasses__()))


def tells_kinds_apart(source, names):
    """Lines of a source that ask for a field's class, or reach into its encoder."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "isinstance":
            asked = {part.id for part in ast.walk(node.args[1]) if isinstance(part, ast.Name)}
            found += [node.lineno] if asked & names else []
        if isinstance(node, ast.Attribute) and node.attr == "encoder":
            found.append(node.lineno)
    return found


@pytest.mark.parametrize("path", OUTSIDE, ids=lambda path: path.relative_to(ENGINE).as_posix())
def test_no_kind_of_field_is_distinguished_outside_fields_and_edits(path):
    names = kinds(Renderable) | kinds(Encoder)
    assert tells_kinds_apart(path.read_text(encoding="utf-8"), names) == []


def test_what_would_break_the_rule_is_found():
    names = kinds(Renderable)
    assert {c.__name__ for c in (Field, Learner, RadianceField, LightField)} <= names
    assert tells_kinds_apart("isinstance(field, (int, LightField))", names) == [1]
    assert tells_kinds_apart("field.encoder.resample(3)", names) == [1]
