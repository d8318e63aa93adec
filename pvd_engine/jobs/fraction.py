"""Progress of work that knows only which share of it is done."""

import time
from collections.abc import Callable

from .job import Job


def fraction_reporter(job: Job) -> Callable[[float], None]:
    """A function that reports a done fraction, 0 to 1, with rate and time left.

    The function raises `Cancelled` when the job should stop: it is for work that has no checkpoints
    and writes nothing before its end.
    """
    start = time.monotonic()

    def report(fraction: float) -> None:
        job.raise_if_cancelled()
        elapsed = time.monotonic() - start
        known = fraction > 0 and elapsed > 0
        job.progress(
            step=int(100 * fraction),
            fraction=fraction,
            rate=100 * fraction / elapsed if known else None,
            unit="%",
            seconds_left=elapsed * (1 - fraction) / fraction if known else None,
        )

    return report
