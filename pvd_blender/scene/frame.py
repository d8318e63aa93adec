"""The capture's frame: one Empty per dataset, to which all its objects are parented.

Moving, turning or scaling the Empty moves the whole capture and nothing else. It keeps the values
of the dataset's files about their own frame, so that an export gives the original numbers back.
"""

import math

import bpy
import numpy as np
from bpy.types import Collection, Depsgraph, Object, ViewLayer

from ..errors import SceneError
from .matrices import moved, pose_in_frame, to_blender, to_numpy

CAPTURE = "pvd_capture"
"""Path of the capture; empty for fields that were made from no photographs."""

NAME = "pvd_name"
FORMAT = "pvd_format"
BOX = "pvd_box"
ORIGIN = "pvd_origin"
"""Point of the dataset frame that stands where the Empty is; without it, the dataset's origin."""

NEAR = 10
"""Distance from another capture's origin, in sizes of a capture, within which it is shared."""

APPLIED_TRANSFORM = "pvd_applied_transform"
OPTIONAL_FIELDS = {
    "aabb_scale": (),
    "scale": (),
    "offset": (3,),
    "applied_scale": (),
    "aabb": (2, 3),
}
"""Keys that a file may have, and the shapes of their values; () is one number."""

DISPLAY_FRACTION = 0.25
"""Size of the Empty, as a fraction of the longest side of the capture's box."""


def create_frame(capture: dict) -> Object:
    """Create the Empty of a capture in a collection of the capture's name.

    Parameters
    ----------
    capture : dict
        The output of ``pvd info --json`` for a capture.

    Returns
    -------
    Object
        The Empty ``<name> frame``, at the world's origin. A capture far from its own origin is
        moved there: ``pvd_origin`` (3 floats) is the point of the dataset frame at the Empty, the
        same for captures of one place. Other custom properties: ``pvd_capture``
        (path), ``pvd_name``, ``pvd_format``, ``pvd_box`` (minimum and maximum corner, 6 floats),
        ``pvd_applied_transform`` (12 floats, row by row), and where the file has them
        ``pvd_aabb_scale``, ``pvd_scale``, ``pvd_offset``, ``pvd_applied_scale`` and ``pvd_aabb``.
    """
    box = np.asarray(capture["box"], dtype=np.float64).reshape(2, 3)
    frame = bpy.data.objects.new(f"{capture['name']} frame", None)
    frame.empty_display_type = "PLAIN_AXES"
    frame.empty_display_size = DISPLAY_FRACTION * float(np.max(box[1] - box[0]))
    frame[CAPTURE] = str(capture["root"])
    frame[NAME] = capture["name"]
    frame[FORMAT] = capture["format"]
    frame[BOX] = box.ravel().tolist()
    if capture.get("origin") is not None:
        frame[ORIGIN] = _shared_origin(box, np.asarray(capture["origin"])).tolist()
    _keep_file_frame(frame, capture["frame"])
    collection = bpy.data.collections.new(capture["name"])
    bpy.context.scene.collection.children.link(collection)
    collection.objects.link(frame)
    return frame


def create_bare_frame(name: str, box: np.ndarray, matrix: np.ndarray) -> Object:
    """Create the Empty of fields that were made from no photographs, as `create_frame` does.

    Parameters
    ----------
    name : str
    box : (2, 3) array
        Corners of what the fields show, their dataset frame.
    matrix : (4, 4) array
        From that frame to Blender's world.
    """
    nothing = {"applied_transform": np.eye(4)[:3]}
    known = {"name": name, "root": "", "format": "", "box": box, "frame": nothing}
    frame = create_frame(known)
    frame.matrix_world = to_blender(matrix)
    return frame


def has_photographs(frame: Object) -> bool:
    """Return whether a frame is that of a capture with photographs."""
    return bool(frame[CAPTURE])


def _shared_origin(box: np.ndarray, own: np.ndarray) -> np.ndarray:
    """Return the origin of a capture that is near enough to this one, or its own."""
    size = float(np.linalg.norm(box[1] - box[0]))
    for item in bpy.data.objects:
        if is_frame(item) and ORIGIN in item:
            other = frame_origin(item)
            if np.linalg.norm(other - own) <= NEAR * size:
                return other
    return own


def frame_origin(item: Object) -> np.ndarray:
    """Return the point of the dataset frame at the origin of a frame, or of a field's volume.

    Raises
    ------
    SceneError
        The object does not hold it as it must be.
    """
    return np.array(_kept(item, ORIGIN, (3,))) if ORIGIN in item else np.zeros(3)


def _keep_file_frame(frame: Object, values: dict) -> None:
    applied = np.asarray(values["applied_transform"], dtype=np.float64)[:3]
    frame[APPLIED_TRANSFORM] = applied.ravel().tolist()
    for key, shape in OPTIONAL_FIELDS.items():
        value = values.get(key)
        if value is not None:
            flat = np.asarray(value, dtype=np.float64).ravel().tolist()
            frame[f"pvd_{key}"] = flat if shape else flat[0]


def file_frame(frame: Object) -> dict:
    """Return the values about the frame that the dataset's own file has.

    Raises
    ------
    SceneError
        When the frame does not hold them as they must be.
    """
    values: dict = {"applied_transform": _kept(frame, APPLIED_TRANSFORM, (3, 4))}
    for key, shape in OPTIONAL_FIELDS.items():
        if f"pvd_{key}" in frame:
            values[key] = _kept(frame, f"pvd_{key}", shape)
    return values


def _kept(frame: Object, key: str, shape: tuple[int, ...]) -> list | float:
    """Return numbers that a frame keeps, as nested lists of a shape."""
    try:
        numbers = np.asarray(frame[key], dtype=np.float64).reshape(shape)
    except (KeyError, TypeError, ValueError):  # a file can hold anything there
        numbers = np.array(np.nan)
    if not np.isfinite(numbers).all():
        raise SceneError(
            f"'{frame.name}' has lost the values of its capture's files; import the capture again."
        )
    return numbers.tolist()


def is_frame(item: Object | None) -> bool:
    """Return whether an object is the frame of a capture."""
    if item is None or item.type != "EMPTY" or CAPTURE not in item:
        return False
    # A file can hold anything there.
    return all(isinstance(item.get(key), str) for key in (CAPTURE, NAME)) and _has_box(item)


def _has_box(item: Object) -> bool:
    box = item.get(BOX)
    try:
        return len(box) == 6 and all(map(math.isfinite, box))
    except TypeError:
        return False


def frame_of(item: Object | None) -> Object | None:
    """Return the frame that an object is, or is parented to at any depth, or None."""
    while item is not None and not is_frame(item):
        item = item.parent
    return item


def frame_collection(frame: Object) -> Collection:
    """Return the collection of a capture: the one its frame is linked to."""
    if not frame.users_collection:
        raise SceneError(f"'{frame.name}' is in no collection; link it to the scene.")
    return frame.users_collection[0]


def view_layer_of(item: Object) -> ViewLayer:
    """Return the view layer that shows an object: the active one, or one of the object's scene."""
    active = bpy.context.view_layer
    if item.name in active.objects or not item.users_scene:
        return active
    return item.users_scene[0].view_layers[0]


def frame_box(frame: Object) -> np.ndarray:
    """Return the capture's box, (2, 3) float64, dataset frame."""
    return np.array(frame[BOX], dtype=np.float64).reshape(2, 3)


def parent_to_frame(item: Object, frame: Object, matrix: np.ndarray | None = None) -> None:
    """Parent an object to the frame without an offset.

    Parameters
    ----------
    item : Object
    frame : Object
    matrix : (4, 4) array, optional
        The object's pose in the dataset frame; without it the pose stays.
    """
    item.parent = frame
    item.matrix_parent_inverse.identity()
    if matrix is not None:
        item.matrix_basis = to_blender(moved(matrix, -frame_origin(frame)))


def dataset_matrix(item: Object, frame: Object, depsgraph: Depsgraph | None = None) -> np.ndarray:
    """Return an object's matrix in the dataset frame, (4, 4) float64.

    With a depsgraph, the matrix that it has evaluated; without one, the object's own.
    """
    if depsgraph is not None:
        item, frame = item.evaluated_get(depsgraph), frame.evaluated_get(depsgraph)
    local = np.linalg.inv(to_numpy(frame.matrix_world)) @ to_numpy(item.matrix_world)
    return moved(local, frame_origin(frame))


def dataset_pose(world: np.ndarray, frame: Object, name: str) -> np.ndarray:
    """Return a camera's camera-to-world matrix (4, 4) of Blender's world in the dataset frame.

    Raises
    ------
    SceneError
        As `pose_in_frame`.
    """
    return moved(pose_in_frame(world, to_numpy(frame.matrix_world), name), frame_origin(frame))
