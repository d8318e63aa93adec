"""Provenance of edited and merged fields, as their files state it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from .. import __version__
from ..fields.base import Field
from ..fields.storage import content_hash
from .edited_field import EditedField
from .merged_viewpoints import known_viewpoints, merged_viewpoints
from .placement import Placement


def edited_provenance(path: Path, parent: Field, edited: EditedField) -> dict[str, Any]:
    """Return the provenance of an edited field.

    Viewpoints are those of the parent, or ones that also see what is moved or duplicated.
    """
    origin = parent.header.get("provenance") or {}
    edits = edited.edits[-1]
    provenance = {
        "made_by": f"pvd edit {__version__}",
        "parent": {"file": path.name, "hash": content_hash(path)},
        "parent_provenance": origin,
        "edits": [edit.description() for edit in edits],
    }
    if "viewpoints" in origin:
        provenance["viewpoints"] = origin["viewpoints"]
        poses = known_viewpoints(origin)
        if poses is not None and not torch.equal(edited.box, parent.box):
            moves = (edit.to for edit in edits if edit.to is not None)
            placements = [Placement.identity(), *moves]
            local = poses.moved(-parent.space.origin)
            wider = merged_viewpoints([local] * len(placements), placements)
            provenance["viewpoints"] = wider.moved(parent.space.origin).to_json()
    return provenance


def merged_provenance(
    paths: Sequence[Path], parts: Sequence[Field], placements: Sequence[Placement]
) -> dict[str, Any]:
    """Return the provenance of a merged field; with viewpoints where all parts have theirs."""
    origins = [part.header.get("provenance") or {} for part in parts]
    provenance: dict[str, Any] = {
        "made_by": f"pvd merge {__version__}",
        "parents": [{"file": path.name, "hash": content_hash(path)} for path in paths],
        "parent_provenances": origins,
        "placements": [placement.matrix.tolist() for placement in placements],
    }
    poses = [known_viewpoints(origin) for origin in origins]
    found = [part for part in poses if part is not None]
    if len(found) == len(parts):
        provenance["viewpoints"] = merged_viewpoints(found, placements).to_json()
    return provenance
