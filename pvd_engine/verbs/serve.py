"""Render pictures of fields, one after another, on request of another program."""

from dataclasses import dataclass

from ..files.atomic import json_text
from ..jobs.streams import prints_to_stderr
from .option_kinds import ComputingArguments


@dataclass(frozen=True, kw_only=True)
class ServeArguments(ComputingArguments):
    """Render pictures of fields, one after another, on request of another program.

    Blender renders in this way. Requests are lines of JSON on standard input, replies are lines of
    JSON on standard output; pvd_engine/render/serve.py describes them.

    Example: pvd serve --device cpu
    """

    idle: float = 120.0
    """Seconds without a request after which the program ends."""


def run(arguments: ServeArguments) -> None:
    """Reply to requests until standard input ends, or none has come for some time."""
    from ..jobs.device import choose_device
    from ..kernels.workload import bounded
    from ..render.serve import serve

    # A file object of its own: interpreter shutdown waits for the lock of sys.stdin's buffer,
    # which the thread that reads requests holds.
    requests = open(0, "rb", closefd=False)  # noqa: SIM115
    with prints_to_stderr() as terminal:
        device = choose_device(arguments.device)
        with bounded(device, arguments.memory):
            serve(requests, lambda reply: terminal.print(json_text(reply)), device, arguments.idle)
