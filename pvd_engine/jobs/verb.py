"""A verb: its name, its arguments and the function that does its work."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Verb:
    """A verb of the engine.

    Attributes
    ----------
    name : str
    arguments : type
        Dataclass of its arguments: both the options of the command line and the schema of
        ``request.json``. The docstring under a field is its help.
    run : callable
        ``run(arguments, job) -> dict``. It imports large libraries (torch above all) when it is
        called, so that help and early errors do not wait for them.
    resumable : bool
        It writes checkpoints; on the command line its job folder lies next to its output.
    makes_folder : bool
        Its ``out`` is a folder, not a file.
    file_suffixes : tuple of str
        File endings that make its ``out`` a file all the same.
    """

    name: str
    arguments: type
    run: Callable[[Any, Any], dict[str, Any]]
    resumable: bool = False
    makes_folder: bool = False
    file_suffixes: tuple[str, ...] = ()


Verbs = Mapping[str, Verb]
"""Verbs by name."""
