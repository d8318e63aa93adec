"""The verb ``bench``."""

from typing import Any

from ..jobs.arguments import BenchArguments
from ..jobs.fraction import fraction_reporter
from ..jobs.job import Job
from . import kernels


def run(arguments: BenchArguments, job: Job) -> dict[str, Any]:
    """Measure the kernels of this machine; the result is that of `kernels.run`."""
    return kernels.run(arguments.points, arguments.seed, fraction_reporter(job))
