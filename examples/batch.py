"""Train and convert every capture in a folder; a failure does not stop the others.

blender --background --python examples/batch.py -- captures --to vm --budget 120 --out fields
"""

import argparse
import shutil
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import bpy
from script_api import add_on_api, parse


def main() -> None:
    """Train and convert one capture after the other, and print each result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("captures", type=Path, help="a folder with a folder for each capture")
    parser.add_argument("--to", default="vm", help="architecture to convert to")
    parser.add_argument("--budget", type=float, help="seconds for each field")
    parser.add_argument("--steps", type=int, help="steps for each field, instead of seconds")
    parser.add_argument("--out", type=Path, required=True, help="folder for the field files")
    values = parse(parser)
    api = add_on_api(values.out.absolute() / "work")
    values.out.mkdir(parents=True, exist_ok=True)
    limits = {"budget": values.budget, "steps": values.steps}
    failed = 0
    for folder in sorted(path for path in values.captures.iterdir() if path.is_dir()):
        bpy.ops.wm.read_homefile(use_empty=True)
        try:
            frame = api.import_capture(folder)
            api.train(frame, "hash", **limits)
            field = api.convert(frame, values.to, report=False, **limits)
        except (api.ConvertFieldError, api.SceneError) as error:
            failed += 1
            print(f"{folder.name}: {error}")
            continue
        made = values.out / f"{folder.name}.safetensors"
        shutil.copyfile(field, made)
        print(f"{folder.name}: {made}")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
