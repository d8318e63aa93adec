"""Train a field from a capture, convert it and save a .blend file, without a window.

blender --background --python examples/convert.py -- lego --to vm --budget 120 --save lego.blend
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import bpy
from script_api import add_on_api, parse


def main() -> None:
    """Import, train, convert, show the volume and save."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("capture", type=Path, help="a capture's folder or transforms.json")
    parser.add_argument("--teacher", default="hash", help="architecture to train")
    parser.add_argument("--to", default="mlp", help="architecture to convert to")
    parser.add_argument("--budget", type=float, help="seconds for each")
    parser.add_argument("--steps", type=int, help="steps for each, instead of seconds")
    parser.add_argument(
        "--resolution", type=int, default=128, help="voxels along the longest side of the volume"
    )
    parser.add_argument("--save", type=Path, required=True, help="the .blend to write")
    values = parse(parser)
    api = add_on_api(values.save.absolute().parent / "work")
    bpy.ops.wm.read_homefile(use_empty=True)
    frame = api.import_capture(values.capture)
    limits = {"budget": values.budget, "steps": values.steps}
    api.train(frame, values.teacher, **limits)
    student = api.convert(frame, values.to, **limits)
    if values.to != "light_field":
        api.extract_volume(frame, student, resolution=values.resolution)
    bpy.ops.wm.save_as_mainfile(filepath=str(values.save.absolute()))
    print(f"The field is {student}")


if __name__ == "__main__":
    main()
