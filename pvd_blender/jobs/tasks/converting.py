"""The task that converts a field into another architecture."""

from collections.abc import Mapping
from pathlib import Path

from bpy.types import Object

from ...scene.frame import CAPTURE, NAME
from ...state.engine_options import architecture_label, is_light
from ...state.properties import find_field
from .making import FieldSettings
from .task import Task, chosen_downscale, client_notes


def converting(
    frame: Object,
    source: Path,
    settings: FieldSettings,
    computing: Mapping[str, object],
    volume_resolution: int | None = None,
) -> Task:
    """Return the task that converts a field into another architecture."""
    # A capture's cameras may not see the other parts of a merged field, whose own file names the
    # cameras that see all of it.
    capture = None if _has_merged(frame, source) else frame[CAPTURE] or None
    arguments = {**computing, **settings.arguments("convert")} | {
        "field": str(source),
        "to": settings.architecture,
        "capture": capture,
        "downscale": chosen_downscale(frame),
    }
    if is_light(settings.architecture):
        volume_resolution = None
    return Task(
        f"Convert to {architecture_label(settings.architecture)}",
        frame[NAME],
        "convert",
        arguments,
        outputs={"out": settings.file_name()},
        client=client_notes(frame, volume_resolution),
    )


def _has_merged(frame: Object, source: Path) -> bool:
    """Return whether a field is a merged one, or was made from one."""
    path, seen = str(source), set()
    while path and path not in seen:
        seen.add(path)
        item = find_field(frame, path)
        if item is None:
            return False
        if item.role == "MERGED":
            return True
        path = item.parent
    return False
