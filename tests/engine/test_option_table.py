"""The table of options that the add-on reads is what the engine writes."""

import json
from dataclasses import fields
from pathlib import Path
from typing import Literal, get_args, get_origin, get_type_hints

import pytest

from pvd_engine.errors import UserError
from pvd_engine.verbs.convert import ConvertArguments
from pvd_engine.verbs.option_kinds import Between, Shown, note_of
from pvd_engine.verbs.option_table import VERBS, field_helps, option_table, tooltip

TABLE = Path(__file__).resolve().parents[2] / "pvd_blender" / "state" / "engine_options.json"


def test_the_table_in_the_repository_is_fresh():
    assert json.loads(TABLE.read_text(encoding="utf-8")) == option_table(), "run make options"


@pytest.mark.parametrize("arguments", VERBS.values(), ids=VERBS)
def test_every_choice_that_is_shown_is_one_that_the_engine_takes(arguments):
    hints = get_type_hints(arguments, include_extras=True)
    for option in fields(arguments):
        shown = note_of(hints[option.name], Shown)
        if shown is not None and shown.choices:
            values = {value for value, _, _ in shown.choices}
            assert values <= set(literals(hints[option.name]))


def literals(hint):
    if get_origin(hint) is Literal:
        return get_args(hint)
    return [value for part in get_args(hint) for value in literals(part)]


@pytest.mark.parametrize("arguments", VERBS.values(), ids=VERBS)
def test_every_option_that_is_shown_has_a_tooltip_of_one_sentence(arguments):
    hints, helps = get_type_hints(arguments, include_extras=True), field_helps(arguments)
    for option in fields(arguments):
        if note_of(hints[option.name], Shown) is not None:
            text = tooltip(helps[option.name])
            assert text and text[0].isupper() and not text.endswith(".") and ". " not in text


def test_bounds_are_those_that_the_engine_refuses_beyond(tmp_path):
    bounds = note_of(get_type_hints(ConvertArguments, include_extras=True)["ray_points"], Between)
    given = {"field": tmp_path / "a.safetensors", "to": "mlp", "out": tmp_path / "b.safetensors"}
    for value in (bounds.low, bounds.high):
        ConvertArguments(**given, ray_points=value)
    for value in (bounds.low - 1, bounds.high + 1):
        with pytest.raises(UserError, match="--ray-points must be from 2 to 256"):
            ConvertArguments(**given, ray_points=value)
