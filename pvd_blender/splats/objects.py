"""Objects that show splats: Blender's own, or points in a Blender without them."""

import bpy
import numpy as np
from bpy.types import Depsgraph, Object

from ..errors import SceneError
from ..scene.frame import ORIGIN, frame_box, frame_collection, frame_origin, parent_to_frame
from ..scene.matrices import moved, to_numpy
from .cloud import Splats
from .display import display_data, draw_as_points
from .native import has_native_splats, native_data, splats_of

DECIMALS = 12
"""Decimals that matrices are rounded to, so that an object that was not moved keeps its bits."""


COARSE = 1e-4
"""Step between positions, as a fraction of the capture's box, from which on it is noticed."""


def show_splats(
    splats: Splats, name: str, frame: Object | None = None, known: Object | None = None
) -> Object:
    """Show splats as an object.

    Parameters
    ----------
    splats : Splats
        Dataset frame; without a frame, the object's own space.
    name : str
    frame : Object, optional
        Frame of the capture; without one, the object stands in the active collection.
    known : Object, optional
        Object that is to show the splats instead of what it shows, if it can; its transform and
        its modifiers stay.

    Returns
    -------
    Object
    """
    if frame is not None and ORIGIN in frame:
        centers = (splats.centers - frame_origin(frame)).astype(np.float32)
        splats = Splats(centers, *splats.parts()[1:])
    native = has_native_splats()
    data = native_data(splats, name) if native else display_data(splats, name)
    kind = "POINTCLOUD" if native else "MESH"
    if known is not None and known.users_scene and known.type == kind:
        before, known.data = known.data, data
        if not before.users:
            bpy.data.batch_remove([before])
        return known
    item = bpy.data.objects.new(name, data)
    if not native:
        draw_as_points(item)
    if frame is None:
        bpy.context.collection.objects.link(item)
        return item
    frame_collection(frame).objects.link(item)
    parent_to_frame(item, frame)
    if ORIGIN in frame:  # kept here too, for when it has no parent any more
        item[ORIGIN] = frame_origin(frame).tolist()
    return item


def shown_splats(
    objects: list[Object], depsgraph: Depsgraph, frame: Object | None = None
) -> tuple[Splats, list[str]]:
    """Return the splats that objects show, in the dataset frame of a capture or Blender's world.

    Returns and raises what `splats_of` does, and a SceneError where the frame has no size.
    """
    if frame is None:
        return splats_of(objects, depsgraph)
    world = to_numpy(frame.evaluated_get(depsgraph).matrix_world)
    if np.linalg.det(world) == 0:
        raise SceneError(f"'{frame.name}' has a scale of zero; give it another one.")
    inverse, origin = np.linalg.inv(world), frame_origin(frame)

    def placed(world: np.ndarray) -> np.ndarray:
        return moved(np.round(inverse @ world, DECIMALS), origin)

    splats, notes = splats_of(objects, depsgraph, placed)
    return splats, notes + precision_notes(frame)


def precision_notes(frame: Object) -> list[str]:
    """Return the note that a ``.ply`` is coarse where a capture stands far from its origin."""
    step = float(np.spacing(np.float32(np.abs(frame_origin(frame)).max())))
    if step < COARSE * np.ptp(frame_box(frame), axis=0).max():
        return []
    return [
        f"The capture stands far from its origin, where splats have positions in steps of {step:g}."
    ]
