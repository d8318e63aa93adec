"""Progress of work that knows only which share, or how many, of it is done."""

import time
from collections.abc import Callable

from .job import Job

QUIET_SECONDS = 0.5
"""What is over sooner comes before the work unnoticed."""


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


def count_reporter(job: Job, doing: str) -> Callable[[int, int], None]:
    """A function that reports which of how many things is being worked on, from 1.

    It is for what comes before the work proper, which has a progress of its own: the last thing is
    not the end. After `QUIET_SECONDS`, the function raises `Cancelled` when the job should stop.

    Parameters
    ----------
    job : Job
    doing : str
        Such as ``"Reading images"``.
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
