"""The task that renders a film of a field."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from bpy.types import Object

from ...engine.job_folder import safe_name
from ...scene.frame import NAME
from .task import Task, client_notes

SUFFIXES = (".mp4", ".webm")
"""File endings of the films that the engine writes."""


def filming(
    frame: Object,
    source: Path,
    views: Sequence[dict],
    fps: float,
    background: Sequence[float] | None,
    path: Path | None,
    computing: Mapping[str, object],
    note: str = "",
) -> Task:
    """Return the task that renders a film of a field.

    Parameters
    ----------
    frame : Object
    source : Path
        The field's file.
    views : sequence of dict
        The camera at each frame, entries of ``cameras.json``.
    fps : float
        Frames per second.
    background : 3 floats or None
        Colour behind the field, sRGB; white if None.
    path : Path or None
        The film; in the job folder if None.
    computing : mapping
        The engine's arguments for device and memory.
    note : str
        A sentence that is shown with the result.
    """
    arguments = {
        "field": str(source),
        "fps": fps,
        "background": None if background is None else list(background),
        "out": None if path is None else str(path),
        **computing,
    }
    return Task(
        "Render Film",
        frame[NAME],
        "render",
        arguments,
        outputs={"out": f"{safe_name(source.stem)}.mp4"} if path is None else {},
        inputs={"cameras": {"cameras": list(views)}},
        client=client_notes(frame) | {"film": True, "note": note},
    )
