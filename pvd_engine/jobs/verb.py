"""A verb: its arguments, and the function that does its work."""

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
        Its dataclass: at once the options of the command line and the schema of ``request.json``.
        The docstring under a field is its help.
    run : callable
        ``run(arguments, job) -> dict``. It imports what computes (torch above all) when it is
        called, so that help and refusals do not wait for that.
    resumable : bool
        It writes checkpoints; on the command line it gets a job folder next to its output.
    makes_folder : bool
        Its ``out`` is a folder, not a file.
    """

    name: str
    arguments: type
    run: Callable[[Any, Any], dict[str, Any]]
    resumable: bool = False
    makes_folder: bool = False


Verbs = Mapping[str, Verb]
"""Verbs by name."""
