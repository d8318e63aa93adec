"""Results of jobs in the scene: objects, fields, volumes and pictures."""

from collections.abc import Callable
from pathlib import Path

import bpy
import numpy as np
from bpy.types import Object

from ..engine.checked import Checked, file_inside, is_file
from ..engine.job import LONGEST_SECONDS, MOST_DECIBEL
from ..engine.job_folder import Request, safe_name
from ..errors import ConvertFieldError
from ..scene.cameras import SPLITS, import_cameras
from ..scene.crop_box import create_crop_box
from ..scene.floaters import show_floaters
from ..scene.frame import NAME, create_frame, frame_origin
from ..scene.sparse_points import import_points
from ..state.displays import hide, show_only
from ..state.engine_options import AUTO, is_light, menu
from ..state.figures import SOURCE_TO_IMAGES, checked_figures, known_figures, store
from ..state.properties import (
    IMAGE_SIZES,
    NO_MEASURE,
    find_field,
    find_frame,
    frame_state,
    list_field,
)
from ..texts import FIGURES, decibel, joined
from ..volume.vdb import missing_color_note
from ..volume.volume import create_volume_object, show_file, write_volume, writer
from .capture_result import read_capture
from .outcome import Ended, Outcome, frame_of_job, with_warnings
from .splat_results import finish_export, finish_import
from .tasks import Task, capture_work_folder, extracting
from .windows import hide_relationship_lines, show_image

MANY_CAMERAS = 12
"""Number of cameras above which their relationship lines are switched off."""

PREVIEWS = "previews"
"""Folder in a job folder with pictures of the field while it is made."""

MOST_REPLACED = 1000
LARGEST_RESOLUTION = 2048
"""Most voxels along the longest side of a volume that follows from a job."""


FAR_AWAY = (
    "The capture stands {:,.0f} units from its origin, where Blender would place nothing exactly. "
    "So it is shown around Blender's origin; edits and exports have the files' own numbers"
)


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

    Raises
    ------
    ConvertFieldError
        When the result is not as it must be, or its capture is no longer in the file.
    """
    if request.verb not in _FINISHERS:
        raise ConvertFieldError(f"The add-on has no step '{request.verb}'; start the step again.")
    blame = f"{folder} is not a job of this add-on, start the step again"
    return _FINISHERS[request.verb](
        Ended(
            folder,
            Checked(request.arguments, blame),
            Checked(request.client, blame),
            Checked(result).part("outputs"),
            Checked(result).part("metrics"),
        )
    )


def follow_up(request: Request) -> tuple[list[str], dict[str, str]] | None:
    """Return the command that runs after a job has ended well, and the variables that it needs."""
    if request.verb != "volume":
        return None
    frame = find_frame(str(request.client.get("frame", "")))
    origin = np.zeros(3) if frame is None else frame_origin(frame)
    return writer(Path(request.arguments["out"]), origin)


def _finish_info(job: Ended) -> Outcome:
    if "capture" not in job.outputs:
        raise ConvertFieldError(
            f"{job.arguments.path('path')} is no capture; choose a capture's folder."
        )
    capture = read_capture(job.outputs.part("capture"))
    wanted = job.client.texts("splits", len(SPLITS)) if "splits" in job.client else SPLITS
    views = [view for view in capture["views"] if view["split"] in wanted]
    if not views:
        raise ConvertFieldError(
            f"{capture['name']} has no cameras of the chosen splits; choose other splits."
        )
    scene_found = _scene_found(capture["scene"])
    frame = create_frame(capture)
    cameras = import_cameras(capture | {"views": views}, frame, capture_work_folder(frame))
    create_crop_box(capture, frame)
    notes = list(capture["notes"])
    points = capture["points_path"]
    origin = np.zeros(3) if capture["origin"] is None else np.asarray(capture["origin"])
    if capture["origin"] is not None:
        notes.append(FAR_AWAY.format(np.linalg.norm(origin)))
    if points and job.client.flag("points", True) and not _shows_points(points, frame, origin):
        notes.append(f"Blender cannot read the sparse points in {points}.")
    counts = ", ".join(
        f"{count} {split}"
        for split, count in capture["counts"].items()
        if count and split in wanted
    )
    state = frame_state(frame)
    state.downscale = _image_size(job.client)
    state.summary = f"{len(cameras)} camera{'s' * (len(cameras) != 1)}: {counts}"
    state.notes = "\n".join(notes)
    state.scene_found = scene_found
    state.linear_light = capture["linear_light"]
    bpy.context.scene.convert_field.frame = frame
    if len(cameras) > MANY_CAMERAS:
        hide_relationship_lines()
    return Outcome(frame, f"Imported {capture['name']} with {state.summary}")


def _shows_points(path: str, frame: Object, origin: np.ndarray) -> bool:
    return is_file(path) and import_points(Path(path), frame, origin) is not None


def _image_size(client: Checked) -> str:
    size = client.whole("downscale", None)
    known = [key for key, _, _ in IMAGE_SIZES]
    return str(size) if str(size) in known else AUTO


def _scene_found(scene: dict) -> str:
    labels = {kind: label for kind, label, _ in menu("train", "scene")}
    return f"{labels.get(scene['kind'], scene['kind'])}: {scene['reason']}"


def _finish_field(role: str, made: str) -> Callable[[Ended], Outcome]:
    def finish_one(job: Ended) -> Outcome:
        frame = frame_of_job(job)
        path = str(job.out)
        to, arch = job.arguments.text("to", ""), job.arguments.text("arch", "")
        seconds = job.outputs.number("seconds", NO_MEASURE, 0.0, LONGEST_SECONDS)
        figures, report = (
            checked_figures(job.outputs.part("figures")),
            job.outputs.path("report", ""),
        )
        parent = "" if "field" not in job.arguments else job.field
        item = find_field(frame, path) or list_field(frame, path, "LIGHT" if is_light(to) else role)
        item.path = path  # a view that shows it takes in the new file
        item.parent = parent
        item.architecture = to or arch
        item.seconds = seconds
        for key in FIGURES:
            store(getattr(item, key), figures[key])
        _measure_source(frame, parent, figures[SOURCE_TO_IMAGES])
        item.report = report if report and file_inside(job.folder, report, ".html") else ""
        pictures = sorted((job.folder / PREVIEWS).glob("*.png"))
        item.picture = str(pictures[-1]) if pictures else ""
        message = f"{made} '{item.name}'"
        for label, psnr, views in known_figures(item):
            message += f", {label} {psnr}{views and f' ({views})'}"
        message = joined([with_warnings(message, job), job.client.text("note", "")])
        return Outcome(Path(path), message, _volume_next(job, frame))

    return finish_one


def _measure_source(frame: Object, path: str, figure: Checked | None) -> None:
    """Take in what a student's report measured of its source."""
    source = find_field(frame, path)
    if source is not None and figure is not None:
        store(source.psnr_to_images, figure)


def _finish_volume(job: Ended) -> Outcome:
    frame, source = frame_of_job(job), job.field
    item = find_field(frame, source)
    name = f"{frame[NAME]} {item.name if item else Path(source).stem}"
    path = write_volume(
        job.out, job.folder.parent / "volumes", safe_name(name), frame_origin(frame)
    )
    volume = item.volume if item else None
    if volume is not None and volume.type == "VOLUME" and volume.users_scene:
        show_file(volume.data, path)
    else:
        volume = create_volume_object(path, frame, name)
    volume.convert_field.shown_field = source
    if item is not None:
        item.volume = volume
        show_only(frame, volume)
    for replaced in map(bpy.data.objects.get, job.client.texts("replaces", MOST_REPLACED)):
        if replaced is not None and replaced != volume:
            hide(replaced, True)
    done = f"Extracted the volume of '{item.name if item else source}'"
    note = missing_color_note()
    return Outcome(volume, done if note is None else f"{done}. {note}")


def _finish_floaters(job: Ended) -> Outcome:
    frame = frame_of_job(job)
    parts = job.outputs.whole("parts", 0)
    fraction = job.outputs.number("fraction", 0.0, 0.0, 1.0)
    shape = show_floaters(job.out, frame)
    if shape is None:
        return Outcome(None, "Nothing floats in the air around the field's large parts")
    count = "1 part floats" if parts == 1 else f"{parts} parts float"
    percentage = "less than 0.01 %" if 0 < fraction < 1e-4 else f"{100 * fraction:.2f} %"
    return Outcome(
        shape, f"{count}, {percentage} of the density; the edit shape '{shape.name}' erases them"
    )


def _finish_render(job: Ended) -> Outcome:
    if job.client.flag("film", False):
        return _finish_film(job)
    name = _field_name(job, job.field)
    image = _made_picture(job, f"{name} from {job.client.text('camera')}")
    return Outcome(image, with_warnings(f"Rendered '{image.name}'", job))


def _finish_film(job: Ended) -> Outcome:
    frames = job.outputs.whole("frames")
    seconds = job.outputs.number("seconds", low=0.0)
    if not is_file(job.out):
        raise ConvertFieldError(f"There is no film at {job.out}; render it again.")
    done = f"Rendered {frames} frames, {seconds:.1f} s, into {job.out}"
    return Outcome(job.out, joined([with_warnings(done, job), job.client.text("note", "")]))


def _finish_compare(job: Ended) -> Outcome:
    first, second = (_field_name(job, job.arguments.path(key)) for key in ("reference", "field"))
    psnr = job.outputs.number("psnr", None, -MOST_DECIBEL, MOST_DECIBEL)
    image = _made_picture(job, f"{first} and {second} from {job.client.text('camera')}")
    done = f"'{first}', '{second}' and their difference"
    if psnr is None:
        return Outcome(image, f"{done}: they are equal")
    label = FIGURES["psnr_to_source"] if _is_source(job) else f"PSNR to '{first}'"
    views = job.outputs.text("measured_on", "1 view")
    return Outcome(image, f"{done}: {label} {decibel(psnr)} ({views})")


def _is_source(job: Ended) -> bool:
    """Return whether a field was compared with the one that it was made from."""
    frame = find_frame(job.client.text("frame"))
    item = find_field(frame, job.field) if frame else None
    return item is not None and item.parent == job.arguments.path("reference")


def _field_name(job: Ended, path: str) -> str:
    frame = find_frame(job.client.text("frame"))
    item = find_field(frame, path) if frame else None
    return item.name if item else Path(path).stem


def _made_picture(job: Ended, name: str) -> bpy.types.Image:
    """Load the engine's picture as an image, and show it in open image editors."""
    path = file_inside(job.folder, job.out / job.client.path("picture"), ".png")
    if path is None:
        raise ConvertFieldError(f"The engine rendered no picture in {job.out}; render again.")
    image = bpy.data.images.load(str(path))
    image.name = name
    image.alpha_mode = "STRAIGHT"
    show_image(image)
    return image


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
    "export": finish_export,
    "import": finish_import,
}


def _volume_next(job: Ended, frame: Object) -> Task | None:
    resolution = job.client.whole("volume_resolution", 0, high=LARGEST_RESOLUTION)
    if not resolution:
        return None
    computing = {
        "device": job.arguments.text("device", "auto"),
        "memory": job.arguments.number("memory", None),
    }
    replaces = job.client.texts("replaces", MOST_REPLACED)
    return extracting(frame, job.out, resolution, computing, replaces)
