"""Edit a field by script: erase a box, tint a sphere, convert the result.

blender --background --python examples/edit.py -- lego --field teacher.safetensors --out edited
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import bpy
from mathutils import Vector
from script_api import add_on_api, parse


def main() -> None:
    """Add shapes to a capture, apply them, convert, and render before and after."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("capture", type=Path, help="a capture's folder or transforms.json")
    parser.add_argument("--field", type=Path, required=True, help="a field of that capture")
    parser.add_argument("--to", default="vm", help="architecture to convert to")
    parser.add_argument(
        "--steps", type=int, help="steps of the conversion, instead of three minutes"
    )
    parser.add_argument("--out", type=Path, required=True, help="folder for pictures and fields")
    values = parse(parser)
    out = values.out.absolute()
    api = add_on_api(out / "work")
    bpy.ops.wm.read_homefile(use_empty=True)
    frame = api.import_capture(values.capture)
    box = Vector(frame["pvd_box"][3:]) - Vector(frame["pvd_box"][:3])
    middle = Vector(frame["pvd_box"][:3]) + box / 2
    erased = api.add_shape(frame, "erase", "box", location=middle + Vector((0, 0, box.z / 2)))
    erased.scale = (box.x, box.y, box.z / 3)
    api.add_shape(frame, "tint", "sphere", location=middle, color=(1.0, 0.5, 0.5), soft=box.x / 20)
    field = values.field.absolute()
    edited = api.apply_edits(frame, field)
    student = api.convert(frame, values.to, field=edited, steps=values.steps, report=False)
    camera = next(item for item in frame.children if item.type == "CAMERA")
    for name, shown in (("before", field), ("edited", edited), (values.to, student)):
        api.render(frame, camera, shown).save(filepath=str(out / f"{name}.png"))
    print(f"The fields are {edited} and {student}")


if __name__ == "__main__":
    main()
