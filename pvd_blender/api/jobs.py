"""Jobs: cancelling the running one, resuming or discarding one that was stopped."""

from pathlib import Path

from ..errors import ConvertFieldError
from ..jobs import unfinished
from ..jobs.session import session
from .shared import do


def cancel() -> None:
    """Stop the running job at a checkpoint, from which `resume` goes on."""
    if not session().busy:
        raise ConvertFieldError("No job is running; start one first.")
    session().job.cancel()


def resume(folder: str | Path, wait: bool = True) -> object:
    """Resume a job that was cancelled or interrupted, and return the value of its step."""
    return do(unfinished.resuming(Path(folder)), wait)


def discard(folder: str | Path) -> None:
    """Delete the checkpoints of a job that was stopped; it cannot be resumed then."""
    unfinished.discard(Path(folder))
    session().look_for_unfinished(Path(folder).parent.name)
