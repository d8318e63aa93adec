"""Edit shapes: objects of the scene that mark the part of a field that an edit changes.

A box or a sphere is an Empty, so it never shows in renders; any closed mesh (or curve, text,
metaball: anything with a closed surface after its modifiers) can be marked as a shape as well.
"""

import uuid
from collections.abc import Iterable

import bpy
import numpy as np
from bpy.types import Depsgraph, Object, ViewLayer
from mathutils import Vector

from ..errors import SceneError
from .edit_meshes import box_of_mesh, closed_mesh, sphere_mesh
from .edit_properties import OPERATIONS, PLACING, shape_of
from .frame import dataset_matrix, frame_box, frame_collection, frame_of, view_layer_of
from .matrices import apply, to_numpy, uniform_scale
from .placement import add_target, remove_target, target_placement

OPERATION_NAMES = {key: name for key, name, _ in OPERATIONS}
EMPTY_DISPLAYS = {"box": "CUBE", "sphere": "SPHERE"}
MESH = "mesh"
SURFACE_TYPES = ("MESH", "CURVE", "SURFACE", "META", "FONT")
NEW_SIZE_FRACTION = 0.125
"""Size of a new shape, as a fraction of the capture's box."""

SMALLEST_SIDE = 1e-9
"""Side of a cube below whose volume a shape counts as flat, dataset units."""


def add_shape(
    op: str,
    shape: str,
    location: tuple[float, float, float],
    frame: Object,
    target: Object | None = None,
) -> Object:
    """Add a box or a sphere to a capture.

    Parameters
    ----------
    op : str
        A key of `OPERATION_NAMES`: ``"erase"``, ``"keep"``, ``"move"``, ...
    shape : str
        ``"box"`` or ``"sphere"``.
    location : 3 floats
        World space.
    frame : Object
        The capture's frame, to which the shape is parented.
    target : Object, optional
        Object that the content of a shape that moves or duplicates goes to.

    Returns
    -------
    Object
        An Empty that shows [-1, 1]^3 or the unit sphere, scaled to an eighth of the capture's
        box; move, turn and scale it as any object. One that moves or duplicates gets an Empty as
        its target, unless one is given.
    """
    _require_operation(op)
    if shape not in EMPTY_DISPLAYS:
        raise SceneError(f"There is no shape '{shape}'; use one of {', '.join(EMPTY_DISPLAYS)}.")
    item = new_empty(f"{OPERATION_NAMES[op]} {shape}", EMPTY_DISPLAYS[shape], location, frame)
    shape_of(item).target = target
    _mark(item, op, shape, frame)
    return item


def new_empty(
    name: str, display: str, location: tuple[float, float, float], frame: Object
) -> Object:
    """Return a new Empty of a capture, an eighth of its box in size, at a world position."""
    item = bpy.data.objects.new(name, None)
    item.empty_display_type = display
    item.empty_display_size = 1.0
    frame_collection(frame).objects.link(item)
    item.parent = frame
    item.matrix_parent_inverse.identity()
    item.location = frame.matrix_world.inverted_safe() @ Vector(location)
    item.scale = (NEW_SIZE_FRACTION * float(np.max(np.diff(frame_box(frame), axis=0))),) * 3
    return item


def mark_meshes(objects: Iterable[Object], op: str, frame: Object) -> None:
    """Make objects with a closed surface edit shapes of a capture.

    They are then drawn as wires and left out of renders.

    Raises
    ------
    SceneError
        When one of them has no closed surface; none is marked then.
    """
    _require_operation(op)
    items = list(objects)
    bpy.context.view_layer.update()
    depsgraph = bpy.context.evaluated_depsgraph_get()
    for item in items:
        _mesh_region(item, frame, depsgraph)
    for item in items:
        item.display_type = "WIRE"
        item.hide_render = True
        _mark(item, op, MESH, frame)


def unmark(item: Object) -> None:
    """Make an object a plain object again; a marked mesh is drawn and rendered as before."""
    values = shape_of(item)
    remove_target(item)
    if values.form == MESH:
        item.display_type = "TEXTURED"
        item.hide_render = False
    values.form = values.uid = ""
    values.frame = None


def remove_shape(item: Object) -> None:
    """Delete a box or sphere with its target; make a marked mesh a plain object again."""
    if shape_of(item).form == MESH:
        unmark(item)
    else:
        remove_target(item)
        bpy.data.objects.remove(item)


def _mark(item: Object, op: str, form: str, frame: Object) -> None:
    values = shape_of(item)
    values.op, values.form, values.frame = op, form, frame
    values.uid = uuid.uuid4().hex
    if op in PLACING and values.target is None:
        add_target(item)


def _require_operation(op: str) -> None:
    if op not in OPERATION_NAMES:
        raise SceneError(f"There is no edit '{op}'; use one of {', '.join(OPERATION_NAMES)}.")


def give_identities() -> None:
    """Give every shape an identity of its own; a copy of a shape comes with that of the shape."""
    known = set()
    # Of two with one identity the older one keeps it.
    for item in sorted(filter(is_shape, bpy.data.objects), key=lambda item: item.session_uid):
        values = shape_of(item)
        if not values.uid or values.uid in known:
            values.uid = uuid.uuid4().hex
        known.add(values.uid)


def is_shape(item: Object | None) -> bool:
    """Return whether an object is an edit shape."""
    return item is not None and bool(shape_of(item).form)


def edit_shapes(
    frame: Object, view_layer: ViewLayer | None = None, with_off: bool = False
) -> list[Object]:
    """Return a capture's shapes by name, the order in which they are applied.

    A copy of a shape is a shape as well. Shapes that are switched off in the viewport (by the
    screen icon or their collection's checkbox) are left out; hiding one with the eye changes
    nothing.

    Parameters
    ----------
    frame : Object
    view_layer : ViewLayer, optional
        The view layer that shows the shapes; without it, the active one, or the first one of the
        frame's own scene if the active one does not have the frame.
    with_off : bool
        Include shapes that are switched off by the screen icon.
    """
    present = (view_layer or view_layer_of(frame)).objects
    return sorted(
        (
            item
            for item in present
            if is_shape(item)
            and (with_off or not item.hide_viewport)
            and (shape_of(item).frame or frame_of(item)) == frame
        ),
        key=lambda item: item.name,
    )


def collect_edits(frame: Object, depsgraph: Depsgraph | None = None) -> list[dict]:
    """Return a capture's shapes as the content of an ``edits.json``, in the dataset frame.

    Parameters
    ----------
    frame : Object
    depsgraph : Depsgraph, optional
        The depsgraph of a render that has evaluated the shapes; without it, that of the window.

    Returns
    -------
    list of dict
        ``{"id": ..., "op": ..., "region": ...}`` where the region is ``{"box": {"matrix"}}`` with
        a 4x4 matrix from [-1, 1]^3, ``{"sphere": {"center", "radius"}}``, or ``{"mesh":
        {"vertices", "faces"}}`` with triangles that face outwards; with ``"to"``, ``"factor"`` or
        ``"color"`` where the operation needs it, and ``"soft"`` where the edge is soft.

    Raises
    ------
    SceneError
        When a shape encloses no volume, is not closed, or has no proper target; it is named.
    """
    if depsgraph is None:
        give_identities()
        view_layer = view_layer_of(frame)
        view_layer.update()
        depsgraph = view_layer.depsgraph
    return [_edit(item, frame, depsgraph) for item in edit_shapes(frame, depsgraph.view_layer)]


def _edit(item: Object, frame: Object, depsgraph: Depsgraph) -> dict:
    values = shape_of(item)
    entry: dict = {
        "id": values.uid, "op": values.op, "region": _region(item, frame, depsgraph),
    }  # fmt: skip
    if values.op in PLACING:
        entry["to"] = target_placement(item, frame, depsgraph).tolist()
    elif values.op == "scale_density":
        entry["factor"] = values.factor
    elif values.op == "tint":
        entry["color"] = list(values.color)
    if values.soft > 0:
        entry["soft"] = values.soft / _frame_scale(frame)
    return entry


def _frame_scale(frame: Object) -> float:
    """Return the number of scene units in a dataset unit."""
    scale = uniform_scale(to_numpy(frame.matrix_world))
    if scale is None:
        raise SceneError(
            "The capture's frame is stretched, so a soft edge has no single width; give the frame "
            "one scale on all axes, or set Soft Edge to 0."
        )
    return scale


def _region(item: Object, frame: Object, depsgraph: Depsgraph) -> dict:
    matrix = dataset_matrix(item, frame, depsgraph)
    if abs(np.linalg.det(matrix[:3, :3])) < SMALLEST_SIDE**3:
        raise SceneError(f"'{item.name}' is flat; scale it up on every axis, or delete it.")
    if item.type != "EMPTY":
        return _mesh_region(item, frame, depsgraph)
    # An Empty shows its form at its display size, which the user may have changed.
    matrix = matrix @ np.diag([item.empty_display_size] * 3 + [1.0])
    if item.empty_display_type == "CUBE":
        return {"box": {"matrix": matrix.tolist()}}
    if item.empty_display_type != "SPHERE":
        raise SceneError(
            f"'{item.name}' is neither a cube nor a sphere; set its Display As to one of them."
        )
    radius = uniform_scale(matrix)
    if radius is not None:
        return {"sphere": {"center": matrix[:3, 3].tolist(), "radius": radius}}
    vertices, faces = sphere_mesh()
    return _mesh(apply(matrix, vertices), faces, np.linalg.det(matrix[:3, :3]) < 0)


def _mesh_region(item: Object, frame: Object, depsgraph: Depsgraph) -> dict:
    if item.type not in SURFACE_TYPES:
        raise SceneError(f"'{item.name}' has no surface; use a mesh, or a box or sphere shape.")
    vertices, faces = closed_mesh(item, depsgraph)
    matrix = dataset_matrix(item, frame, depsgraph)
    box = box_of_mesh(vertices)
    if box is not None:
        return {"box": {"matrix": (matrix @ box).tolist()}}
    return _mesh(apply(matrix, vertices), faces, np.linalg.det(matrix[:3, :3]) < 0)


def _mesh(vertices: np.ndarray, faces: np.ndarray, mirrored: bool) -> dict:
    if mirrored:
        faces = faces[:, ::-1]
    return {"mesh": {"vertices": vertices.tolist(), "faces": faces.tolist()}}
