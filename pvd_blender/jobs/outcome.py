"""The outcome of a job, and what all of them do with it."""

from dataclasses import dataclass
from pathlib import Path

from bpy.types import Object

from ..engine.checked import Checked
from ..errors import ConvertFieldError
from ..state.properties import find_frame
from ..texts import joined, printable
from .tasks import Task

MOST_WARNINGS = 100


@dataclass(frozen=True)
class Outcome:
    """The outcome of a task.

    Attributes
    ----------
    value : object
        Value that the function of `api` returns: an Object, an Image or a Path.
    message : str
        One sentence for the user, without characters that a terminal obeys.
    next_task : Task or None
        The task that follows, if the user wants one.
    """

    value: object
    message: str
    next_task: Task | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "message", printable(self.message))


@dataclass(frozen=True)
class Ended:
    """A job that has ended well: what was asked for, and what came of it.

    Attributes
    ----------
    folder : Path
        The job's folder.
    arguments, client : Checked
        The request's arguments and the add-on's notes, which may come from a file.
    outputs : Checked
        The values that the verb returned.
    metrics : Checked
        Its measurements.
    """

    folder: Path
    arguments: Checked
    client: Checked
    outputs: Checked
    metrics: Checked

    @property
    def out(self) -> Path:
        """What the engine wrote, a file or a folder."""
        return Path(self.arguments.path("out"))

    @property
    def field(self) -> str:
        """The field that the job used."""
        return self.arguments.path("field")


def frame_of_job(job: Ended) -> Object:
    """Return the frame of the capture that a job belongs to.

    Raises
    ------
    ConvertFieldError
        It is no longer in the file.
    """
    frame = find_frame(job.client.text("frame"))
    if frame is None:
        raise ConvertFieldError(f"The capture is no longer in this file; the result is {job.out}.")
    return frame


def with_warnings(message: str, job: Ended) -> str:
    """Return a message with the engine's warnings after it."""
    return joined([message, *job.outputs.texts("warnings", MOST_WARNINGS)])
