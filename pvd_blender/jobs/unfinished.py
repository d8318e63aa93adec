"""Jobs that were stopped: finding them, resuming one, discarding one."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from ..engine.checked import Checked
from ..engine.job_folder import read_request, unfinished_folders
from ..errors import ConvertFieldError
from ..state.properties import find_frame
from .tasks import Task


@dataclass(frozen=True)
class Unfinished:
    """A job that was stopped and can be resumed.

    Attributes
    ----------
    folder : Path
        The job folder.
    label : str
        Name of the job, for people.
    """

    folder: Path
    label: str


def unfinished_here(folder: Path) -> Unfinished | None:
    """Return the job of a folder, or None if its capture is not in the open file."""
    try:
        client = Checked(read_request(folder).client)
        if find_frame(client.text("frame", "")) is None:
            return None
        return Unfinished(folder, client.text("label", folder.name))
    except ConvertFieldError:
        return None


def resuming(folder: Path) -> Task:
    """Return the task that resumes a job that was stopped."""
    request = read_request(folder)
    client = Checked(request.client, f"{folder} holds no job to resume")
    label, name = client.text("label"), client.text("capture_name")
    return Task(label, name, request.verb, request.arguments, client=request.client, folder=folder)


def discard(folder: Path) -> None:
    """Delete the checkpoints of a job that was stopped."""
    if folder not in unfinished_folders(folder.parent):
        raise ConvertFieldError(f"{folder} holds no job that was stopped.")
    try:
        shutil.rmtree(folder / "checkpoints")
    except OSError as error:
        raise ConvertFieldError(f"{folder} cannot be deleted: {error}.") from error
