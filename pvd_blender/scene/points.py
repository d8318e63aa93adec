"""Nodes and material that draw the vertices of a mesh as points in their own colours."""

import bpy
from bpy.types import Material, NodeTree, Object

COLOR = "Col"
"""Name of the attribute into which Blender's importer of PLY files puts colours."""


def add_points_modifier(item: Object, name: str, radius: float | str) -> None:
    """Give an object nodes that draw each vertex as a point in its colour.

    Parameters
    ----------
    item : Object
        Its mesh has the colour attribute `COLOR`.
    name : str
        Name of the node group and of the material.
    radius : float or str
        Radius of all points in the object's units, or the attribute with that of each vertex.
    """
    modifier = item.modifiers.new("Points", "NODES")
    modifier.node_group = _points_tree(name, radius)


def _points_tree(name: str, radius: float | str) -> NodeTree:
    tree = bpy.data.node_groups.new(name, "GeometryNodeTree")
    tree.interface.new_socket("Mesh", in_out="INPUT", socket_type="NodeSocketGeometry")
    tree.interface.new_socket("Points", in_out="OUTPUT", socket_type="NodeSocketGeometry")
    start, end = tree.nodes.new("NodeGroupInput"), tree.nodes.new("NodeGroupOutput")
    points = tree.nodes.new("GeometryNodeMeshToPoints")
    if isinstance(radius, str):
        named = tree.nodes.new("GeometryNodeInputNamedAttribute")
        named.data_type = "FLOAT"
        named.inputs["Name"].default_value = radius
        named.location = (0, -200)
        tree.links.new(named.outputs["Attribute"], points.inputs["Radius"])
    else:
        points.inputs["Radius"].default_value = radius
    shade = tree.nodes.new("GeometryNodeSetMaterial")
    shade.inputs["Material"].default_value = _material(name)
    for column, node in enumerate((start, points, shade, end)):
        node.location = (200 * column, 0)
    tree.links.new(start.outputs[0], points.inputs["Mesh"])
    tree.links.new(points.outputs[0], shade.inputs["Geometry"])
    tree.links.new(shade.outputs[0], end.inputs[0])
    return tree


def _material(name: str) -> Material:
    """Return a new material that emits the points' own colours."""
    material = bpy.data.materials.new(name)
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
