"""Placements of parts of a field: a rotation, one scale on all axes, and a translation."""

import bpy
import numpy as np
from bpy.types import Depsgraph, Object
from mathutils import Vector

from ..errors import SceneError
from .edit_properties import shape_of
from .frame import dataset_matrix, frame_origin
from .matrices import moved, uniform_scale

TARGET_DISTANCE = 2.5
"""Distance of a new target from its shape, in half sizes of the shape."""

DECIMALS = 12
"""Decimals that placements are rounded to, so that no movement is exactly the identity."""


def field_placement(volume: Object, frame: Object) -> np.ndarray:
    """Return the placement of a field's Volume object in a capture.

    Parameters
    ----------
    volume : Object
        The object; its own space is the dataset frame of the capture that its field was made from,
        around that frame's origin.
    frame : Object
        The frame of the capture that the field is placed in; the same or another one.

    Returns
    -------
    (4, 4) float64 array
        From the field's dataset frame into that of `frame`.

    Raises
    ------
    SceneError
        When the object is stretched, sheared or mirrored.
    """
    matrix = dataset_matrix(volume, frame) @ moved(np.eye(4), -frame_origin(volume))
    if not _is_placement(matrix):
        raise SceneError(
            f"'{volume.name}' is stretched, sheared or mirrored, and a field cannot be; give it "
            "one positive scale on all axes."
        )
    return np.round(matrix, DECIMALS)


def target_placement(item: Object, frame: Object, depsgraph: Depsgraph) -> np.ndarray:
    """Return the placement of an edit shape's content at its target.

    Parameters
    ----------
    item : Object
        A shape that moves or duplicates.
    frame : Object
    depsgraph : Depsgraph
        The depsgraph that has evaluated both.

    Returns
    -------
    (4, 4) float64 array
        Dataset frame.

    Raises
    ------
    SceneError
        When the shape has no target, or content would be stretched, sheared or mirrored there.
    """
    target = shape_of(item).target
    # A deleted object stays in the pointer until the file is saved, but is in no scene.
    if target is None or not target.users_scene:
        raise SceneError(
            f"'{item.name}' has no target; set 'To' to the object that its content goes to."
        )
    there, here = (dataset_matrix(thing, frame, depsgraph) for thing in (target, item))
    matrix = there @ np.linalg.inv(here)
    if not _is_placement(matrix):
        raise SceneError(
            f"What '{item.name}' holds would be stretched, sheared or mirrored at "
            f"'{target.name}'; give both the same scale, or one of them a multiple of it."
        )
    return np.round(matrix, DECIMALS)


def _is_placement(matrix: np.ndarray) -> bool:
    return uniform_scale(matrix) is not None and np.linalg.det(matrix[:3, :3]) > 0


def add_target(item: Object) -> None:
    """Give a shape an Empty next to it as its target.

    The Empty has the shape's scale times its own, so that the content keeps its proportions when
    the shape is scaled.
    """
    target = bpy.data.objects.new(f"{item.name} to", None)
    target.empty_display_type = item.empty_display_type if item.type == "EMPTY" else "ARROWS"
    target.empty_display_size = item.empty_display_size if item.type == "EMPTY" else 1.0
    for collection in item.users_collection:
        collection.objects.link(target)
    target.parent = item.parent
    target.matrix_parent_inverse = item.matrix_parent_inverse
    target.rotation_euler = item.matrix_basis.to_euler()
    target.location = item.matrix_basis @ Vector((TARGET_DISTANCE * _half_width(item), 0, 0))
    size = target.constraints.new("COPY_SCALE")
    size.name = "Size of the shape"
    size.target = item
    size.use_offset = True
    size.owner_space = size.target_space = "LOCAL"
    shape_of(item).target = target


def remove_target(item: Object) -> None:
    """Delete a shape's target if it was made for that shape; otherwise only unset it."""
    target = shape_of(item).target
    shape_of(item).target = None
    if target is not None and any(
        constraint.type == "COPY_SCALE" and constraint.target == item
        for constraint in target.constraints
    ):
        bpy.data.objects.remove(target)


def _half_width(item: Object) -> float:
    """Return half of an object's extent along its own x axis, in its own units."""
    if item.type == "EMPTY":
        return item.empty_display_size
    corners = [corner[0] for corner in item.bound_box]
    return (max(corners) - min(corners)) / 2
