"""Tasks that change fields: applying edits, finding floaters, merging."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from bpy.types import Object

from ...errors import ConvertFieldError
from ...scene.edit_shapes import edit_shapes
from ...scene.frame import NAME
from ...state.pending_edits import edited_volume, pending_shapes
from ...volume.volume_edit import VolumeEdits, evaluated, volume_edits
from .task import Task, capture_work_folder, client_notes

ADDED = "Modifiers add density in {} voxels where the field has none; that is left out"


def editing(
    frame: Object,
    source: Path,
    edits: Sequence[dict] | None,
    computing: Mapping[str, object],
    volume_resolution: int | None = None,
) -> Task:
    """Return the task that applies edits to a field.

    Without `edits`, these are the edit shapes in the scene and the changes by nodes, as far as the
    field does not have them in it.
    """
    note, content = "", list(edits or ())
    if edits is None:
        by_nodes = _node_edits(frame, source)
        content = pending_shapes(frame, source) + by_nodes.edits
        note = ADDED.format(by_nodes.added) if by_nodes.added else ""
    if not content:
        raise ConvertFieldError(
            "The field has all edit shapes in it already; add another, or select the field that it "
            "was made from."
            if edits is None and edit_shapes(frame)
            else "There is no edit shape; add one first."
        )
    return Task(
        "Apply Edits",
        frame[NAME],
        "edit",
        {"field": str(source), **computing},
        outputs={"out": "edited.safetensors"},
        inputs={"edits": content},
        client=client_notes(frame, volume_resolution) | {"note": note},
    )


def _node_edits(frame: Object, source: Path) -> VolumeEdits:
    """Return the changes by the modifiers of a field's Volume object."""
    volume = edited_volume(frame, source)
    if volume is None:
        return VolumeEdits([], 0)
    folder = capture_work_folder(frame) / "grids"
    with evaluated(volume) as depsgraph:
        return volume_edits(volume, depsgraph, folder)


def finding_floaters(
    frame: Object, source: Path, below: float | None, computing: Mapping[str, object]
) -> Task:
    """Return the task that finds small parts of a field that float in the air."""
    return Task(
        "Find Floaters",
        frame[NAME],
        "floaters",
        {"field": str(source), "below": below, **computing},
        outputs={"out": "floaters.npz"},
        client=client_notes(frame),
    )


def merging(
    frame: Object,
    parts: Sequence[tuple[Path, np.ndarray]],
    computing: Mapping[str, object],
    volume_resolution: int | None = None,
    replaces: Sequence[str] = (),
) -> Task:
    """Return the task that makes one field of several.

    Parameters
    ----------
    frame : Object
        Frame that the merged field is in.
    parts : sequence of (Path, (4, 4) array)
        Field files, and the matrices from their dataset frames into that of `frame`.
    computing : mapping
        The engine's arguments for device and memory.
    volume_resolution : int, optional
    replaces : sequence of str
        Names of the Volume objects that are hidden once the merged field has a volume.
    """
    if len(parts) < 2:
        raise ConvertFieldError("Merging takes at least two fields; select two or more volumes.")
    return Task(
        "Merge Fields",
        frame[NAME],
        "merge",
        {"fields": [str(path) for path, _ in parts], **computing},
        outputs={"out": "merged.safetensors"},
        inputs={"placements": [np.asarray(matrix).tolist() for _, matrix in parts]},
        client=client_notes(frame, volume_resolution) | {"replaces": list(replaces)},
    )
