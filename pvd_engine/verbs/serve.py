"""Render pictures of fields for a program that asks for one after another."""

from dataclasses import dataclass

from ..files.atomic import json_text
from ..jobs.streams import prints_to_stderr
from .option_kinds import ComputingArguments


@dataclass(frozen=True, kw_only=True)
class ServeArguments(ComputingArguments):
    """Render pictures of fields for a program that asks for one after another.

    This is how Blender renders. Requests are lines of JSON on standard input, answers lines of
    JSON on standard output; pvd_engine/render/serve.py describes them.

    Example: pvd serve --device cpu
    """

    idle: float = 120.0
    """Seconds without a request after which to end."""


def run(arguments: ServeArguments) -> None:
    """Answer requests until standard input ends, or nobody asks any more."""
    from ..jobs.device import choose_device
    from ..render.serve import serve

    # A file object of its own: interpreter shutdown waits for the lock of sys.stdin's buffer,
    # which the thread that reads requests holds.
    requests = open(0, "rb", closefd=False)  # noqa: SIM115
    with prints_to_stderr() as terminal:
        device = choose_device(arguments.device)
        serve(requests, lambda answer: terminal.print(json_text(answer)), device, arguments.idle)
