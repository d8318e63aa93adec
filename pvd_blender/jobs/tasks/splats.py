"""Tasks that turn fields into splats, and splats into fields and files."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from bpy.types import Object

from ...engine.job_folder import safe_name
from ...scene.frame import CAPTURE, NAME
from ...splats.cloud import Splats
from ...splats.ply import write_ply
from ...texts import joined
from .task import Task, client_notes

CLOUD = "cloud.ply"
"""File in a job folder with splats of the scene."""


def showing_splats(
    frame: Object, source: Path, count: int | None, computing: Mapping[str, object]
) -> Task:
    """Return the task that makes splats of a field, for an object of the scene."""
    return Task(
        "Show as Splats",
        frame[NAME],
        "export",
        {
            "field": str(source),
            "to": "ply",
            "splats": count,
            "capture": frame[CAPTURE] or None,
            **computing,
        },
        outputs={"out": "splats.ply"},
        client=client_notes(frame),
    )


def using_splats(
    name: str,
    source: Splats | Path,
    frame: Object | None,
    matrix: np.ndarray,
    notes: Sequence[str],
    options: Mapping[str, object],
) -> Task:
    """Return the task that makes a field of splats.

    Parameters
    ----------
    name : str
        Name of the splats, for people.
    source : Splats or Path
        In the dataset frame, or a file.
    frame : Object or None
        Frame that the field is listed in; without one, a new frame is made.
    matrix : (4, 4) array
        Matrix of a new frame in Blender's world.
    notes : sequence of str
        What was noticed when the splats were read, for the message at the end.
    options : mapping
        Further arguments of the engine, those for device and memory among them.
    """
    of_frame = {"matrix": np.asarray(matrix).tolist()} if frame is None else client_notes(frame)
    is_file = isinstance(source, Path)
    return Task(
        f"Use {name} as Field",
        name if frame is None else frame[NAME],
        "import",
        {"capture": None if frame is None else frame[CAPTURE] or None, **options}
        | ({"cloud": str(source)} if is_file else {}),
        outputs={"out": f"{safe_name(name)}.safetensors"},
        files={} if is_file else {"cloud": (CLOUD, partial(write_ply, source))},
        client=of_frame | {"name": name, "note": joined(notes)},
    )


def saving_splats(splats: Splats, path: Path, notes: Sequence[str]) -> Task:
    """Return the task that writes splats in the format of a path's suffix.

    Parameters
    ----------
    splats : Splats
        In the axes of a ``.ply``: x right, y down, z forward.
    path : Path
    notes : sequence of str
        As of `using_splats`.
    """
    return Task(
        f"Save {path.name}",
        "splats",
        "export",
        {"to": path.suffix[1:].lower(), "out": str(path)},
        files={"field": (CLOUD, partial(write_ply, splats))},
        client={"saved": True, "note": joined(notes)},
    )
