"""Render a turntable of a field with the render engine PVD Field.

blender --background --python examples/animation.py -- lego --field lego.safetensors --out frames
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import bpy
from script_api import add_on_api, parse


def main() -> None:
    """Set up a turntable around the field and render it."""
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
    scene.render.resolution_x = scene.render.resolution_y = values.size
    api.turntable(frame, seconds=values.frames * scene.render.fps_base / scene.render.fps)
    scene.render.engine = "CONVERT_FIELD"
    scene.render.film_transparent = True
    scene.render.image_settings.file_format = "PNG"
    scene.render.image_settings.color_mode = "RGBA"
    api.use_standard_view(scene)
    scene.render.filepath = str(out / "frame_")
    bpy.ops.render.render(animation=True)


if __name__ == "__main__":
    main()
