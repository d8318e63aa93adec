"""A field among Blender's own objects: two renders combined by depth in the compositor."""

import bpy
from bpy.types import NodeTree, Scene

ENGINE = "CONVERT_FIELD"
"""Identifier of the render engine that renders fields."""

FIELD_SCENE = "pvd_field_scene"
"""Custom property of a scene: the scene that renders its field."""


def combine_by_depth(scene: Scene) -> Scene:
    """Combine a scene's objects and its field in its renders, where the nearer one hides the other.

    A second scene renders the field; the compositor takes the nearer pixel of both pictures. The
    nodes that the first scene has in its compositor are replaced.

    Parameters
    ----------
    scene : Scene
        The scene whose own engine renders its objects.

    Returns
    -------
    Scene
        The second one.
    """
    other = scene.get(FIELD_SCENE)
    if not isinstance(other, Scene) or other.name not in bpy.data.scenes:
        other = scene.copy()
        other.name = f"{scene.name} Field"
        scene[FIELD_SCENE] = other
    other.render.engine = ENGINE
    other.render.film_transparent = True
    for layer in (*scene.view_layers, *other.view_layers):
        layer.use_pass_z = True
    tree, end = _emptied_tree(scene)
    combined = _zcombine(tree)
    for row, source in enumerate((scene, other)):
        layers = tree.nodes.new("CompositorNodeRLayers")
        layers.scene = source
        layers.location = (-600, -400 * row)
        # Picture and depth of the first, then of the second; their names differ between versions.
        tree.links.new(layers.outputs["Image"], combined.inputs[2 * row])
        tree.links.new(layers.outputs["Depth"], combined.inputs[2 * row + 1])
    tree.links.new(combined.outputs[0], end)
    return other


def _emptied_tree(scene: Scene) -> tuple[NodeTree, bpy.types.NodeSocket]:
    """Return a scene's compositor with nothing but its output, and the output's socket.

    From Blender 5.0 on it is a node group of its own, from 5.3 on the group of an effect.
    """
    if bpy.app.version < (5, 0, 0):
        scene.use_nodes = True
        tree = scene.node_tree
        tree.nodes.clear()
        output = tree.nodes.new("CompositorNodeComposite")
    else:
        tree = bpy.data.node_groups.new(f"{scene.name} with field", "CompositorNodeTree")
        tree.interface.new_socket("Image", in_out="OUTPUT", socket_type="NodeSocketColor")
        output = tree.nodes.new("NodeGroupOutput")
        if bpy.app.version < (5, 3, 0):
            scene.compositing_node_group = tree
        else:
            scene.compositor_effects.clear()
            scene.compositor_effects.new("Combine with Field").node_group = tree
    output.location = (200, 0)
    return tree, output.inputs["Image"]


def _zcombine(tree: NodeTree) -> bpy.types.Node:
    node = tree.nodes.new("CompositorNodeZcombine")
    node.location = (-200, 0)
    if hasattr(node, "use_alpha"):
        node.use_alpha = True
    else:
        node.inputs["Use Alpha"].default_value = True
    return node
