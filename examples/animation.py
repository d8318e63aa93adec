"""Render a turntable of a field with the render engine PVD Field.

blender --background --python examples/animation.py -- lego --field lego.safetensors --out frames
"""

import argparse
import math
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import bpy
from mathutils import Vector
from script_api import add_on_api, parse


def main() -> None:
    """Set up a turntable about the capture's box and render it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("capture", type=Path, help="a capture's folder or transforms.json")
    parser.add_argument("--field", type=Path, required=True, help="a field of that capture")
    parser.add_argument("--frames", type=int, default=48, help="frames of one turn")
    parser.add_argument(
        "--size", type=int, default=400, help="width and height of a frame in pixels"
    )
    parser.add_argument("--out", type=Path, required=True, help="folder for the pictures")
    values = parse(parser)
    out = values.out.absolute()
    api = add_on_api(out / "work")
    bpy.ops.wm.read_homefile(use_empty=True)
    scene = bpy.context.scene
    frame = api.import_capture(values.capture)
    api.add_field(frame, values.field.absolute())
    low, high = Vector(frame["pvd_box"][:3]), Vector(frame["pvd_box"][3:])
    turntable(scene, (low + high) / 2, (high - low).length, values.frames)
    scene.render.engine = "CONVERT_FIELD"
    scene.render.film_transparent = True
    scene.render.resolution_x = scene.render.resolution_y = values.size
    scene.render.image_settings.file_format = "PNG"
    scene.render.image_settings.color_mode = "RGBA"
    api.use_standard_view(scene)
    scene.render.filepath = str(out / "frame_")
    bpy.ops.render.render(animation=True)


def turntable(scene: bpy.types.Scene, middle: Vector, size: float, frames: int) -> None:
    """Make a new camera circle a point once, and look at it from slightly above."""
    pivot = bpy.data.objects.new("Pivot", None)
    pivot.location = middle
    camera = bpy.data.objects.new("Turntable", bpy.data.cameras.new("Turntable"))
    camera.parent = pivot
    camera.location = (0.0, -1.1 * size, 0.5 * size)
    camera.rotation_euler = (math.atan2(1.1, 0.5), 0.0, 0.0)
    for item in (pivot, camera):
        scene.collection.objects.link(item)
    for number, turn in ((1, 0.0), (frames + 1, 2 * math.pi)):
        pivot.rotation_euler.z = turn
        pivot.keyframe_insert("rotation_euler", frame=number)
    linear(pivot)
    scene.camera = camera
    scene.frame_start, scene.frame_end = 1, frames


def linear(item: bpy.types.Object) -> None:
    """Make an object turn evenly; Blender's versions keep the curves in different places."""
    action = item.animation_data.action
    if hasattr(action, "fcurves"):
        curves = action.fcurves
    else:
        curves = action.layers[0].strips[0].channelbag(item.animation_data.action_slot).fcurves
    for curve in curves:
        for point in curve.keyframe_points:
            point.interpolation = "LINEAR"


if __name__ == "__main__":
    main()
