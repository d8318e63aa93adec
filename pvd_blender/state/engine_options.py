"""The engine's options and architectures, from the table that the engine writes.

``engine_options.json`` is made by ``make options``; the module of the engine that writes it,
``pvd_engine/verbs/option_table.py``, describes its keys.
"""

import json
from collections.abc import Mapping
from pathlib import Path

from bpy.props import BoolProperty, EnumProperty, FloatProperty, IntProperty, StringProperty

from ..errors import ConvertFieldError

TABLE = json.loads(Path(__file__).with_suffix(".json").read_text(encoding="utf-8"))

AUTO = "AUTO"
"""Identifier, in menus, of no choice."""

LARGEST_INT = 2**31 - 1
"""The largest number that Blender's integer properties hold."""

ARCHITECTURES = TABLE["architectures"]
TRAINABLE = tuple(
    (name, entry["label"], entry["description"])
    for name, entry in ARCHITECTURES.items()
    if not entry["target_only"]
)
"""Menu of the architectures that fields can be trained with and converted from."""

JOINED = tuple(entry for entry in TRAINABLE if ARCHITECTURES[entry[0]]["joined"])
"""Menu of those of which several can work in parallel."""

TARGETS = tuple(
    (name, entry["label"], entry["description"]) for name, entry in ARCHITECTURES.items()
)
"""Menu of the architectures that fields can be converted to."""


def is_light(architecture: str) -> bool:
    """Return whether an architecture can only be converted to, and has no density."""
    return ARCHITECTURES.get(architecture, {}).get("target_only", False)


def is_cloud(architecture: str) -> bool:
    """Return whether an architecture is a cloud of splats, which works in parallel to none."""
    known = ARCHITECTURES.get(architecture, {"joined": True})
    return not known["joined"] and not is_light(architecture)


def architecture_label(name: str) -> str:
    """Return an architecture's name for people, such as ``"Hash Grid + TensoRF VM"``."""
    parts = name.split("+")
    return " + ".join(ARCHITECTURES[p]["label"] if p in ARCHITECTURES else p for p in parts)


def menu(verb: str, name: str) -> tuple[tuple[str, str, str], ...]:
    """Return the choices of an option as Blender's menus take them."""
    choices = TABLE["options"][verb][name]["choices"]
    return tuple((AUTO if value is None else value, *texts) for value, *texts in choices)


def option_property(verb: str, name: str, **changes: object) -> object:
    """Return the Blender property of an option.

    Parameters
    ----------
    verb, name : str
        The engine's verb, and the option's name.
    **changes
        Arguments of the property that replace or complete those of the table.
    """
    entry = TABLE["options"][verb][name]
    values = {"name": entry["label"], "description": entry["tooltip"]}
    if entry["default"] is not None:
        values["default"] = entry["default"]
    if entry["bounds"] is not None:
        low, high = entry["bounds"]
        if entry["type"] == "int":
            high = min(high, LARGEST_INT)
        values |= {"min": low, "max": high}
    if entry["type"] == "choice":
        values["items"] = menu(verb, name)
    kinds = {"bool": BoolProperty, "int": IntProperty, "float": FloatProperty}
    kinds |= {"choice": EnumProperty, "str": StringProperty}
    return kinds[entry["type"]](**values | changes)


def option_value(verb: str, name: str, value: object) -> object:
    """Return a property's value as the engine takes it; None where nothing was chosen."""
    kind = TABLE["options"][verb][name]["type"]
    if kind == "choice":
        return None if value == AUTO else value
    if kind == "str":
        return value.strip() or None
    # Blender's floats have single precision: 0.15 comes back as 0.15000000596.
    return round(value, 6) if kind == "float" else value


def changed_options(verb: str, given: Mapping[str, object]) -> dict[str, object]:
    """Return the options that differ from the engine's defaults.

    Raises
    ------
    ConvertFieldError
        When the verb has no such option.
    """
    known = TABLE["options"][verb]
    unknown = sorted(set(given) - set(known))
    if unknown:
        raise ConvertFieldError(
            f"There is no option '{unknown[0]}' for {verb}; choose one of {', '.join(known)}."
        )
    return {name: value for name, value in given.items() if value != known[name]["default"]}
