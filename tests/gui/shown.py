"""What the 3D View shows follows the scene: the photograph, a script's changes, Solid mode."""

from collections.abc import Iterator
from pathlib import Path

import bpy
import numpy as np
from in_blender import Window


def steps(window: Window) -> Iterator[float]:
    """Render a field in the view, then change the scene as scripts do."""
    yield from window.install()
    window.use_engine()
    api = window.module("api")
    nodes = window.module("volume.field_nodes").nodes_can_edit()
    scene = bpy.context.scene
    for item in list(scene.objects):
        bpy.data.objects.remove(item)
    frame = api.import_capture(window.job["capture"])
    api.train(frame, "hash", preset="small", steps=window.job["steps"])
    api.add_shape(frame, "erase", "box", location=(0, 0, 0)).scale = (9, 9, 9)
    api.apply_edits(frame)
    scene.convert_field.show_volume = False
    api.look_through(next(item for item in frame.children if item.type == "CAMERA"))
    window.view.show_region_ui = False
    window.view.shading.type = "SOLID"
    yield 1.0
    photo = window.picture("photo")
    scene.render.engine = "CONVERT_FIELD"
    _whiten(scene)
    window.view.shading.type = "RENDERED"
    yield 15.0
    erased = window.picture("rendered_erased")
    window.values["photo_shines_through"] = _colourfulness(erased)
    window.values["photo_itself"] = _colourfulness(photo)
    # A script selects the unedited field; the shape is not shown on it.
    scene.convert_field.live_edits = False
    frame.convert_field.active_field = 0
    yield 15.0
    whole = window.picture("rendered_whole")
    window.values["changed_by_script"] = _difference(erased, whole)
    window.view.shading.type = "SOLID"
    yield 2.0
    window.values["photo_is_back"] = scene.camera.data.show_background_images
    frame.hide_set(True)
    for item in frame.children:
        item.hide_set(item.type != "VOLUME")
    api.extract_volume(frame, resolution=64)
    window.view.region_3d.view_perspective = "PERSP"
    yield 2.0
    before = window.picture("solid_before")
    window.values["nodes"] = nodes
    if nodes:
        box = api.add_field_erase(frame, (0, 0, 0))
        box.scale = (9, 9, 9)
        box.hide_set(True)
        yield 2.0
        after = window.picture("solid_after")
        window.values["erased_in_solid"] = _difference(before, after)


def _whiten(scene: bpy.types.Scene) -> None:
    """Give a scene a white world, of another brightness than the view's own background."""
    scene.world = bpy.data.worlds.new("White")
    scene.world.color = (1, 1, 1)
    for node in scene.world.node_tree.nodes if scene.world.node_tree else ():
        if node.type == "BACKGROUND":
            node.inputs["Color"].default_value = (1, 1, 1, 1)


def _middle(path: Path) -> np.ndarray:
    """Return a picture's middle, without the panels, as (H, W, 3) in [0, 1]."""
    image = bpy.data.images.load(str(path))
    width, height = image.size
    pixels = np.array(image.pixels[:], np.float32).reshape(height, width, -1)[..., :3]
    bpy.data.images.remove(image)
    return pixels[height // 3 : 2 * height // 3, width // 4 : width // 2]


def _colourfulness(path: Path) -> float:
    return float(np.ptp(_middle(path), axis=-1).mean())


def _difference(one: Path, other: Path) -> float:
    return float(np.abs(_middle(one) - _middle(other)).mean())
