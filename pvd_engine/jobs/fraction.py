"""Progress of work that knows only a done fraction or a count."""

import time
from collections.abc import Callable

from .job import Job

QUIET_SECONDS = 0.5
"""Seconds before which `count_reporter` reports nothing, because short work needs no progress."""


def fraction_reporter(job: Job) -> Callable[[float], None]:
    """Return a function that reports a done fraction, 0 to 1, with rate and time left.

    It raises `Cancelled` when the job should stop, so it is for work that has no checkpoints and
    writes nothing before its end.
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


def count_reporter(job: Job, doing: str) -> Callable[[int, int], None]:
    """Return a function that reports the number of the current item, from 1, and their count.

    It is for preparations: the last item is not the end of the job, because the main work reports
    its own progress. After `QUIET_SECONDS`, it raises `Cancelled` when the job should stop.

    Parameters
    ----------
    job : Job
    doing : str
        The activity, such as ``"Reading images"``.
    """
    start = time.monotonic()

    def report(number: int, count: int) -> None:
        done, elapsed = number - 1, time.monotonic() - start
        if elapsed < QUIET_SECONDS:
            return
        job.raise_if_cancelled()
        job.progress(
            doing=f"{doing} {number} of {count}",
            fraction=done / count,
            seconds_left=elapsed * (count - done) / done if done else None,
        )

    return report
