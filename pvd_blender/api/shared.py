"""Common parts of the api: doing a task, finding its capture, its field and its settings."""

from collections.abc import Mapping
from pathlib import Path

import bpy
from bpy.types import Object

from ..errors import ConvertFieldError
from ..jobs.session import session
from ..jobs.tasks import Task
from ..preferences import engine_settings
from ..scene.frame import frame_of, is_frame
from ..state.properties import source_field


def do(task: Task, wait: bool) -> object:
    """Do a task and return its value; without waiting, start it and return None."""
    if wait:
        return session().run(task)
    if bpy.app.background:
        raise ConvertFieldError(
            "In background mode Blender cannot start a job without waiting; leave out wait=False."
        )
    session().start(task)
    return None


def chosen(options: Mapping[str, object]) -> dict[str, object]:
    """Return the options that were given, without those that are None."""
    return {name: value for name, value in options.items() if value is not None}


def chosen_computing() -> dict[str, object]:
    """Return the device and the memory that the preferences name."""
    return engine_settings().computing


def owner(frame: Object | None) -> Object:
    """Return a capture's frame, given that or any object of the capture."""
    found = frame if is_frame(frame) else frame_of(frame)
    if found is None:
        raise ConvertFieldError("There is no capture; import one first.")
    return found


def source(frame: Object, field: str | Path | None) -> Path:
    """Return a field's file: the given one, or that of the selected field."""
    return Path(field) if field else source_field(owner(frame))
