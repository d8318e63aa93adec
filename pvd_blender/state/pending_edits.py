"""Edits in the scene that a field does not have in it yet: what *Apply Edits* would do."""

from pathlib import Path

from bpy.types import Depsgraph, Object

from ..errors import ConvertFieldError
from ..scene.edit_shapes import collect_edits
from ..volume.volume_edit import has_edit
from .field_file import contained_edits
from .properties import find_field, source_field


def pending_shapes(frame: Object, field: Path, depsgraph: Depsgraph | None = None) -> list[dict]:
    """Return the edits by shapes that neither a field nor any field it comes from has in it.

    Parameters
    ----------
    frame : Object
    field : Path
    depsgraph : Depsgraph, optional
        As for `collect_edits`, which also says what is returned and raised.
    """
    edits = collect_edits(frame, depsgraph)
    contained = contained_edits(field) if edits else frozenset()
    return [edit for edit in edits if edit["id"] not in contained]


def contained_shapes(frame: Object) -> frozenset[str]:
    """Return the identities of the shapes that the selected field has in it, for the panel."""
    try:
        return contained_edits(source_field(frame))
    except ConvertFieldError:
        return frozenset()


def edited_volume(frame: Object, field: Path) -> Object | None:
    """Return a field's Volume object if its modifiers can edit the field."""
    item = find_field(frame, str(field))
    volume = item.volume if item else None
    return volume if has_edit(volume) else None
