"""Small parts of a field that float in the air, as an edit shape that erases them."""

from pathlib import Path

import bpy
import numpy as np
from bpy.types import Object

from ..errors import SceneError
from .edit_shapes import mark_meshes
from .frame import frame_collection, parent_to_frame

FLOATERS = "pvd_floaters"
"""Custom property that marks the shape."""


def show_floaters(path: Path, frame: Object) -> Object | None:
    """Make the surface in the engine's ``.npz`` an edit shape, instead of an earlier one.

    Returns
    -------
    Object or None
        None if nothing floats.

    Raises
    ------
    SceneError
        When the file cannot be read.
    """
    try:
        with np.load(path, allow_pickle=False) as arrays:
            vertices, faces = arrays["vertices"], arrays["faces"]
    except (OSError, KeyError, ValueError) as error:
        raise SceneError(f"The floaters in '{path}' cannot be read ({error}).") from error
    for earlier in [item for item in frame.children if FLOATERS in item]:
        bpy.data.objects.remove(earlier)
    if len(faces) == 0:
        return None
    mesh = bpy.data.meshes.new("Floaters")
    mesh.from_pydata(vertices.tolist(), [], faces.tolist())
    item = bpy.data.objects.new("Floaters", mesh)
    item[FLOATERS] = True
    frame_collection(frame).objects.link(item)
    parent_to_frame(item, frame, np.eye(4))
    mark_meshes([item], "erase", frame)
    return item
