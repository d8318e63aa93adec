"""What each step asks of the engine, and what becomes of the answer in the scene.

A `Task` is plain values: what the engine is asked goes into the job folder together with what the
add-on needs to know when the answer comes, so that a job can be resumed by another Blender.
"""

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import bpy
from bpy.types import Object, Scene

from .engine.job_folder import (
    Request,
    next_folder,
    read_request,
    safe_name,
    unfinished_folders,
    write_request,
)
from .errors import ConvertFieldError
from .properties import (
    ARCHITECTURES,
    NO_MEASURE,
    FieldItem,
    active_field,
    find_field,
    find_frame,
    frame_state,
)
from .scene.cameras import camera_to_dict, import_cameras
from .scene.crop_box import create_crop_box
from .scene.edit_shapes import collect_edits
from .scene.frame import CAPTURE, NAME, create_frame, is_frame
from .scene.volume import create_volume_object, write_volume
from .version import VERSION

MANY_CAMERAS = 12
ARCHITECTURE_NAMES = {key: name for key, name, _ in ARCHITECTURES}


@dataclass(frozen=True)
class Task:
    """One step.

    Attributes
    ----------
    label : str
        What the user reads while it runs.
    capture_name : str
        Its job folder is made below the work folder under this name.
    verb : str
        The engine's verb.
    arguments : dict
        JSON values by the name of the command's option.
    outputs : dict of str to str
        Arguments that are paths of files in the job folder.
    inputs : dict of str to JSON value
        Arguments that are paths of JSON files, which are written into the job folder.
    client : dict
        What the add-on needs when the answer comes.
    folder : Path or None
        The job folder, of a job that is resumed.
    """

    label: str
    capture_name: str
    verb: str
    arguments: dict = field(default_factory=dict)
    outputs: dict[str, str] = field(default_factory=dict)
    inputs: dict[str, object] = field(default_factory=dict)
    client: dict = field(default_factory=dict)
    folder: Path | None = None

    def prepare(self, work_folder: Path) -> tuple[Path, Request]:
        """Return the task's job folder, made and filled unless the task is resumed."""
        if self.folder is not None:
            return self.folder, read_request(self.folder)
        folder = next_folder(capture_folder(work_folder, self.capture_name), self.verb)
        arguments = {key: value for key, value in self.arguments.items() if value is not None}
        for key, name in self.outputs.items():
            arguments[key] = str(folder / name)
        for key, content in self.inputs.items():
            path = folder / f"{key}.json"
            path.write_text(json.dumps(content, allow_nan=False), encoding="utf-8")
            arguments[key] = str(path)
        labels = {"label": self.label, "capture_name": self.capture_name}
        request = Request(self.verb, arguments, self.client | labels)
        write_request(folder, request, VERSION)
        return folder, request


@dataclass(frozen=True)
class Outcome:
    """What a task came to.

    Attributes
    ----------
    value : object
        What the function of `api` returns: an Object, an Image, a Path or a dict.
    message : str
        One sentence for the user.
    next_task : Task or None
        What follows, where the user asked for it.
    """

    value: object
    message: str
    next_task: Task | None = None


@dataclass(frozen=True)
class FieldSettings:
    """How a field is made.

    Attributes
    ----------
    architecture : str
        ``"hash"``, ``"mlp"`` or ``"sparse_tensor"``.
    preset : str or None
        ``"small"`` or ``"full"``; None leaves it to the engine: small on a CPU, full on a GPU.
    budget : float or None
        Seconds.
    steps : int or None
        Instead of the budget.
    seed : int
    """

    architecture: str
    preset: str | None = None
    budget: float | None = None
    steps: int | None = None
    seed: int = 0

    def arguments(self) -> dict:
        """Return the engine's arguments but for the architecture, whose name differs by verb."""
        if self.budget is not None and self.steps is not None:
            raise ConvertFieldError("Give a budget or a number of steps, not both.")
        return {
            "preset": self.preset,
            "budget": None if self.budget is None else f"{self.budget:g}s",
            "steps": self.steps,
            "seed": self.seed,
        }


def capture_folder(work_folder: Path, capture_name: str) -> Path:
    """Return the folder of a capture's jobs."""
    return work_folder / safe_name(capture_name)


def importing(path: Path) -> Task:
    """Read a capture's files."""
    name = path.stem if path.suffix == ".json" and path.stem != "transforms" else path.name
    name = path.parent.name if path.name.startswith("transforms") else name
    return Task(f"Import {name}", name, "info", {"path": str(path)})


def training(
    frame: Object, settings: FieldSettings, device: str, volume_resolution: int | None = None
) -> Task:
    """Train a teacher from the capture's images."""
    arguments = settings.arguments() | {
        "capture": frame[CAPTURE],
        "arch": settings.architecture,
        "device": device,
    }
    return Task(
        f"Train {ARCHITECTURE_NAMES[settings.architecture]}",
        frame[NAME],
        "train",
        arguments,
        outputs={"out": f"{settings.architecture}.safetensors"},
        client=_client(frame, volume_resolution),
    )


def converting(
    frame: Object,
    source: Path,
    settings: FieldSettings,
    device: str,
    inherit: bool = False,
    through: str | None = None,
    volume_resolution: int | None = None,
) -> Task:
    """Distil a field into another architecture."""
    arguments = settings.arguments() | {
        "field": str(source),
        "to": settings.architecture,
        "capture": frame[CAPTURE],
        "inherit": inherit,
        "through": through,
        "device": device,
    }
    return Task(
        f"Convert to {ARCHITECTURE_NAMES[settings.architecture]}",
        frame[NAME],
        "convert",
        arguments,
        outputs={"out": f"{settings.architecture}.safetensors"},
        client=_client(frame, volume_resolution),
    )


def editing(
    frame: Object, source: Path, edits: Sequence[dict] | None = None, device: str = "auto",
    volume_resolution: int | None = None,
) -> Task:  # fmt: skip
    """Apply erase and keep shapes to a field; without `edits`, those in the scene."""
    content = collect_edits(frame) if edits is None else list(edits)
    if not content:
        raise ConvertFieldError("There is no erase or keep shape; add one first.")
    return Task(
        "Apply edits",
        frame[NAME],
        "edit",
        {"field": str(source), "device": device},
        outputs={"out": "edited.safetensors"},
        inputs={"edits": content},
        client=_client(frame, volume_resolution),
    )


def extracting(frame: Object, source: Path, resolution: int, device: str) -> Task:
    """Sample a field's density and colour for a Volume object."""
    return Task(
        "Extract volume",
        frame[NAME],
        "volume",
        {"field": str(source), "resolution": resolution, "device": device},
        outputs={"out": "volume.npz"},
        client=_client(frame),
    )


def rendering(frame: Object, source: Path, scene: Scene, camera: Object, device: str) -> Task:
    """Render a field as a camera of the scene sees it."""
    entry = camera_to_dict(camera, scene, frame) | {"name": safe_name(camera.name)}
    return Task(
        f"Render from {camera.name}",
        frame[NAME],
        "render",
        {"field": str(source), "device": device},
        outputs={"out": "pictures"},
        inputs={"cameras": {"cameras": [entry]}},
        client=_client(frame) | {"picture": f"{entry['name']}.png", "camera": camera.name},
    )


def resuming(folder: Path) -> Task:
    """Go on with a job that was stopped."""
    try:
        request = read_request(folder)
        label, name = request.client["label"], request.client["capture_name"]
    except (ValueError, KeyError) as error:
        raise ConvertFieldError(f"{folder} holds no job to resume.") from error
    return Task(label, name, request.verb, request.arguments, client=request.client, folder=folder)


def belongs_here(folder: Path) -> bool:
    """Tell whether the capture that a job worked on is in the open file."""
    try:
        return find_frame(read_request(folder).client.get("frame", "")) is not None
    except ValueError:
        return False


def discard(folder: Path) -> None:
    """Delete the checkpoints of a job that was stopped."""
    if folder not in unfinished_folders(folder.parent):
        raise ConvertFieldError(f"{folder} holds no job that was stopped.")
    try:
        shutil.rmtree(folder / "checkpoints")
    except OSError as error:
        raise ConvertFieldError(f"{folder} cannot be deleted: {error}.") from error


def finish(request: Request, folder: Path, result: dict) -> Outcome:
    """Put the engine's answer into the scene.

    Parameters
    ----------
    request : Request
        What was asked.
    folder : Path
        The job's folder.
    result : dict
        ``outputs``, what the engine's verb returned, and ``metrics``, what it measured.
    """
    return _FINISHERS[request.verb](request, folder, result)


def _finish_info(request: Request, folder: Path, result: dict) -> Outcome:
    capture = result["outputs"].get("capture")
    if not isinstance(capture, dict):
        raise ConvertFieldError(f"{request.arguments['path']} is no capture; choose its folder.")
    frame = create_frame(capture)
    cameras = import_cameras(capture, frame, folder.parent)
    create_crop_box(capture, frame)
    counts = ", ".join(f"{count} {split}" for split, count in capture["counts"].items() if count)
    state = frame_state(frame)
    state.summary = f"{len(cameras)} cameras: {counts}"
    state.notes = "\n".join(capture["notes"])
    bpy.context.scene.convert_field.frame = frame
    if len(cameras) > MANY_CAMERAS:
        _hide_relationship_lines()
    return Outcome(frame, f"Imported {capture['name']} with {state.summary}")


def _finish_field(role: str, made: str) -> Callable[[Request, Path, dict], Outcome]:
    def finish_one(request: Request, folder: Path, result: dict) -> Outcome:
        frame = _frame_of(request)
        path = request.arguments["out"]
        item = find_field(frame, path) or _add_field(frame, path, role)
        item.parent = request.arguments.get("field", "")
        psnr = _quality(result)
        item.psnr = NO_MEASURE if psnr is None else psnr
        message = f"{made} '{item.name}'" + ("" if psnr is None else f" with {psnr:.1f} dB")
        warnings = [str(warning) for warning in result["outputs"].get("warnings") or ()]
        return Outcome(Path(path), ". ".join([message, *warnings]), _volume_next(request, frame))

    return finish_one


def _finish_volume(request: Request, folder: Path, _result: dict) -> Outcome:
    frame = _frame_of(request)
    source = request.arguments["field"]
    item = find_field(frame, source)
    name = f"{frame[NAME]} {item.name if item else Path(source).stem}"
    path = write_volume(Path(request.arguments["out"]), folder.parent / "volumes", safe_name(name))
    volume = item.volume if item else None
    if volume is not None and volume.type == "VOLUME" and volume.users_scene:
        volume.data.filepath = str(path)
        volume.data.grids.load()
    else:
        volume = create_volume_object(path, frame, name)
    if item is not None:
        item.volume = volume
        _show_only(frame, item)
    return Outcome(volume, f"Extracted the volume of '{item.name if item else source}'")


def _finish_render(request: Request, _folder: Path, _result: dict) -> Outcome:
    frame = find_frame(request.client["frame"])
    path = Path(request.arguments["out"]) / request.client["picture"]
    if not path.is_file():
        raise ConvertFieldError(f"The engine rendered no picture at {path}; render again.")
    source = request.arguments["field"]
    item = find_field(frame, source) if frame else None
    image = bpy.data.images.load(str(path))
    image.name = f"{item.name if item else Path(source).stem} from {request.client['camera']}"
    image.alpha_mode = "STRAIGHT"
    _show_image(image)
    return Outcome(image, f"Rendered '{image.name}'")


_FINISHERS = {
    "info": _finish_info,
    "train": _finish_field("TEACHER", "Trained"),
    "edit": _finish_field("EDITED", "Made"),
    "convert": _finish_field("STUDENT", "Made"),
    "volume": _finish_volume,
    "render": _finish_render,
}


def _quality(result: dict) -> float | None:
    """Return the PSNR of a student against its teacher, or of a teacher on a validation view."""
    psnr = result["outputs"].get("psnr_to_teacher", result["metrics"].get("psnr"))
    return float(psnr) if isinstance(psnr, int | float) else None


def _client(frame: Object, volume_resolution: int | None = None) -> dict:
    return {"frame": frame_state(frame).uid, "volume_resolution": volume_resolution}


def _frame_of(request: Request) -> Object:
    frame = find_frame(request.client["frame"])
    if frame is None:
        raise ConvertFieldError(
            f"The capture is no longer in this file; the result is {request.arguments['out']}."
        )
    return frame


def _add_field(frame: Object, path: str, role: str) -> FieldItem:
    state = frame.convert_field
    taken = {item.name for item in state.fields}
    base = f"{role.capitalize()} {Path(path).stem}" if role != "EDITED" else "Edited"
    number = sum(name.startswith(base) for name in taken) + 1
    item = state.fields.add()
    item.name = base if number == 1 else f"{base} {number}"
    item.path = path
    item.role = role
    state.active_field = len(state.fields) - 1
    return item


def _volume_next(request: Request, frame: Object) -> Task | None:
    resolution = request.client.get("volume_resolution")
    if not resolution:
        return None
    device = request.arguments.get("device", "auto")
    return extracting(frame, Path(request.arguments["out"]), resolution, device)


def _show_only(frame: Object, shown: FieldItem) -> None:
    """Hide the volumes of the capture's other fields: in one place they would add up."""
    for item in frame.convert_field.fields:
        if item.volume is not None and item.volume.users_scene:
            hidden = item.volume != shown.volume
            item.volume.hide_viewport = hidden
            item.volume.hide_render = hidden


def _hide_relationship_lines() -> None:
    """Switch off the dotted line from every camera to the frame, which would cover the view."""
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            if area.type == "VIEW_3D":
                area.spaces.active.overlay.show_relationship_lines = False


def _show_image(image: bpy.types.Image) -> None:
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            if area.type == "IMAGE_EDITOR":
                area.spaces.active.image = image


def source_field(frame: Object | None, for_edits: bool = False) -> Path:
    """Return the file of the field that is selected in the list.

    Parameters
    ----------
    frame : Object or None
    for_edits : bool
        Return what an edited field was made from instead: shapes apply to the whole field, so
        that moving a shape and applying again brings back what it had erased.

    Raises
    ------
    ConvertFieldError
        When there is none, or its file is gone.
    """
    if not is_frame(frame):
        raise ConvertFieldError("There is no capture; import one first.")
    item = active_field(frame)
    if item is None:
        raise ConvertFieldError("There is no field yet; train a teacher first.")
    path = item.parent if for_edits and item.role == "EDITED" and item.parent else item.path
    if not Path(path).is_file():
        raise ConvertFieldError(f"The field's file is gone: {path}.")
    return Path(path)
