"""Compile the kernels for this machine, before they are needed."""

import time
from dataclasses import dataclass
from typing import Any

from ..errors import UserError
from ..jobs.fraction import count_reporter
from ..jobs.job import Job
from ..jobs.verb import Verb
from .option_kinds import CheckedArguments


@dataclass(frozen=True, kw_only=True)
class CompileArguments(CheckedArguments):
    """Compile the kernels for this machine, so that the first training does not wait for them.

    Set Up Engine in Blender does the same. Compiled kernels are kept on disk; a kernel that is
    missing there is compiled when it is first used.

    Example: pvd compile
    """


def run(arguments: CompileArguments, job: Job) -> dict[str, Any]:
    """Compile what the cache lacks.

    Returns
    -------
    dict
        ``kernels``, the number that is ready, ``devices`` that they are for, and ``seconds``.
    """
    from ..kernels.compile import compile_kernels, kernel_devices
    from ..kernels.launch import warp_problem

    problem = warp_problem()
    if problem is not None:
        raise UserError(f"{problem}, so there is nothing to compile; install warp-lang.")
    start = time.monotonic()
    kernels = compile_kernels(count_reporter(job, "Compiling kernel"))
    seconds = time.monotonic() - start
    return {"kernels": kernels, "devices": kernel_devices(), "seconds": seconds}


VERB = Verb("compile", CompileArguments, run)
