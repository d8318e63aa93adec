"""A task: one step of the user as plain values.

The request to the engine goes into the job folder together with the add-on's notes for the result,
so that another Blender can resume the job.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from bpy.types import Object

from ...engine.job_folder import Request, next_folder, read_request, safe_name, write_request
from ...errors import ConvertFieldError
from ...preferences import engine_settings
from ...scene.frame import NAME
from ...state.engine_options import AUTO
from ...state.properties import frame_state
from ...version import VERSION


@dataclass(frozen=True)
class Task:
    """One step of the user.

    Attributes
    ----------
    label : str
        Name of the step, for people.
    capture_name : str
        Name of the folder, in the work folder, in which the job folder is made.
    verb : str
        The engine's verb.
    arguments : dict
        JSON values by the name of the command's option.
    outputs : dict of str to str
        Arguments that are paths in the job folder: names of files that the engine writes.
    inputs : dict of str to JSON value
        Arguments that are paths of JSON files: contents that are written into the job folder.
    files : dict of str to (str, callable)
        Arguments that are paths of other files in the job folder: their names, and what writes
        them, given the path.
    client : dict
        The add-on's notes for the result.
    folder : Path or None
        The job folder of a job that is resumed.
    """

    label: str
    capture_name: str
    verb: str
    arguments: dict = field(default_factory=dict)
    outputs: dict[str, str] = field(default_factory=dict)
    inputs: dict[str, object] = field(default_factory=dict)
    files: dict[str, tuple[str, Callable[[Path], None]]] = field(default_factory=dict)
    client: dict = field(default_factory=dict)
    folder: Path | None = None

    def prepare(self, work_folder: Path) -> tuple[Path, Request]:
        """Return the job folder and its request; unless the job is resumed, they are made.

        Raises
        ------
        ConvertFieldError
            When the folder cannot be made.
        """
        if self.folder is not None:
            return self.folder, read_request(self.folder)
        try:
            return self._make(work_folder)
        except OSError as error:
            raise ConvertFieldError(
                f"The work folder cannot be written ({error}); choose another in the preferences."
            ) from error

    def _make(self, work_folder: Path) -> tuple[Path, Request]:
        folder = next_folder(capture_folder(work_folder, self.capture_name), self.verb)
        arguments = {key: value for key, value in self.arguments.items() if value is not None}
        for key, name in self.outputs.items():
            arguments[key] = str(folder / name)
        for key, content in self.inputs.items():
            path = folder / f"{key}.json"
            path.write_text(json.dumps(content, allow_nan=False), encoding="utf-8")
            arguments[key] = str(path)
        for key, (name, write) in self.files.items():
            write(folder / name)
            arguments[key] = str(folder / name)
        labels = {"label": self.label, "capture_name": self.capture_name}
        request = Request(self.verb, arguments, self.client | labels)
        write_request(folder, request, VERSION)
        return folder, request


def capture_folder(work_folder: Path, capture_name: str) -> Path:
    """Return the folder of a capture's jobs."""
    return work_folder / safe_name(capture_name)


def capture_work_folder(frame: Object) -> Path:
    """Return the folder of a capture's jobs; never one that a .blend file names."""
    return capture_folder(engine_settings().work_folder, frame[NAME])


def client_notes(frame: Object, volume_resolution: int | None = None) -> dict:
    """Return the add-on's notes for the result of a task on a capture."""
    return {"frame": frame_state(frame).uid, "volume_resolution": volume_resolution}


def chosen_downscale(frame: Object) -> int | None:
    """Return the factor by which a capture's images are reduced; None leaves it to the engine."""
    size = frame_state(frame).downscale
    return None if size == AUTO else int(size)
