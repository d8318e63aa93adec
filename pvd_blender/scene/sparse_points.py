"""The sparse points of a capture, as an object in the 3D View."""

from pathlib import Path

import bpy
import numpy as np
from bpy.types import Object

from .frame import NAME, frame_box, frame_collection, parent_to_frame
from .matrices import moved
from .points import add_points_modifier

POINTS = "pvd_points"
RADIUS_FRACTION = 1e-3
"""Radius of a point, as a fraction of the longest side of the capture's box."""


def import_points(path: Path, frame: Object, origin: np.ndarray) -> Object | None:
    """Show a PLY file of points in a capture's frame; not in renders.

    Parameters
    ----------
    path : Path
    frame : Object
    origin : (3,) array
        Point of the dataset frame that the points are relative to.

    Returns
    -------
    Object or None
        None if Blender cannot read the file.
    """
    known = set(bpy.data.objects)
    try:
        bpy.ops.wm.ply_import(filepath=str(path), forward_axis="Y", up_axis="Z")
    except RuntimeError:
        return None
    made = [item for item in bpy.data.objects if item not in known]
    if not made or not made[0].data.vertices:
        return None
    item = made[0]
    item.name = f"{frame[NAME]} points"
    item[POINTS] = True
    item.hide_render = item.hide_select = True
    for collection in item.users_collection:
        collection.objects.unlink(item)
    frame_collection(frame).objects.link(item)
    parent_to_frame(item, frame, moved(np.eye(4), origin))
    item.select_set(False)
    radius = RADIUS_FRACTION * float(np.ptp(frame_box(frame), axis=0).max())
    add_points_modifier(item, "Sparse Points", radius)
    return item
