"""A field among Blender's own objects: two renders combined by depth in the compositor.

A second scene renders the field. Blender renders it with the first one, at that one's size and
frame but by its own settings, so `follow` gives it those of the first scene before each render.
"""

import contextlib
from collections.abc import Iterable

import bpy
from bpy.types import Collection, LayerCollection, Node, NodeSocket, NodeTree, Scene

from ..errors import SceneError

ENGINE = "CONVERT_FIELD"
"""Identifier of the render engine that renders fields."""

FIELD_SCENE = "pvd_field_scene"
"""Custom property of a scene: the scene that renders its field."""

FOLLOWED = (
    "resolution_x",
    "resolution_y",
    "resolution_percentage",
    "pixel_aspect_x",
    "pixel_aspect_y",
    "use_border",
    "use_crop_to_border",
    "border_min_x",
    "border_max_x",
    "border_min_y",
    "border_max_y",
    "frame_map_old",
    "frame_map_new",
)
"""Render settings that decide on the size of the picture and the time that it shows."""


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
    other = field_scene(scene)
    if other is None:
        other = scene[FIELD_SCENE] = bpy.data.scenes.new(f"{scene.name} Field")
        other.view_layers[0].update()  # from Blender 5.2 on it lacks its collections until then
    follow(scene)
    for layer in scene.view_layers:
        layer.use_pass_z = True
    tree, end = _emptied_tree(scene)
    tree.links.new(
        _nearer_over_farther(tree, _layers(tree, scene, 0), _layers(tree, other, 1)), end
    )
    return other


def field_scene(scene: Scene) -> Scene | None:
    """Return the scene that renders a scene's field in its renders, or None."""
    other = scene.get(FIELD_SCENE)
    return other if isinstance(other, Scene) and other.name in bpy.data.scenes else None


def follow(scene: Scene) -> None:
    """Give the scene that renders a scene's field the same camera, size, objects and capture."""
    other = field_scene(scene)
    if other is None:
        return
    _set(other.render, "engine", ENGINE)
    _set(other.render, "film_transparent", True)
    for name in FOLLOWED:
        _set(other.render, name, getattr(scene.render, name))
    _set(other, "camera", scene.camera)
    for name in ("frame", "live_edits"):
        _set(other.convert_field, name, getattr(scene.convert_field, name))
    _follow_markers(scene, other)
    _follow_objects(scene.collection, other.collection)
    for layer in other.view_layers:
        _set(layer, "use_pass_z", True)
        _follow_exclusions(scene.view_layers[0].layer_collection, layer.layer_collection)


def _set(owner: object, name: str, value: object) -> None:
    """Set a property unless it has the value: setting it would mean a new evaluation."""
    if getattr(owner, name) != value:
        setattr(owner, name, value)


def _follow_markers(source: Scene, target: Scene) -> None:
    """Give a scene the markers of another one that change its camera."""
    wanted, present = (
        [(marker.frame, marker.camera) for marker in scene.timeline_markers if marker.camera]
        for scene in (source, target)
    )
    if wanted != present:
        target.timeline_markers.clear()
        for frame, camera in wanted:
            target.timeline_markers.new(camera.name, frame=frame).camera = camera


def _follow_objects(source: Collection, target: Collection) -> None:
    """Link to a scene's own collection what another scene's has, and nothing else."""
    for members in ("objects", "children"):
        wanted, present = (set(getattr(item, members)) for item in (source, target))
        for item in wanted - present:
            getattr(target, members).link(item)
        for item in present - wanted:
            getattr(target, members).unlink(item)


def _follow_exclusions(source: LayerCollection, target: LayerCollection) -> None:
    """Exclude from a view layer the collections that another one excludes."""
    for child in source.children:
        twin = target.children.get(child.name)
        if twin is not None:
            _set(twin, "exclude", child.exclude)
            _follow_exclusions(child, twin)


def _emptied_tree(scene: Scene) -> tuple[NodeTree, bpy.types.NodeSocket]:
    """Return a scene's compositor with nothing but its output, and the output's socket.

    From Blender 5.0 on it is a node group of its own, from 5.3 on the group of an effect.
    """
    kind = "NodeGroupOutput"
    if bpy.app.version < (5, 0, 0):
        kind = "CompositorNodeComposite"
        scene.use_nodes = True
        tree = scene.node_tree
    else:
        name = f"{scene.name} with field"
        tree = bpy.data.node_groups.get(name)
        if tree is None or tree.bl_idname != "CompositorNodeTree":
            tree = bpy.data.node_groups.new(name, "CompositorNodeTree")
            tree.interface.new_socket("Image", in_out="OUTPUT", socket_type="NodeSocketColor")
        if bpy.app.version < (5, 3, 0):
            scene.compositing_node_group = tree
        else:
            scene.compositor_effects.clear()
            scene.compositor_effects.new("Combine with Scene").node_group = tree
    tree.nodes.clear()
    output = tree.nodes.new(kind)
    output.location = (200, 0)
    return tree, output.inputs["Image"]


def _layers(tree: NodeTree, scene: Scene, row: int) -> Node:
    layers = _node(tree, -800, -400 * row, "CompositorNodeRLayers")
    layers.scene = scene
    return layers


def _nearer_over_farther(tree: NodeTree, first: Node, second: Node) -> NodeSocket:
    """Add nodes that lay the nearer of two pictures over the other one; return their output.

    Blender's own node *Z Combine* multiplies colours by their alpha once more, so that it darkens
    what is half transparent.
    """
    nearer = _node(tree, -500, -200, "ShaderNodeMath", "CompositorNodeMath")
    nearer.operation = "LESS_THAN"
    for layers, socket in zip((second, first), nearer.inputs, strict=False):
        tree.links.new(layers.outputs["Depth"], socket)
    mixed = _node(tree, 0, 0, "ShaderNodeMix", "CompositorNodeMixRGB")
    if hasattr(mixed, "data_type"):
        mixed.data_type = "RGBA"
    factor = next(socket for socket in mixed.inputs if socket.enabled and socket.type == "VALUE")
    tree.links.new(nearer.outputs[0], factor)
    for (below, above), target in zip(
        ((second, first), (first, second)), _colors(mixed.inputs), strict=True
    ):
        over = _node(tree, -250, -200 if above == second else 200, "CompositorNodeAlphaOver")
        for layers, socket in zip((below, above), _colors(over.inputs), strict=True):
            tree.links.new(layers.outputs["Image"], socket)
        tree.links.new(over.outputs[0], target)
    return next(socket for socket in mixed.outputs if socket.enabled)


def _colors(sockets: Iterable[NodeSocket]) -> list[NodeSocket]:
    """Return the sockets of colours; their names and places differ between versions."""
    return [socket for socket in sockets if socket.enabled and socket.type == "RGBA"]


def _node(tree: NodeTree, x: float, y: float, *kinds: str) -> Node:
    """Add a node of the first kind that this Blender's compositor has."""
    for kind in kinds:
        with contextlib.suppress(RuntimeError):
            node = tree.nodes.new(kind)
            node.location = (x, y)
            return node
    raise SceneError(f"This Blender has no compositor node {kinds[0]}; use a later version.")


@bpy.app.handlers.persistent
def _follow_all(*_arguments: object) -> None:
    for scene in bpy.data.scenes:
        if FIELD_SCENE in scene:
            follow(scene)


HANDLERS = (bpy.app.handlers.render_init, bpy.app.handlers.render_pre)


def register() -> None:
    """Follow before each render, and before each frame of an animation."""
    for handlers in HANDLERS:
        handlers.append(_follow_all)


def unregister() -> None:
    """Stop following."""
    for handlers in HANDLERS:
        handlers.remove(_follow_all)
