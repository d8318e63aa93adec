"""The command line: ``pvd VERB ...``."""

import inspect
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Generic, TypeVar, Union

import tyro

from . import __version__
from .bench.verb import VERB as BENCH
from .errors import UserError
from .jobs.arguments_json import with_absolute_paths
from .jobs.cancel import EXIT_CANCELLED
from .jobs.driven import run_driven
from .jobs.folder import Request
from .jobs.foreground import Options, run_in_foreground
from .jobs.streams import printable
from .process_setup import prepare_process
from .verbs import serve
from .verbs.table import VERBS as WORKING_VERBS

DESCRIPTION = f"""Convert, edit and render radiance fields (version {__version__}).

A capture (images with cameras) becomes a field; a field becomes another of a different
architecture, an edited one, a volume for Blender, or pictures.

Example: pvd train lego --arch hash --out lego.safetensors

Each command explains itself: pvd train --help
"""

VERBS = {**WORKING_VERBS, BENCH.name: BENCH}

EXIT_FAILED = 1

VerbArguments = TypeVar("VerbArguments")


@dataclass(frozen=True)
class Command(Generic[VerbArguments]):
    """The arguments and options after a verb on the command line."""

    arguments: Annotated[VerbArguments, tyro.conf.arg(name="")]
    options: Annotated[Options, tyro.conf.arg(name="")]


@dataclass(frozen=True, kw_only=True)
class RunCommand:
    """Run a job folder, or resume one that was stopped.

    Blender drives the engine with this command. The folder holds a request.json. Events are
    printed as lines of JSON and kept in events.jsonl; result.json is written last. When standard
    input is a pipe, a line "cancel" or the end of the pipe stops the job at a checkpoint.

    Example: pvd run jobs/train-1
    """

    job: tyro.conf.Positional[Annotated[Path, tyro.conf.arg(metavar="JOB")]]
    """The job folder."""

    json: bool = False
    """Print the result as one JSON object as the last thing on standard output."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    arguments : sequence of str, optional
        The words after ``pvd``; those of the process by default.

    Returns
    -------
    int
        The exit code: 0 done, 1 failed, 2 wrong usage, 130 stopped.
    """
    prepare_process()
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        return _dispatch(words)
    except UserError as error:
        print(printable(str(error)), file=sys.stderr)
        return EXIT_FAILED
    except KeyboardInterrupt:
        return EXIT_CANCELLED
    except BrokenPipeError:
        # The reader of the output has closed it; Python would report that again when it flushes.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_FAILED


def _dispatch(words: list[str]) -> int:
    name = words[0] if words else None
    if name == "--version":
        print(__version__)
        return 0
    if name == "run":
        command = _parse(RunCommand, "run", words[1:])
        return run_driven(command.job, VERBS, command.json)
    if name == "serve":
        serve.run(_parse(serve.ServeArguments, "serve", words[1:]))
        return 0
    if name in VERBS:
        verb = VERBS[name]
        command = _parse(Command[verb.arguments], name, words[1:], verb.arguments)
        request = Request(verb, with_absolute_paths(command.arguments, Path.cwd()))
        return run_in_foreground(request, command.options)
    return _explain(words or ["--help"])


def _parse(kind: Any, name: str, words: list[str], documented: type | None = None) -> Any:
    """Parse a verb's words; wrong usage ends the process with a short message and exit code 2."""
    description = inspect.cleandoc((documented or kind).__doc__ or "")
    return tyro.cli(kind, prog=f"pvd {name}", description=description, args=words)


def _explain(words: list[str]) -> int:
    """Print the help on all verbs, or an error for an unknown one; tyro ends the process."""
    documented = {name: verb.arguments for name, verb in VERBS.items()} | {
        "run": RunCommand,
        "serve": serve.ServeArguments,
    }
    verbs = tuple(
        Annotated[
            kind,
            tyro.conf.subcommand(name, description=(kind.__doc__ or "").splitlines()[0]),
        ]
        for name, kind in documented.items()
    )
    choice: Any = Union[verbs]  # noqa: UP007, the number of verbs varies
    tyro.cli(choice, prog="pvd", description=DESCRIPTION, args=words)
    return 2
