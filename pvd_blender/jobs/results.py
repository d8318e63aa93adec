"""Results of jobs in the scene: objects, fields, volumes and pictures."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import bpy
from bpy.types import Object

from ..engine.job_folder import Request, safe_name
from ..errors import ConvertFieldError
from ..scene.cameras import SPLITS, import_cameras
from ..scene.crop_box import create_crop_box
from ..scene.floaters import show_floaters
from ..scene.frame import NAME, create_frame
from ..scene.sparse_points import import_points
from ..state.engine_options import AUTO, is_light, menu
from ..state.properties import (
    NO_MEASURE,
    FieldItem,
    compared_with,
    find_field,
    find_frame,
    frame_state,
    list_field,
)
from ..volume.vdb import missing_color_note
from ..volume.volume import create_volume_object, show_file, write_volume, writer
from .tasks import Task, extracting
from .windows import hide_relationship_lines, show_image

MANY_CAMERAS = 12
"""Number of cameras above which their relationship lines are switched off."""

PREVIEWS = "previews"
"""Folder in a job folder with pictures of the field while it is made."""


@dataclass(frozen=True)
class Outcome:
    """The outcome of a task.

    Attributes
    ----------
    value : object
        Value that the function of `api` returns: an Object, an Image or a Path.
    message : str
        One sentence for the user.
    next_task : Task or None
        The task that follows, if the user wants one.
    """

    value: object
    message: str
    next_task: Task | None = None


def finish(request: Request, folder: Path, result: dict) -> Outcome:
    """Put the result of a job into the scene.

    Parameters
    ----------
    request : Request
        The job's request.
    folder : Path
        The job's folder.
    result : dict
        ``outputs``, the values that the verb returned, and ``metrics``, its measurements.
    """
    return _FINISHERS[request.verb](request, folder, result)


def follow_up(request: Request) -> tuple[list[str], dict[str, str]] | None:
    """Return the command that runs after a job has ended well, and the variables that it needs."""
    return writer(Path(request.arguments["out"])) if request.verb == "volume" else None


def _finish_info(request: Request, folder: Path, result: dict) -> Outcome:
    capture = result["outputs"].get("capture")
    if not isinstance(capture, dict):
        raise ConvertFieldError(
            f"{request.arguments['path']} is no capture; choose a capture's folder."
        )
    wanted = request.client.get("splits", SPLITS)
    views = [view for view in capture["views"] if view["split"] in wanted]
    if not views:
        raise ConvertFieldError(
            f"{capture['name']} has no cameras of the chosen splits; choose other splits."
        )
    frame = create_frame(capture)
    cameras = import_cameras(capture | {"views": views}, frame, folder.parent)
    create_crop_box(capture, frame)
    notes = list(capture["notes"])
    points = capture.get("points_path")
    if points and request.client.get("points", True) and import_points(Path(points), frame) is None:
        notes.append(f"Blender cannot read the sparse points in {points}.")
    counts = ", ".join(
        f"{count} {split}"
        for split, count in capture["counts"].items()
        if count and split in wanted
    )
    state = frame_state(frame)
    state.downscale = str(request.client.get("downscale") or AUTO)
    state.summary = f"{len(cameras)} camera{'s' * (len(cameras) != 1)}: {counts}"
    state.notes = "\n".join(notes)
    state.scene_found = _scene_found(capture["scene"])
    bpy.context.scene.convert_field.frame = frame
    if len(cameras) > MANY_CAMERAS:
        hide_relationship_lines()
    return Outcome(frame, f"Imported {capture['name']} with {state.summary}")


def _scene_found(scene: dict) -> str:
    labels = {kind: label for kind, label, _ in menu("train", "scene")}
    return f"{labels[scene['kind']]}: {scene['reason']}"


def _finish_field(role: str, made: str) -> Callable[[Request, Path, dict], Outcome]:
    def finish_one(request: Request, folder: Path, result: dict) -> Outcome:
        frame = _frame_of(request)
        path = request.arguments["out"]
        kind = "LIGHT" if is_light(request.arguments.get("to", "")) else role
        item = find_field(frame, path) or list_field(frame, path, kind)
        item.path = path  # a view that shows it takes in the new file
        item.parent = request.arguments.get("field", "")
        item.architecture = request.arguments.get("to") or request.arguments.get("arch") or ""
        item.seconds = float(result["outputs"].get("seconds", NO_MEASURE))
        psnr = _quality(result)
        item.psnr = NO_MEASURE if psnr is None else psnr
        item.report = result["outputs"].get("report") or ""
        pictures = sorted((folder / PREVIEWS).glob("*.png"))
        item.picture = str(pictures[-1]) if pictures else ""
        message = f"{made} '{item.name}'"
        if psnr is not None:
            message += f", PSNR to {compared_with(item.role)} {psnr:.1f} dB"
        sentences = filter(None, (_with_warnings(message, result), request.client.get("note")))
        return Outcome(Path(path), ". ".join(sentences), _volume_next(request, frame))

    return finish_one


def _finish_volume(request: Request, folder: Path, _result: dict) -> Outcome:
    frame = _frame_of(request)
    source = request.arguments["field"]
    item = find_field(frame, source)
    name = f"{frame[NAME]} {item.name if item else Path(source).stem}"
    path = write_volume(Path(request.arguments["out"]), folder.parent / "volumes", safe_name(name))
    volume = item.volume if item else None
    if volume is not None and volume.type == "VOLUME" and volume.users_scene:
        show_file(volume.data, path)
    else:
        volume = create_volume_object(path, frame, name)
    volume.convert_field.shown_field = source
    if item is not None:
        item.volume = volume
        show_only(frame, item)
    for replaced in map(bpy.data.objects.get, request.client.get("replaces", ())):
        if replaced is not None and replaced != volume:
            _hide(replaced, True)
    done = f"Extracted the volume of '{item.name if item else source}'"
    note = missing_color_note()
    return Outcome(volume, done if note is None else f"{done}. {note}")


def _finish_floaters(request: Request, _folder: Path, result: dict) -> Outcome:
    shape = show_floaters(Path(request.arguments["out"]), _frame_of(request))
    if shape is None:
        return Outcome(None, "Nothing floats in the air around the field's large parts")
    parts, fraction = result["outputs"]["parts"], result["outputs"]["fraction"]
    count = "1 part floats" if parts == 1 else f"{parts} parts float"
    percentage = "less than 0.01 %" if 0 < fraction < 1e-4 else f"{100 * fraction:.2f} %"
    return Outcome(
        shape, f"{count}, {percentage} of the density; the edit shape '{shape.name}' erases them"
    )


def _finish_render(request: Request, _folder: Path, result: dict) -> Outcome:
    name = _field_name(request, request.arguments["field"])
    image = _made_picture(request, f"{name} from {request.client['camera']}")
    return Outcome(image, _with_warnings(f"Rendered '{image.name}'", result))


def _finish_compare(request: Request, _folder: Path, result: dict) -> Outcome:
    first, second = (_field_name(request, request.arguments[k]) for k in ("reference", "field"))
    image = _made_picture(request, f"{first} and {second} from {request.client['camera']}")
    psnr = result["outputs"].get("psnr")
    figure = "they are equal" if psnr is None else f"a PSNR of {psnr:.1f} dB"
    return Outcome(image, f"'{first}', '{second}' and their difference: {figure}")


def _field_name(request: Request, path: str) -> str:
    frame = find_frame(request.client["frame"])
    item = find_field(frame, path) if frame else None
    return item.name if item else Path(path).stem


def _made_picture(request: Request, name: str) -> bpy.types.Image:
    """Load the engine's picture as an image, and show it in open image editors."""
    path = Path(request.arguments["out"]) / request.client["picture"]
    if not path.is_file():
        raise ConvertFieldError(f"The engine rendered no picture at {path}; render again.")
    image = bpy.data.images.load(str(path))
    image.name = name
    image.alpha_mode = "STRAIGHT"
    show_image(image)
    return image


def _with_warnings(message: str, result: dict) -> str:
    """Return a message with the engine's warnings after it."""
    return ". ".join([message, *map(str, result["outputs"].get("warnings") or ())])


_FINISHERS = {
    "info": _finish_info,
    "train": _finish_field("TEACHER", "Trained"),
    "edit": _finish_field("EDITED", "Made"),
    "merge": _finish_field("MERGED", "Made"),
    "convert": _finish_field("STUDENT", "Made"),
    "volume": _finish_volume,
    "floaters": _finish_floaters,
    "render": _finish_render,
    "compare": _finish_compare,
}


def _quality(result: dict) -> float | None:
    """Return the PSNR in dB: of a student to its source, or of a teacher to a validation image."""
    psnr = result["outputs"].get("psnr_to_teacher", result["metrics"].get("psnr"))
    return float(psnr) if isinstance(psnr, int | float) else None


def _frame_of(request: Request) -> Object:
    frame = find_frame(request.client["frame"])
    if frame is None:
        raise ConvertFieldError(
            f"The capture is no longer in this file; the result is {request.arguments['out']}."
        )
    return frame


def _volume_next(request: Request, frame: Object) -> Task | None:
    resolution = request.client.get("volume_resolution")
    if not resolution:
        return None
    device = request.arguments.get("device", "auto")
    source, replaces = Path(request.arguments["out"]), request.client.get("replaces", ())
    return extracting(frame, source, resolution, device, replaces)


def show_only(frame: Object, shown: FieldItem) -> None:
    """Show a field's volume and no other one of the capture, since densities would add up."""
    for item in frame.convert_field.fields:
        if item.volume is not None and item.volume.users_scene:
            _hide(item.volume, item.volume != shown.volume)


def _hide(item: Object, hidden: bool) -> None:
    item.hide_viewport = hidden
    item.hide_render = hidden
