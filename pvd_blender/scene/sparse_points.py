"""The sparse points of a capture, as an object in the 3D View."""

from pathlib import Path

import bpy
import numpy as np
from bpy.types import Material, NodeTree, Object

from .frame import NAME, frame_box, frame_collection, parent_to_frame
from .matrices import moved

POINTS = "pvd_points"
COLOR = "Col"
"""Name of the attribute into which Blender's importer of PLY files puts colours."""

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
    modifier = item.modifiers.new("Points", "NODES")
    modifier.node_group = _points_tree(radius)
    return item


def _points_tree(radius: float) -> NodeTree:
    """Return new nodes that draw each vertex as a point in its colour."""
    tree = bpy.data.node_groups.new("Sparse Points", "GeometryNodeTree")
    tree.interface.new_socket("Mesh", in_out="INPUT", socket_type="NodeSocketGeometry")
    tree.interface.new_socket("Points", in_out="OUTPUT", socket_type="NodeSocketGeometry")
    start, end = tree.nodes.new("NodeGroupInput"), tree.nodes.new("NodeGroupOutput")
    points = tree.nodes.new("GeometryNodeMeshToPoints")
    points.inputs["Radius"].default_value = radius
    shade = tree.nodes.new("GeometryNodeSetMaterial")
    shade.inputs["Material"].default_value = _material()
    for column, node in enumerate((start, points, shade, end)):
        node.location = (200 * column, 0)
    tree.links.new(start.outputs[0], points.inputs["Mesh"])
    tree.links.new(points.outputs[0], shade.inputs["Geometry"])
    tree.links.new(shade.outputs[0], end.inputs[0])
    return tree


def _material() -> Material:
    """Return a new material that emits the points' own colours."""
    material = bpy.data.materials.new("Sparse Points")
    if bpy.app.version < (5, 0, 0):
        material.use_nodes = True
    tree = material.node_tree
    tree.nodes.clear()
    color = tree.nodes.new("ShaderNodeAttribute")
    color.attribute_name = COLOR
    light, output = (tree.nodes.new(f"ShaderNode{k}") for k in ("Emission", "OutputMaterial"))
    tree.links.new(color.outputs["Color"], light.inputs["Color"])
    tree.links.new(light.outputs[0], output.inputs["Surface"])
    return material
