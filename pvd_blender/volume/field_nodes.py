"""The node group *Field Erase*: geometry nodes that remove density from a field's volume.

Any nodes can edit a field in this way (Blender 5.0 and later): get the grid ``density`` of the
volume, change it, store it under the same name. What Solid mode draws is the grid ``display``.
"""

import bpy
from bpy.types import NodeTree, Object

from .volume_file import DENSITY, DISPLAY

FIELD_ERASE = "Field Erase"
FIRST_VERSION = (5, 0, 0)
"""First Blender whose nodes can change a grid."""


def nodes_can_edit() -> bool:
    """Return whether this Blender's nodes can change a volume's grids."""
    return bpy.app.version >= FIRST_VERSION


def add_erase_modifier(volume: Object, box: Object) -> None:
    """Give a Volume object the modifier that erases its density in the cube of another object."""
    modifier = volume.modifiers.new(FIELD_ERASE, "NODES")
    modifier.node_group = field_erase()
    socket = next(
        item for item in modifier.node_group.interface.items_tree if item.name == "Erase In"
    )
    if hasattr(modifier, "properties"):  # Blender 5.2 and later
        getattr(modifier.properties.inputs, socket.identifier).value = box
    else:
        modifier[socket.identifier] = box
    volume.update_tag()


def field_erase() -> NodeTree:
    """Return the node group; a file without one gets it."""
    known = bpy.data.node_groups.get(FIELD_ERASE)
    if known is not None and known.bl_idname == "GeometryNodeTree":
        return known
    tree = bpy.data.node_groups.new(FIELD_ERASE, "GeometryNodeTree")
    tree.is_modifier = True
    tree.asset_mark()
    tree.asset_data.description = "Remove a field's density inside an object's cube"
    tree.interface.new_socket("Volume", in_out="INPUT", socket_type="NodeSocketGeometry")
    tree.interface.new_socket("Erase In", in_out="INPUT", socket_type="NodeSocketObject")
    tree.interface.new_socket("Volume", in_out="OUTPUT", socket_type="NodeSocketGeometry")
    start, end = _node(tree, "NodeGroupInput", 0, 0), _node(tree, "NodeGroupOutput", 12, 0)
    outside = _outside_cube(tree, start.outputs["Erase In"])
    erased = _multiplied(tree, start.outputs["Volume"], outside, DENSITY, 6)
    # Solid mode draws a grid of its own, where erased must be gone as well.
    erased = _multiplied(tree, erased, outside, DISPLAY, 9)
    tree.links.new(erased, end.inputs["Volume"])
    return tree


def _multiplied(
    tree: NodeTree,
    volume: bpy.types.NodeSocket,
    factor: bpy.types.NodeSocket,
    name: str,
    column: int,
) -> bpy.types.NodeSocket:
    """Add nodes that multiply a volume's grid, of numbers or colours; return the new volume."""
    get = _node(tree, "GeometryNodeGetNamedGrid", column, 1)
    store = _node(tree, "GeometryNodeStoreNamedGrid", column + 2, 0)
    if name == DENSITY:
        product = _node(tree, "ShaderNodeMath", column + 1, 0)
    else:
        product = _node(tree, "ShaderNodeVectorMath", column + 1, 0)
        get.data_type, store.data_type = "VECTOR", "VECTOR_FLOAT"
    product.operation = "MULTIPLY"
    for node in (get, store):
        node.inputs["Name"].default_value = name
    get.inputs["Remove"].default_value = False
    for source, target in (
        (volume, get.inputs["Volume"]),
        (get.outputs["Grid"], product.inputs[0]),
        (factor, product.inputs[1]),
        (get.outputs["Volume"], store.inputs["Volume"]),
        (product.outputs[0], store.inputs["Grid"]),
    ):
        tree.links.new(source, target)
    return store.outputs["Volume"]


def _outside_cube(tree: NodeTree, cube: bpy.types.NodeSocket) -> bpy.types.NodeSocket:
    """Add nodes that give 1 outside an object's cube [-1, 1]^3, else 0; return their output.

    Without an object, which may have been deleted, they give 1 everywhere. Its transform would be
    the identity then, but its scale is 0.
    """
    info = _node(tree, "GeometryNodeObjectInfo", 1, -1)
    info.transform_space = "RELATIVE"
    inverse = _node(tree, "FunctionNodeInvertMatrix", 2, -1)
    position = _node(tree, "GeometryNodeInputPosition", 2, -2)
    local = _node(tree, "FunctionNodeTransformPoint", 3, -1)
    size = _node(tree, "ShaderNodeVectorMath", 4, -1)
    size.operation = "ABSOLUTE"
    parts = _node(tree, "ShaderNodeSeparateXYZ", 4, -2)
    most = [_node(tree, "ShaderNodeMath", 5, -1 - row) for row in range(2)]
    for node in most:
        node.operation = "MAXIMUM"
    outside = _node(tree, "ShaderNodeMath", 6, -1)
    outside.operation = "GREATER_THAN"
    scale = _node(tree, "ShaderNodeVectorMath", 4, -4)
    scale.operation = "LENGTH"
    present = _node(tree, "ShaderNodeMath", 5, -4)
    present.operation = "GREATER_THAN"
    present.inputs[1].default_value = 0.0
    limit = _node(tree, "ShaderNodeMath", 6, -3)  # 1, or below all distances
    limit.operation = "MULTIPLY_ADD"
    limit.inputs[1].default_value, limit.inputs[2].default_value = 2.0, -1.0
    for source, target in (
        (cube, info.inputs["Object"]),
        (info.outputs["Transform"], inverse.inputs["Matrix"]),
        (position.outputs["Position"], local.inputs["Vector"]),
        (inverse.outputs["Matrix"], local.inputs["Transform"]),
        (local.outputs["Vector"], size.inputs[0]),
        (size.outputs["Vector"], parts.inputs[0]),
        (parts.outputs["X"], most[0].inputs[0]),
        (parts.outputs["Y"], most[0].inputs[1]),
        (most[0].outputs[0], most[1].inputs[0]),
        (parts.outputs["Z"], most[1].inputs[1]),
        (most[1].outputs[0], outside.inputs[0]),
        (info.outputs["Scale"], scale.inputs[0]),
        (scale.outputs["Value"], present.inputs[0]),
        (present.outputs[0], limit.inputs[0]),
        (limit.outputs[0], outside.inputs[1]),
    ):
        tree.links.new(source, target)
    return outside.outputs[0]


def _node(tree: NodeTree, kind: str, column: int, row: int) -> bpy.types.Node:
    node = tree.nodes.new(kind)
    node.location = (200 * column, 180 * row)
    return node
