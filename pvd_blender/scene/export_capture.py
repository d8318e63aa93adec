"""Any Blender scene as a capture: pictures and cameras in the layout of NeRF-Synthetic."""

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import bpy
from bpy.types import Object, Scene

from .errors import SceneError
from .intrinsics import Intrinsics, read_intrinsics
from .matrices import IDENTITY, pose_in_frame, to_numpy
from .render_state import kept_settings

SPLITS = ("train", "val", "test")
Progress = Callable[[int, int, str], None]


@dataclass(frozen=True)
class ExportSettings:
    """How the pictures of a capture are rendered.

    Attributes
    ----------
    resolution : (int, int)
        Width and height in pixels.
    samples : int
        Samples per pixel.
    engine : str
        Blender's render engine; ``"CYCLES"`` or the identifier of EEVEE or Workbench.
    denoise : bool
        Denoise in Cycles; fewer samples then suffice.
    view_transform : str
        ``"Standard"`` gives plain sRGB colours, which is what a field expects.
    seed : int
        Of Cycles' noise; picture i takes ``seed + i``, so that noise averages out over views.
    """

    resolution: tuple[int, int] = (200, 200)
    samples: int = 64
    engine: str = "CYCLES"
    denoise: bool = True
    view_transform: str = "Standard"
    seed: int = 0


def export_capture(
    scene: Scene,
    splits: Mapping[str, Sequence[Object]],
    folder: Path,
    *,
    progress: Progress | None = None,
    overwrite: bool = False,
    **settings: object,
) -> Path:
    """Render a scene from cameras as a NeRF-Synthetic capture.

    Parameters
    ----------
    scene : Scene
    splits : dict of str to sequence of Object
        Cameras by split: ``"train"``, ``"val"``, ``"test"``; `sphere_cameras` makes some.
    folder : Path
        Becomes the capture: ``transforms_<split>.json`` and ``<split>/r_000.png``. The JSON files
        are written last, so a folder that holds them is complete.
    progress : callable, optional
        Called with (pictures done, pictures in all, name of the picture).
    overwrite : bool
        Replace a capture that lies in the folder.
    settings
        Fields of `ExportSettings`.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    SceneError
        No camera, a camera that is not perspective, or a folder that holds a capture already.
    """
    plan = ExportSettings(**settings)
    for done, total, name in export_steps(scene, splits, folder, plan, overwrite):
        if progress is not None:
            progress(done, total, name)
    return Path(folder)


def export_steps(
    scene: Scene,
    splits: Mapping[str, Sequence[Object]],
    folder: Path,
    settings: ExportSettings,
    overwrite: bool = False,
) -> Iterator[tuple[int, int, str]]:
    """Export one picture per step; the scene's settings come back when the iterator ends.

    Yields
    ------
    tuple of (int, int, str)
        Pictures done, pictures in all, name of the picture just rendered.
    """
    folder = Path(folder)
    jobs = [
        (split, f"r_{index:03d}", camera)
        for split in _known(splits)
        for index, camera in enumerate(splits[split])
    ]
    if not jobs:
        raise SceneError("There is no camera to render from; choose or generate some.")
    _clear(folder, overwrite)
    frames: dict[str, list[dict]] = {split: [] for split in splits if splits[split]}
    with kept_settings(scene):
        _prepare(scene, settings)
        for number, (split, name, camera) in enumerate(jobs):
            frames[split].append(_frame(scene, camera, f"./{split}/{name}"))
            _render(scene, camera, folder / split / name, settings.seed + number)
            yield number + 1, len(jobs), f"{split}/{name}"
    for split, entries in frames.items():
        _write_json(folder / f"transforms_{split}.json", _file_content(entries))


def _known(splits: Mapping[str, Sequence[Object]]) -> list[str]:
    unknown = set(splits) - set(SPLITS)
    if unknown:
        raise SceneError(f"There is no split '{min(unknown)}'; use {', '.join(SPLITS)}.")
    return [split for split in SPLITS if split in splits]


def _clear(folder: Path, overwrite: bool) -> None:
    """Make the folder ready; an incomplete export has no JSON file and is simply gone over."""
    old = [path for path in folder.glob("transforms*.json") if path.is_file()]
    if old and not overwrite:
        raise SceneError(f"{folder} holds a capture already; choose an empty folder.")
    for path in old:
        path.unlink()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SceneError(f"{folder} cannot be made ({error.strerror}); choose another.") from error


def _prepare(scene: Scene, settings: ExportSettings) -> None:
    render, view, image = scene.render, scene.view_settings, scene.render.image_settings
    try:
        render.engine = settings.engine
    except TypeError as error:
        raise SceneError(f"This Blender has no render engine '{settings.engine}'.") from error
    render.resolution_x, render.resolution_y = settings.resolution
    render.resolution_percentage = 100
    render.use_border = render.use_crop_to_border = False
    render.film_transparent = True
    render.use_compositing = render.use_sequencer = render.use_motion_blur = False
    render.use_persistent_data = True
    render.use_file_extension = render.use_overwrite = True
    render.use_placeholder = render.use_multiview = render.use_stamp = False
    # Dither would add noise that differs from view to view.
    render.dither_intensity = 0.0
    image.file_format, image.color_mode, image.color_depth = "PNG", "RGBA", "8"
    image.color_management = "FOLLOW_SCENE"
    scene.display_settings.display_device = "sRGB"
    view.view_transform = settings.view_transform
    view.look, view.exposure, view.gamma = "None", 0.0, 1.0
    view.use_curve_mapping = False
    if settings.engine == "CYCLES":
        scene.cycles.samples = settings.samples
        scene.cycles.use_denoising = settings.denoise
        scene.cycles.film_transparent_glass = False
    elif hasattr(scene, "eevee"):
        scene.eevee.taa_render_samples = settings.samples


def _render(scene: Scene, camera: Object, path: Path, seed: int) -> None:
    path.parent.mkdir(exist_ok=True)
    scene.camera = camera
    scene.render.filepath = str(path)
    if scene.render.engine == "CYCLES":
        scene.cycles.seed = seed
    picture = path.with_name(path.name + ".png")
    picture.unlink(missing_ok=True)
    bpy.ops.render.render(write_still=True, scene=scene.name)
    if not picture.is_file():
        raise SceneError(f"Blender wrote no picture to {picture}; is the disk full?")


def _frame(scene: Scene, camera: Object, file_path: str) -> dict:
    """Return a camera's entry: its pose, and its intrinsics under nerfstudio's names."""
    bpy.context.view_layer.update()
    k = read_intrinsics(camera, scene)
    pose = pose_in_frame(to_numpy(camera.matrix_world), IDENTITY, camera.name)
    return {"file_path": file_path, **_intrinsics(k), "transform_matrix": pose.tolist()}


def _intrinsics(k: Intrinsics) -> dict:
    return {
        "camera_angle_x": 2 * math.atan(k.width / (2 * k.fx)),
        "fl_x": k.fx,
        "fl_y": k.fy,
        "cx": k.cx,
        "cy": k.cy,
        "w": k.width,
        "h": k.height,
    }


def _file_content(entries: list[dict]) -> dict:
    """Put what all cameras share at the file's head, as NeRF-Synthetic does."""
    first = entries[0]
    keys = [key for key in first if key not in ("file_path", "transform_matrix")]
    shared = [key for key in keys if all(entry[key] == first[key] for entry in entries)]
    frames = [{k: v for k, v in entry.items() if k not in shared} for entry in entries]
    return {**{key: first[key] for key in shared}, "frames": frames}


def _write_json(path: Path, content: dict) -> None:
    temporary = path.with_name(f".{path.name}.part")
    temporary.write_text(json.dumps(content, indent=1, allow_nan=False), encoding="utf-8")
    temporary.replace(path)
