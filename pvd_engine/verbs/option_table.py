"""The table of options that the add-on builds its settings from.

    python -m pvd_engine.verbs.option_table pvd_blender/state/engine_options.json

The add-on imports nothing of the engine. This file gives it the names, labels, bounds, defaults and
tooltips of the options that its settings show, and the architectures, so that each stands once,
here in the engine::

    {"architectures": {NAME: {"label", "description", "good_for", "target_only", "joined"}},
     "options": {VERB: {NAME: {"type", "label", "tooltip", "default", "bounds", "choices"}}}}

``joined`` tells whether several can work in parallel. ``type`` is ``"bool"``, ``"int"``,
``"float"``, ``"str"`` or ``"choice"``; ``choices`` are lists of value, label and tooltip, of which
the first has the value null where nothing need be chosen.
"""

import ast
import inspect
import sys
import textwrap
import types
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from ..fields.registry import CLOUDS, RADIANCE_FIELDS, TARGETS_ONLY
from ..files.atomic import write_json
from .convert import ConvertArguments
from .floaters import FloatersArguments
from .option_kinds import Between, Shown, note_of
from .train import TrainArguments
from .volume import VolumeArguments

VERBS: dict[str, Any] = {
    "train": TrainArguments,
    "convert": ConvertArguments,
    "volume": VolumeArguments,
    "floaters": FloatersArguments,
}
"""The verbs whose options the add-on's settings show."""


def option_table() -> dict[str, Any]:
    """Return the table; imports torch for the records of the architectures."""
    records = [*RADIANCE_FIELDS.items(), *CLOUDS.items(), *TARGETS_ONLY.items()]
    architectures = {
        name: {
            "label": record.label,
            "description": record.description,
            "good_for": record.good_for,
            "target_only": name in TARGETS_ONLY,
            "joined": name in RADIANCE_FIELDS,
        }
        for name, record in records
    }
    options = {verb: _options(arguments) for verb, arguments in VERBS.items()}
    return {"architectures": architectures, "options": options}


def _options(arguments: Any) -> dict[str, Any]:
    """Return the entries of a verb's options that are shown."""
    hints, helps = get_type_hints(arguments, include_extras=True), field_helps(arguments)
    entries = {}
    for option in fields(arguments):
        hint = hints[option.name]
        shown = note_of(hint, Shown)
        if shown is None:
            continue
        bounds = note_of(hint, Between)
        choices: list[list[str | None]] = [list(choice) for choice in shown.choices]
        if shown.unset is not None:
            choices.insert(0, [None, *shown.unset])
        entries[option.name] = {
            "type": "choice" if choices else _plain_type(hint).__name__,
            "label": shown.label,
            "tooltip": tooltip(helps[option.name]),
            "default": option.default,
            "bounds": None if bounds is None else [bounds.low, bounds.high],
            "choices": choices,
        }
    return entries


def field_helps(arguments: Any) -> dict[str, str]:
    """Return the docstring under each field of a dataclass, those of its bases among them."""
    helps = {}
    for kind in reversed(arguments.__mro__):
        if not is_dataclass(kind) or not isinstance(kind, type):
            continue
        (body,) = ast.parse(textwrap.dedent(inspect.getsource(kind))).body
        assert isinstance(body, ast.ClassDef)
        for field, text in zip(body.body, body.body[1:], strict=False):
            if (
                isinstance(field, ast.AnnAssign)
                and isinstance(field.target, ast.Name)
                and isinstance(text, ast.Expr)
                and isinstance(text.value, ast.Constant)
            ):
                helps[field.target.id] = " ".join(str(text.value.value).split())
    return helps


def tooltip(text: str) -> str:
    """Return the first sentence of a help text, without its full stop, as Blender shows it."""
    return text.split(". ")[0].removesuffix(".")


def _plain_type(hint: Any) -> type:
    """Return the type of an option's value: of ``Annotated[int | None, ...]`` int."""
    origin = get_origin(hint)
    if origin is Annotated:
        return _plain_type(get_args(hint)[0])
    if origin in (Union, types.UnionType):
        return _plain_type(next(part for part in get_args(hint) if part is not type(None)))
    return str if origin is Literal else hint


if __name__ == "__main__":
    write_json(Path(sys.argv[1]), option_table())
