"""Splat objects in a scene for tests: placed, cut, selected, seen and compared."""

import bpy
import numpy as np
import pytest
from mathutils import Euler, Matrix

from pvd_blender.splats import native
from pvd_blender.splats.objects import shown_splats

needs_native = pytest.mark.skipif(
    bpy.app.version < native.FIRST_VERSION, reason="this Blender has no splat objects"
)
PLACED = Matrix.LocRotScale((1, -2, 3), Euler((0.3, 0.8, -1.1)), (1.5, 1.5, 1.5))


def seen(*objects, frame=None):
    bpy.context.view_layer.update()
    return shown_splats(list(objects), bpy.context.evaluated_depsgraph_get(), frame)


def nearly_equal(first, second, tolerance=1e-4):
    size = np.abs(second.covariances()).max(axis=(1, 2), keepdims=True)
    return (
        np.allclose(first.centers, second.centers, atol=tolerance)
        and (np.abs(first.covariances() - second.covariances()) / size).max() < tolerance
        and np.allclose(first.opacities, second.opacities, atol=tolerance)
        and np.allclose(first.sh, second.sh, atol=tolerance)
    )


def select(*objects):
    for item in bpy.context.selected_objects:
        item.select_set(False)
    for item in objects:
        item.select_set(True)
        bpy.context.view_layer.objects.active = item


def keep_above(item, limit=0.0):
    """Geometry nodes that delete the points of an object below a height."""
    tree = bpy.data.node_groups.new("Keep Above", "GeometryNodeTree")
    tree.interface.new_socket("Geometry", in_out="INPUT", socket_type="NodeSocketGeometry")
    tree.interface.new_socket("Geometry", in_out="OUTPUT", socket_type="NodeSocketGeometry")
    start, end = tree.nodes.new("NodeGroupInput"), tree.nodes.new("NodeGroupOutput")
    delete = tree.nodes.new("GeometryNodeDeleteGeometry")
    position = tree.nodes.new("GeometryNodeInputPosition")
    parts = tree.nodes.new("ShaderNodeSeparateXYZ")
    below = tree.nodes.new("FunctionNodeCompare")
    below.operation = "LESS_THAN"
    below.inputs[1].default_value = limit
    for source, target in (
        (position.outputs[0], parts.inputs[0]),
        (parts.outputs["Z"], below.inputs[0]),
        (below.outputs[0], delete.inputs["Selection"]),
        (start.outputs[0], delete.inputs["Geometry"]),
        (delete.outputs[0], end.inputs[0]),
    ):
        tree.links.new(source, target)
    item.modifiers.new("Keep Above", "NODES").node_group = tree


def imported_by_blender(path):
    """The object that Blender's own importer makes of a file."""
    known = set(bpy.data.objects)
    bpy.ops.wm.ply_import(filepath=str(path))
    return next(item for item in bpy.data.objects if item not in known)
