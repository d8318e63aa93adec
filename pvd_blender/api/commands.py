"""``blender --command convert_field ...``: the steps on the command line."""

import argparse
from collections.abc import Sequence
from pathlib import Path

import bpy

from .. import api
from ..preferences import DEVICES
from ..splats.axes import AXES
from ..splats.native import is_splats
from ..state.engine_options import AUTO, JOINED, TARGETS, TRAINABLE, is_light, menu
from ..texts import say

COMMAND = "convert_field"
TEACHERS = ", ".join(name for name, _, _ in TRAINABLE)
STUDENTS = ", ".join(name for name, _, _ in TARGETS)
SEVERAL = f"or several of {', '.join(name for name, _, _ in JOINED)}, joined by +"
_handles: list[object] = []


def run_command(arguments: Sequence[str]) -> int:
    """Run one command line; return 0, or 1 after an error message on standard error."""
    values = _parser().parse_args(list(arguments))
    try:
        api.configure(values.engine_python, values.device, values.work_folder, values.memory)
        values.action(values)
    except api.ConvertFieldError as error:
        say(error, as_error=True)
        return 1
    return 0


def _check(_values: argparse.Namespace) -> None:
    say(api.check_engine())


def _import(values: argparse.Namespace) -> None:
    _empty_file()
    api.import_capture(values.capture)
    _save(values.save)


def _convert(values: argparse.Namespace) -> None:
    _empty_file()
    frame = api.import_capture(values.capture)
    limits = {"budget": values.budget, "steps": values.steps, "seed": values.seed}
    teacher = api.train(frame, values.teacher, preset=values.preset, **limits)
    student = api.convert(frame, values.to, preset=values.preset, **limits)
    shown = teacher if is_light(values.to) else student
    api.extract_volume(frame, shown, resolution=values.resolution)
    if values.splats:
        api.show_splats(frame, shown)
    _save(values.save)


def _save_splats(values: argparse.Namespace) -> None:
    _open(values.scene)
    known = {item.name: item for item in bpy.context.scene.objects}
    missing = sorted(set(values.object or ()) - set(known))
    if missing:
        raise api.ConvertFieldError(f"{values.scene} has no object '{missing[0]}' in its scene.")
    chosen = values.object or [name for name, item in known.items() if is_splats(item)]
    api.save_splats(values.file, [known[name] for name in chosen], axes=values.axes)


def _empty_file() -> None:
    bpy.ops.wm.read_homefile(use_empty=True)


def _open(path: Path) -> None:
    try:
        bpy.ops.wm.open_mainfile(filepath=str(path.absolute()), load_ui=False, use_scripts=False)
    except RuntimeError as error:
        raise api.ConvertFieldError(
            f"{path} cannot be opened ({str(error).strip()}); choose a .blend file."
        ) from error


def _save(path: Path) -> None:
    path = path.absolute()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        bpy.ops.wm.save_as_mainfile(filepath=str(path), compress=True)
    except (OSError, RuntimeError) as error:
        raise api.ConvertFieldError(
            f"{path} cannot be written ({error}); choose another file."
        ) from error
    say(f"Saved {path}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=f"blender --command {COMMAND}", description=__doc__)
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--engine-python", help="Python program of the engine's environment")
    common.add_argument(
        "--device", choices=[key for key, _, _ in DEVICES], help="device that trains and renders"
    )
    common.add_argument("--work-folder", help="folder for jobs, fields and volumes")
    common.add_argument(
        "--memory", type=float, help="GB that the work may take on the device; 0 for no limit"
    )
    verbs = parser.add_subparsers(required=True, metavar="ACTION")

    check = verbs.add_parser(
        "check", parents=[common], help="start the engine and print its versions"
    )
    check.set_defaults(action=_check)

    importing = verbs.add_parser(
        "import", parents=[common], help="import a capture and save a .blend file"
    )
    importing.add_argument("capture", type=Path, help="folder, or the file that lists its cameras")
    importing.add_argument("--save", type=Path, required=True, help="the .blend to write")
    importing.set_defaults(action=_import)

    convert = verbs.add_parser(
        "convert",
        parents=[common],
        help="train a teacher, convert it into a student, save a .blend file",
    )
    convert.add_argument("capture", type=Path, help="folder, or the file that lists its cameras")
    convert.add_argument("--teacher", default="hash", help=f"{TEACHERS}, {SEVERAL}; default: hash")
    convert.add_argument("--to", default="mlp", help=f"{STUDENTS}, {SEVERAL}; default: mlp")
    presets = [name for name, _, _ in menu("train", "preset") if name != AUTO]
    convert.add_argument("--preset", choices=presets, help="default: by device")
    limit = convert.add_mutually_exclusive_group()
    limit.add_argument("--budget", type=float, help="seconds for each of the two")
    limit.add_argument("--steps", type=int, help="steps for each of the two")
    convert.add_argument("--seed", type=int)
    convert.add_argument(
        "--resolution",
        type=int,
        help="voxels along the longest side of the volume",
    )
    convert.add_argument("--splats", action="store_true", help="show the field as splats, too")
    convert.add_argument("--save", type=Path, required=True, help="the .blend to write")
    convert.set_defaults(action=_convert)

    saving = verbs.add_parser(
        "save-splats", parents=[common], help="save the splat objects of a .blend file to one file"
    )
    saving.add_argument("scene", type=Path, help="the .blend")
    saving.add_argument(
        "file", type=Path, help="the file to write; ends in .ply, .spz, .glb or .splat"
    )
    saving.add_argument(
        "--object", action="append", help="name of an object; can be repeated; default: all splats"
    )
    saving.add_argument(
        "--axes",
        choices=list(AXES),
        default="BLENDER",
        help="axes of a .ply or .splat: Blender's, z up (default), or x right, y down, z forward",
    )
    saving.set_defaults(action=_save_splats)
    return parser


def register() -> None:
    """Register the command."""
    _handles.append(bpy.utils.register_cli_command(COMMAND, run_command))


def unregister() -> None:
    """Unregister it."""
    while _handles:
        bpy.utils.unregister_cli_command(_handles.pop())
