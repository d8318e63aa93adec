"""What each step asks of the engine.

A `Task` is plain values: what the engine is asked goes into the job folder together with what the
add-on needs to know when the answer comes, so that a job can be resumed by another Blender.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
from bpy.types import Object, Scene

from ..engine.job_folder import Request, next_folder, read_request, safe_name, write_request
from ..errors import ConvertFieldError
from ..scene.cameras import SPLIT_COLLECTIONS, WORK_FOLDER, camera_to_dict
from ..scene.crop_box import changed_crop
from ..scene.edit_shapes import collect_edits
from ..scene.frame import CAPTURE, NAME, is_frame
from ..state.properties import active_field, find_field, frame_state
from ..state.settings import AUTO, LIGHT_FIELD, architecture_label
from ..version import VERSION
from ..volume.volume_edit import VolumeEdits, evaluated, has_edit, volume_edits

SPLITS = tuple(SPLIT_COLLECTIONS)
ADDED = "Modifiers put density into {} voxels where the field has none; that is left out"


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
        """Return the task's job folder, made and filled unless the task is resumed.

        Raises
        ------
        ConvertFieldError
            When it cannot be made.
        """
        if self.folder is not None:
            return self.folder, read_request(self.folder)
        try:
            return self._make(work_folder)
        except OSError as error:
            raise ConvertFieldError(
                f"The work folder cannot be written ({error}); choose another in the preferences."
            ) from error

    def _make(self, work_folder: Path) -> tuple[Path, Request]:
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
class FieldSettings:
    """How a field is made.

    Attributes
    ----------
    architecture : str
        A name that the engine knows, or several joined by +: ``"hash"``, ``"hash+vm"``.
    preset : str or None
        ``"small"`` or ``"full"``; None leaves it to the engine: small on a CPU, full on a GPU.
    budget : float or None
        Seconds.
    steps : int or None
        Instead of the budget.
    seed : int
    until_psnr : float or None
        Decibel that are enough, even before the budget is spent.
    """

    architecture: str
    preset: str | None = None
    budget: float | None = None
    steps: int | None = None
    seed: int = 0
    until_psnr: float | None = None

    def arguments(self) -> dict:
        """Return the engine's arguments but for the architecture, whose name differs by verb."""
        if self.budget is not None and self.steps is not None:
            raise ConvertFieldError("Give a budget or a number of steps, not both.")
        return {
            "preset": self.preset,
            "budget": None if self.budget is None else f"{self.budget:g}s",
            "steps": self.steps,
            "seed": self.seed,
            "until_psnr": self.until_psnr,
        }

    def file_name(self) -> str:
        """Return the name of the field's file."""
        return "+".join(map(safe_name, self.architecture.split("+"))) + ".safetensors"


@dataclass(frozen=True)
class DistillSettings:
    """How a field is distilled; the engine's own names and defaults.

    Attributes
    ----------
    inherit : bool
        Copy the parts of the teacher that fit the student.
    through : str or None
        ``"sparse_tensor"`` distils into that first.
    max_size : str or None
        Largest field file, such as ``"5MB"``.
    projection : bool
        Start from a direct projection of the teacher, where the student can.
    stages : str
        Those that take part: ``"123"``, ``"23"``, ``"13"`` or ``"3"``.
    density_constraint : bool
        Compare densities within a range only.
    hard_poses, hard_rays, hard_points : bool
        Learn again what the student did worst.
    ray_points, ray_encoding, ray_interval, ray_skip_empty, ray_hard, ray_importance
        Of light fields: points along a ray, how they are encoded (the preset's way if None) and
        where they lie, and which rays are learned from.
    fine_tune : float
        Of light fields: the share of the work, at its end, that learns from the images.
    report : bool
        Write a page with figures and pictures beside the field.
    """

    inherit: bool = False
    through: str | None = None
    max_size: str | None = None
    projection: bool = True
    stages: str = "123"
    density_constraint: bool = True
    hard_poses: bool = True
    hard_rays: bool = True
    hard_points: bool = True
    ray_points: int = 16
    ray_encoding: str | None = None
    ray_interval: str = "occupied"
    ray_skip_empty: bool = True
    ray_hard: bool = True
    ray_importance: bool = True
    fine_tune: float = 0.15
    report: bool = True


def capture_folder(work_folder: Path, capture_name: str) -> Path:
    """Return the folder of a capture's jobs."""
    return work_folder / safe_name(capture_name)


def importing(
    path: Path,
    splits: Sequence[str] = SPLITS,
    downscale: int | None = None,
    points: bool = True,
) -> Task:
    """Read a capture's files; the cameras of some splits come into the scene."""
    name = path.stem if path.suffix == ".json" and path.stem != "transforms" else path.name
    name = path.parent.name if path.name.startswith("transforms") else name
    client = {"splits": list(splits), "downscale": downscale, "points": points}
    return Task(f"Import {name}", name, "info", {"path": str(path)}, client=client)


def training(
    frame: Object, settings: FieldSettings, device: str, volume_resolution: int | None = None
) -> Task:
    """Train a teacher from the capture's images, its detail within the crop box."""
    arguments = settings.arguments() | {
        "capture": frame[CAPTURE],
        "arch": settings.architecture,
        "scene": frame_state(frame).scene,
        "crop": changed_crop(frame),
        "downscale": _downscale(frame),
        "device": device,
    }
    return Task(
        f"Train {architecture_label(settings.architecture)}",
        frame[NAME],
        "train",
        arguments,
        outputs={"out": settings.file_name()},
        client=_client(frame, volume_resolution),
    )


def converting(
    frame: Object,
    source: Path,
    settings: FieldSettings,
    device: str,
    distilling: DistillSettings,
    volume_resolution: int | None = None,
) -> Task:
    """Distil a field into another architecture."""
    # A capture's cameras may never have seen the other parts of a merged field, whose own file
    # says from where all of it can be seen.
    capture = None if _has_merged(frame, source) else frame[CAPTURE]
    arguments = settings.arguments() | asdict(distilling) | {
        "field": str(source),
        "to": settings.architecture,
        "capture": capture,
        "downscale": _downscale(frame),
        "device": device,
    }  # fmt: skip
    if settings.architecture == LIGHT_FIELD:
        volume_resolution = None
    return Task(
        f"Convert to {architecture_label(settings.architecture)}",
        frame[NAME],
        "convert",
        arguments,
        outputs={"out": settings.file_name()},
        client=_client(frame, volume_resolution),
    )


def editing(
    frame: Object, source: Path, edits: Sequence[dict] | None = None, device: str = "auto",
    volume_resolution: int | None = None,
) -> Task:  # fmt: skip
    """Apply edits to a field; without `edits`, the shapes in the scene and what nodes erase."""
    note, content = "", list(edits or ())
    if edits is None:
        by_nodes = _node_edits(frame, source)
        content = collect_edits(frame) + by_nodes.edits
        note = ADDED.format(by_nodes.added) if by_nodes.added else ""
    if not content:
        raise ConvertFieldError("There is no edit shape; add one first.")
    return Task(
        "Apply edits",
        frame[NAME],
        "edit",
        {"field": str(source), "device": device},
        outputs={"out": "edited.safetensors"},
        inputs={"edits": content},
        client=_client(frame, volume_resolution) | {"note": note},
    )


def _node_edits(frame: Object, source: Path) -> VolumeEdits:
    """What the modifiers of a field's Volume object change."""
    item = find_field(frame, str(source))
    volume = item.volume if item else None
    if not has_edit(volume):
        return VolumeEdits([], 0)
    folder = Path(frame[WORK_FOLDER]) / "grids"
    folder.mkdir(parents=True, exist_ok=True)
    with evaluated(volume) as depsgraph:
        return volume_edits(volume, depsgraph, folder)


def merging(
    frame: Object,
    parts: Sequence[tuple[Path, np.ndarray]],
    device: str,
    volume_resolution: int | None = None,
    replaces: Sequence[str] = (),
) -> Task:
    """Make one field of several.

    Parameters
    ----------
    frame : Object
        Of the capture in whose frame the merged field is.
    parts : sequence of (Path, (4, 4) array)
        Field files, and the matrices from their dataset frames into that of `frame`.
    device : str
    volume_resolution : int, optional
    replaces : sequence of str
        Names of the Volume objects that the merged field's volume stands for.
    """
    if len(parts) < 2:
        raise ConvertFieldError("Merging takes at least two fields; select two or more volumes.")
    return Task(
        "Merge fields",
        frame[NAME],
        "merge",
        {"fields": [str(path) for path, _ in parts], "device": device},
        outputs={"out": "merged.safetensors"},
        inputs={"placements": [np.asarray(matrix).tolist() for _, matrix in parts]},
        client=_client(frame, volume_resolution) | {"replaces": list(replaces)},
    )


def finding_floaters(frame: Object, source: Path, below: float, device: str) -> Task:
    """Look for small parts of a field that hang in the air."""
    return Task(
        "Find floaters",
        frame[NAME],
        "floaters",
        {"field": str(source), "below": below, "device": device},
        outputs={"out": "floaters.npz"},
        client=_client(frame),
    )


def extracting(
    frame: Object, source: Path, resolution: int, device: str, replaces: Sequence[str] = ()
) -> Task:
    """Sample a field's density and colour for a Volume object.

    `replaces` names the Volume objects that are hidden when it is there.
    """
    return Task(
        "Extract volume",
        frame[NAME],
        "volume",
        {"field": str(source), "resolution": resolution, "device": device},
        outputs={"out": "volume.npz"},
        client=_client(frame) | {"replaces": list(replaces)},
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


def comparing(
    frame: Object, source: Path, reference: Path, scene: Scene, camera: Object, device: str
) -> Task:
    """Render two fields as a camera of the scene sees them, side by side."""
    entry = camera_to_dict(camera, scene, frame) | {"name": safe_name(camera.name)}
    return Task(
        f"Compare from {camera.name}",
        frame[NAME],
        "compare",
        {"field": str(source), "reference": str(reference), "device": device},
        outputs={"out": "pictures"},
        inputs={"cameras": {"cameras": [entry]}},
        client=_client(frame) | {"picture": f"{entry['name']}.png", "camera": camera.name},
    )


def _client(frame: Object, volume_resolution: int | None = None) -> dict:
    return {"frame": frame_state(frame).uid, "volume_resolution": volume_resolution}


def _downscale(frame: Object) -> int | None:
    size = frame_state(frame).downscale
    return None if size == AUTO else int(size)


def _has_merged(frame: Object, source: Path) -> bool:
    """Tell whether a field is a merged one, or was made from one."""
    path, seen = str(source), set()
    while path and path not in seen:
        seen.add(path)
        item = find_field(frame, path)
        if item is None:
            return False
        if item.role == "MERGED":
            return True
        path = item.parent
    return False


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
