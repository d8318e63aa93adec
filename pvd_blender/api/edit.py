"""Edits: edit shapes, applying them to a field, and merging fields."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import bpy
import numpy as np
from bpy.types import Object

from ..engine.checked import is_file
from ..errors import ConvertFieldError
from ..jobs import tasks
from ..scene import edit_shapes
from ..scene.edit_properties import shape_of
from ..scene.placement import field_placement
from ..state.displays import show_only
from ..state.properties import find_field, source_field
from ..volume.field_nodes import add_erase_modifier, nodes_can_edit
from ..volume.volume_edit import has_edit
from .shared import chosen_computing, do, owner


def add_shape(
    frame: Object,
    op: str = "erase",
    shape: str = "box",
    location: Sequence[float] | None = None,
    *,
    target: Object | None = None,
    factor: float | None = None,
    color: Sequence[float] | None = None,
    soft: float = 0.0,
) -> Object:
    """Add an edit shape to a capture.

    Parameters
    ----------
    frame : Object
    op : str
        ``"erase"``, ``"keep"``, ``"move"``, ``"duplicate"``, ``"scale_density"`` or ``"tint"``.
    shape : str
        ``"box"`` or ``"sphere"``; `mark_meshes` makes a shape of any closed mesh.
    location : 3 floats, optional
        World space; without it, the 3D cursor.
    target : Object, optional
        Object that the content of a shape that moves or duplicates goes to; it lies in this object
        as it lies in the shape. Without it, such a shape gets an Empty next to it, which
        ``shape.convert_field.shape.target`` names.
    factor : float, optional
        Factor of the density, for ``"scale_density"``.
    color : 3 floats, optional
        Factors of red, green and blue, for ``"tint"``.
    soft : float
        Width of a soft edge, scene units.

    Returns
    -------
    Object
        The shape; its ``convert_field.shape`` has these values and can be changed.
    """
    where = bpy.context.scene.cursor.location if location is None else location
    item = edit_shapes.add_shape(op, shape, tuple(where), owner(frame), target)
    values = shape_of(item)
    values.soft = soft
    if factor is not None:
        values.factor = factor
    if color is not None:
        values.color = color
    return item


def mark_meshes(frame: Object, meshes: Iterable[Object], op: str = "erase") -> None:
    """Make closed meshes edit shapes of a capture; `add_shape` lists the operations."""
    edit_shapes.mark_meshes(list(meshes), op, owner(frame))


def reorder_shape(shape: Object, steps: int) -> None:
    """Move an edit shape in the order in which a capture's shapes are applied.

    Parameters
    ----------
    shape : Object
    steps : int
        Number of positions: -1 applies it before the shape above it in the list, 1 after the one
        below it.
    """
    edit_shapes.reorder_shape(shape, steps)


def collect_edits(frame: Object) -> list[dict]:
    """Return the capture's shapes as the content of an ``edits.json``, in the dataset frame."""
    return edit_shapes.collect_edits(owner(frame))


def add_field_erase(
    frame: Object, location: Sequence[float] | None = None, field: str | Path | None = None
) -> Object:
    """Give a field's volume the node group *Field Erase*, with a box to erase in.

    Density that modifiers remove from the grid ``density`` of a field's volume is erased when edits
    are applied; this node group is an example. That field is selected and its volume is shown, so
    that the view shows what is erased. Blender 5.0 and later.

    Parameters
    ----------
    frame : Object
    location : 3 floats, optional
        World space; without it, the 3D cursor.
    field : path, optional
        Without it, the selected field, or the field that an edited one was made from.

    Returns
    -------
    Object
        The box, an Empty; move, rotate and scale it as any object.
    """
    if not nodes_can_edit():
        raise ConvertFieldError(
            "Nodes can edit volumes only in Blender 5.0 and later; add an edit shape instead."
        )
    source = Path(field) if field else source_field(owner(frame), for_edits=True)
    item = find_field(owner(frame), str(source))
    if item is None or item.volume is None or not item.volume.users_scene:
        raise ConvertFieldError("The field has no volume; extract it first.")
    where = bpy.context.scene.cursor.location if location is None else location
    box = edit_shapes.new_empty("Erase in", "CUBE", tuple(where), owner(frame))
    add_erase_modifier(item.volume, box)
    state = owner(frame).convert_field
    state.active_field = list(state.fields).index(item)
    show_only(owner(frame), item.volume)
    return box


def find_floaters(
    frame: Object,
    below: float | None = None,
    field: str | Path | None = None,
    *,
    wait: bool = True,
) -> Object | None:
    """Find small parts of a field that float in the air, as an edit shape that erases them.

    Parameters
    ----------
    frame : Object
    below : float, optional
        Size below which a part floats, as a fraction of the largest part.
    field : path, optional
        Without it, the selected field, or the field that an edited one was made from.
    wait : bool

    Returns
    -------
    Object or None
        The shape, which replaces an earlier one; None if nothing floats.
    """
    source = Path(field) if field else source_field(owner(frame), for_edits=True)
    return do(tasks.finding_floaters(owner(frame), source, below, chosen_computing()), wait)


def apply_edits(
    frame: Object,
    field: str | Path | None = None,
    edits: Sequence[dict] | None = None,
    *,
    volume_resolution: int | None = None,
    wait: bool = True,
) -> Path | None:
    """Apply edits to a field without loss, as a new, edited field.

    Parameters
    ----------
    frame : Object
    field : path, optional
        Without it, the selected field, or the field that an edited one was made from.
    edits : list of dict, optional
        Content of an ``edits.json``; without it, the capture's edit shapes, in their order, and
        changes by nodes. Shapes that the field has in it already are not applied again.
    volume_resolution : int, optional
        Voxels along the longest side of the box; extracts the volume of the new field as well.
    wait : bool

    Returns
    -------
    Path or None
        The edited field's file.
    """
    source = Path(field) if field else source_field(owner(frame), for_edits=True)
    task = tasks.editing(owner(frame), source, edits, chosen_computing(), volume_resolution)
    return do(task, wait)


def merge(
    frame: Object,
    fields: Sequence[Object | tuple[str | Path, np.ndarray]],
    *,
    volume_resolution: int | None = None,
    wait: bool = True,
) -> Path | None:
    """Make one field of several without loss, each at its own position.

    Parameters
    ----------
    frame : Object
        Frame that the merged field is in.
    fields : sequence of Object or (path, (4, 4) array)
        At least two: Volume objects of fields, of this capture or others, with their transforms in
        the scene; or a field's file with the matrix from its dataset frame into that of `frame`,
        a rotation, one scale on all axes and a translation.
    volume_resolution : int, optional
        Voxels along the longest side of the box; extracts the volume of the merged field as well
        and hides the given Volume objects.
    wait : bool

    Returns
    -------
    Path or None
        The merged field's file.
    """
    bpy.context.view_layer.update()
    parts, replaces = [], []
    for item in fields:
        if isinstance(item, Object):
            parts.append((_shown_field(item), field_placement(item, owner(frame))))
            replaces.append(item.name)
        else:
            parts.append((Path(item[0]), item[1]))
    task = tasks.merging(owner(frame), parts, chosen_computing(), volume_resolution, replaces)
    return do(task, wait)


def _shown_field(volume: Object) -> Path:
    name = volume.convert_field.shown_field
    if has_edit(volume):
        raise ConvertFieldError(
            f"What the modifiers of '{volume.name}' change is not in its field yet; apply the "
            "edits first, or remove the modifiers."
        )
    if not name:
        raise ConvertFieldError(f"'{volume.name}' shows no field; select volumes of fields.")
    if not is_file(name):
        raise ConvertFieldError(
            f"The field of '{volume.name}' has no file any more: {name}; extract it again."
        )
    return Path(name)
