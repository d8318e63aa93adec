"""Jobs: cancelling the running one, resuming or discarding one that was stopped."""

from pathlib import Path

from ..errors import ConvertFieldError
from ..jobs import unfinished
from ..jobs.session import session
from .shared import do


def cancel() -> None:
    """Ask the running job to stop at a checkpoint; `resume` goes on from there."""
    if not session().busy:
        raise ConvertFieldError("No job is running.")
    session().job.cancel()


def resume(folder: str | Path, wait: bool = True) -> object:
    """Go on with a job that was cancelled or cut short, and return what its step returns."""
    return do(unfinished.resuming(Path(folder)), wait)


def discard(folder: str | Path) -> None:
    """Delete the checkpoints of a job that was stopped, so that it is not offered again."""
    unfinished.discard(Path(folder))
    session().look_for_unfinished(Path(folder).parent.name)
