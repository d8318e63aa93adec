"""Arguments of verbs as the JSON values of ``request.json``, and back."""

import os
import sys
import types
from dataclasses import MISSING, fields, replace
from pathlib import Path
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from ..errors import UserError

AnyArguments = TypeVar("AnyArguments")


def to_json(arguments: Any) -> dict[str, Any]:
    """Return the arguments as JSON values by field name, for ``request.json``."""
    return {field.name: _plain(getattr(arguments, field.name)) for field in fields(arguments)}


def _plain(value: Any) -> Any:
    """Return a value with paths as text, also within a tuple."""
    if isinstance(value, tuple):
        return tuple(map(_plain, value))
    return str(value) if isinstance(value, Path) else value


def from_json(kind: type[AnyArguments], values: Any, where: str) -> AnyArguments:
    """Return the arguments of a verb from decoded JSON, strictly checked.

    Parameters
    ----------
    kind : type
        The verb's dataclass.
    values : dict
        JSON values by field name.
    where : str
        Name of the file in messages.

    Raises
    ------
    UserError
        A key is unknown or missing, or a value has the wrong type; the message names the key.
    """
    if not isinstance(values, dict):
        raise UserError(f"{where}: 'arguments' must be an object with values by name.")
    hints = get_type_hints(kind)
    unknown = sorted(set(values) - set(hints))
    if unknown:
        raise UserError(f"{where}: there is no argument '{unknown[0]}'; remove or correct it.")
    required = [field.name for field in fields(kind) if field.default is MISSING]  # type: ignore[arg-type]
    missing = [name for name in required if name not in values]
    if missing:
        raise UserError(f"{where}: the argument '{missing[0]}' is missing; add it.")
    checked = {name: _checked(values[name], hints[name], name, where) for name in values}
    return kind(**checked)


def with_absolute_paths(arguments: AnyArguments, folder: Path) -> AnyArguments:
    """Return the arguments with every path absolute.

    Parameters
    ----------
    arguments : dataclass of a verb
    folder : Path
        Folder to which relative paths are relative.
    """

    def absolute(value: Any) -> Any:
        if isinstance(value, tuple):
            return tuple(map(absolute, value))
        if isinstance(value, Path):
            return Path(os.path.abspath(folder / value.expanduser()))  # noqa: PTH100, keeps links
        return value

    changes = {
        field.name: absolute(getattr(arguments, field.name))
        for field in fields(arguments)  # type: ignore[arg-type]
    }
    return replace(arguments, **changes)  # type: ignore[type-var]


def _checked(value: Any, hint: Any, name: str, where: str) -> Any:
    """Return a JSON value as the type of its field, or raise UserError."""
    if get_origin(hint) in (Union, types.UnionType):
        if value is None:
            return None
        hint = next(option for option in get_args(hint) if option is not type(None))
    if get_origin(hint) is Literal:
        if value not in get_args(hint) or isinstance(value, bool):
            choices = ", ".join(get_args(hint))
            raise UserError(f"{where}: '{name}' must be one of {choices}, not {value!r}.")
        return value
    if hint is Path:
        if not isinstance(value, str) or not value or "\0" in value:
            raise UserError(f"{where}: '{name}' must be a path, not {value!r}.")
        return Path(value)
    if get_origin(hint) is tuple:
        kinds = get_args(hint)
        if kinds[-1] is Ellipsis:
            if not isinstance(value, list) or not value:
                raise UserError(f"{where}: '{name}' must be a list that is not empty.")
            return tuple(_checked(v, kinds[0], name, where) for v in value)
        if not isinstance(value, list) or len(value) != len(kinds):
            raise UserError(f"{where}: '{name}' must be a list of {len(kinds)} numbers.")
        return tuple(_checked(v, kind, name, where) for v, kind in zip(value, kinds, strict=True))
    words = {bool: "true or false", int: "a whole number", float: "a number", str: "text"}
    # True is an int in Python, but not in a request.
    fits = type(value) is hint or (hint is float and type(value) is int)
    if not fits:
        raise UserError(f"{where}: '{name}' must be {words[hint]}, not {value!r:.60}.")
    if hint in (int, float) and not abs(value) <= sys.float_info.max:
        raise UserError(f"{where}: '{name}' must be a finite number.")
    return hint(value)
