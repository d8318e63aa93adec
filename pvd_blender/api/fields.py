"""A capture's list of fields, and the Volume objects that show them."""

from pathlib import Path

import bpy
from bpy.types import Object

from ..errors import ConvertFieldError
from ..jobs import tasks
from ..state.field_file import field_facts
from ..state.field_list import list_field_file
from ..state.properties import active_field, find_field
from .shared import chosen_computing, do, owner, source


def add_field(frame: Object, path: str | Path) -> Path:
    """Add an existing field file to a capture's list, and select it.

    Parameters
    ----------
    frame : Object
        Frame of the capture that the field was made from.
    path : path
        A ``.safetensors`` file that this add-on or ``pvd`` has written.

    Returns
    -------
    Path
        Absolute path of the file.
    """
    file = Path(bpy.path.abspath(str(path))).absolute()
    list_field_file(owner(frame), file, field_facts(file))
    return file


def remove_field(frame: Object, field: str | Path | None = None) -> None:
    """Remove a field from a capture's list; its file and its volume stay.

    Parameters
    ----------
    frame : Object
    field : path, optional
        Without it, the selected field.
    """
    state = owner(frame).convert_field
    item = find_field(owner(frame), str(field)) if field else active_field(owner(frame))
    if item is None:
        raise ConvertFieldError("The list has no such field; give the file of one that it has.")
    state.fields.remove(list(state.fields).index(item))
    state.active_field = max(min(state.active_field, len(state.fields) - 1), 0)


def extract_volume(
    frame: Object, field: str | Path | None = None, resolution: int | None = None, wait: bool = True
) -> Object | None:
    """Show a field as a Volume object with a Principled Volume material.

    Parameters
    ----------
    frame : Object
    field : path, optional
    resolution : int, optional
        Voxels along the longest side of the capture's box.
    wait : bool

    Returns
    -------
    Object or None
        The Volume object; extracting again updates an existing one.
    """
    task = tasks.extracting(owner(frame), source(frame, field), resolution, chosen_computing())
    return do(task, wait)
