"""Small parts of a field that float in the air, as an edit shape that erases them."""

from pathlib import Path

import bpy
import numpy as np
from bpy.types import Object

from ..engine.arrays import read_arrays
from ..errors import SceneError
from .edit_properties import shape_of
from .edit_shapes import mark_meshes
from .frame import frame_collection, frame_origin, parent_to_frame

FLOATERS = "pvd_floaters"
"""Custom property that marks the shape."""

MOST_CORNERS = 2_000_000
"""Most vertices and most triangles of the surface."""


def show_floaters(path: Path, frame: Object) -> Object | None:
    """Make the surface in the engine's ``.npz`` an edit shape, instead of an earlier one.

    Returns
    -------
    Object or None
        None if nothing floats.

    Raises
    ------
    ConvertFieldError
        When the file is not as it must be.
    """
    arrays = read_arrays(path, {"vertices": 3, "faces": 3}, MOST_CORNERS)
    vertices, faces = arrays["vertices"], arrays["faces"].astype(np.int64)
    # Blender takes any index of a corner, and crashes with a wrong one.
    if not (np.isfinite(vertices).all() and ((faces >= 0) & (faces < len(vertices))).all()):
        raise SceneError(f"The floaters in '{path}' are no surface; find them again.")
    position = None
    for earlier in [item for item in frame.children if FLOATERS in item]:
        position = shape_of(earlier).order
        bpy.data.objects.remove(earlier)
    if len(faces) == 0:
        return None
    mesh = bpy.data.meshes.new("Floaters")
    mesh.from_pydata((vertices - frame_origin(frame)).tolist(), [], faces.tolist())
    item = bpy.data.objects.new("Floaters", mesh)
    item[FLOATERS] = True
    frame_collection(frame).objects.link(item)
    parent_to_frame(item, frame)
    mark_meshes([item], "erase", frame)
    if position is not None:
        shape_of(item).order = position
    return item
