"""The views of a scene that is exported as a dataset: their cameras and render settings."""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import bpy
from bpy.types import Object, Scene

from ..errors import SceneError
from ..render.compositing import ENGINE
from ..scene.cameras import (
    SPLITS,
    dataset_camera,
    exported_camera,
    fit_render,
    has_file_lens,
    render_camera,
)
from ..scene.frame import frame_of
from ..scene.intrinsics import Intrinsics, read_intrinsics
from ..scene.view_transform import use_standard
from .render_state import kept_settings

CAMERAS = ("SELECTED", "ALL", "ANIMATION")
FEWEST_WITH_TEST = 4
"""Smallest number of views of which some are held out; the engine splits datasets likewise."""

LENS = ("width", "height", "fx", "fy", "cx", "cy", "distortion_model", "distortion")
"""Keys of a camera entry that describe its lens."""


@dataclass(frozen=True)
class SceneView:
    """One view of an exported scene.

    Attributes
    ----------
    camera : Object or None
        The camera; None for the one that is active at `frame`.
    split : str
        ``"train"``, ``"val"`` or ``"test"``.
    name : str
        Path of the picture, without a suffix.
    frame : int or None
        The frame of the animation; None for the current one.
    """

    camera: Object | None
    split: str
    name: str
    frame: int | None = None


def scene_views(
    scene: Scene, cameras: str | Mapping[str, Sequence[Object]], test_every: int
) -> list[SceneView]:
    """Return the views of an export, in the order of the cameras' names or of the frames.

    Parameters
    ----------
    scene : Scene
        The active one.
    cameras : str or dict of str to sequence of Object
        ``"SELECTED"``, ``"ALL"`` (cameras of the scene) or ``"ANIMATION"`` (the active camera, at
        each frame of the scene's range); or cameras by split.
    test_every : int
        Hold out every Nth view for testing, from the first; 0 holds out none. Cameras of a dataset
        keep its splits.

    Raises
    ------
    SceneError
        When there are none, or a camera is not perspective.
    """
    if cameras == "ANIMATION":
        return _frames(scene, test_every)
    if isinstance(cameras, str):
        pairs = _with_splits(_chosen(scene, cameras), test_every)
    else:
        unknown = set(cameras) - set(SPLITS)
        if unknown:
            raise SceneError(f"There is no split '{min(unknown)}'; use {', '.join(SPLITS)}.")
        pairs = [(item, split) for split in SPLITS for item in cameras.get(split, ())]
    if not pairs:
        raise SceneError("There is no camera to export; select or add some.")
    for item, _ in pairs:
        read_intrinsics(item, scene)  # raises for one that is not perspective
    taken: set[str] = set()
    return [SceneView(item, split, _free_name(item, split, taken)) for item, split in pairs]


def common_frame(views: Sequence[SceneView]) -> Object | None:
    """Return the frame that all cameras belong to, or None."""
    frames = {frame_of(view.camera) for view in views}
    return frames.pop() if len(frames) == 1 else None


def describe_view(
    scene: Scene, view: SceneView, reference: Object | None, rendered_frame: Object | None
) -> dict:
    """Return a view as one entry of ``cameras.json``; the scene must be set up for it.

    Parameters
    ----------
    scene : Scene
    view : SceneView
    reference : Object or None
        The frame that the pose is in; Blender's world if None.
    rendered_frame : Object or None
        Frame of the field if *PVD Field* renders the pictures, which include lens distortion.
    """
    entry = exported_camera(scene.camera, scene, reference)
    if rendered_frame is not None:
        depsgraph = bpy.context.evaluated_depsgraph_get()
        seen = render_camera(scene.camera, scene, rendered_frame, depsgraph)
        entry = {key: seen[key] for key in LENS if key in seen} | {
            "camera_to_world": entry["camera_to_world"]
        }
    return entry | {"name": view.name, "split": view.split}


def without_distortion(entry: dict) -> dict:
    """Return a camera entry as Blender renders it: the same pinhole without lens distortion."""
    return {key: value for key, value in entry.items() if not key.startswith("distortion")}


@contextmanager
def kept_scene(scene: Scene) -> Iterator[None]:
    """Restore a scene's camera, frame and render settings at the end, whatever happens."""
    frame, subframe = scene.frame_current, scene.frame_subframe
    bound = [(marker, marker.camera) for marker in scene.timeline_markers if marker.camera]
    with kept_settings(scene):
        try:
            yield
        finally:
            for marker, camera in bound:
                marker.camera = camera
            if (scene.frame_current, scene.frame_subframe) != (frame, subframe):
                scene.frame_set(frame, subframe=subframe)


def set_up_view(scene: Scene, view: SceneView) -> None:
    """Make a view's camera the active one at its frame, with the render size of its lens."""
    if view.frame is not None:
        scene.frame_set(view.frame)
        if scene.camera is None:
            raise SceneError(f"There is no active camera at frame {view.frame}; choose one.")
    else:
        # A render takes the camera of the marker that it is at.
        for marker in scene.timeline_markers:
            marker.camera = None
        scene.camera = view.camera
    if has_file_lens(scene.camera):
        fit_render(scene, Intrinsics.from_dict(dataset_camera(scene.camera)))
    bpy.context.view_layer.update()


def set_up_pictures(scene: Scene, with_view_transform: bool) -> None:
    """Make renders write plain PNG files of the whole view, with the scene's other settings.

    Parameters
    ----------
    scene : Scene
    with_view_transform : bool
        Keep the scene's view transform; otherwise the pictures are sRGB, by *Standard*.
    """
    if not with_view_transform:
        use_standard(scene)
    render, image = scene.render, scene.render.image_settings
    render.use_border = render.use_crop_to_border = False
    render.use_sequencer = render.use_motion_blur = False
    render.use_file_extension = render.use_overwrite = True
    render.use_placeholder = render.use_multiview = render.use_stamp = False
    # Dither would add noise that differs from view to view.
    render.dither_intensity = 0.0
    if hasattr(image, "media_type"):
        image.media_type = "IMAGE"
    image.file_format, image.color_depth = "PNG", "8"
    image.color_mode = "RGBA" if render.film_transparent else "RGB"
    image.color_management = "FOLLOW_SCENE"


def set_up_picture(scene: Scene, file: Path, number: int) -> None:
    """Make the next render write a file; each gets noise of its own, which averages out."""
    scene.render.filepath = str(file)
    if scene.render.engine == "CYCLES" and number:
        scene.cycles.seed += 1


def renders_fields(scene: Scene) -> bool:
    """Return whether the scene's render engine is *PVD Field*."""
    return scene.render.engine == ENGINE


def _frames(scene: Scene, test_every: int) -> list[SceneView]:
    if scene.camera is None:
        raise SceneError("The scene has no active camera; choose one.")
    read_intrinsics(scene.camera, scene)
    numbers = range(scene.frame_start, scene.frame_end + 1, scene.frame_step)
    splits = _every(test_every, len(numbers))
    return [
        SceneView(None, split, f"{split}/frame_{number:04d}", number)
        for number, split in zip(numbers, splits, strict=True)
    ]


def _chosen(scene: Scene, choice: str) -> list[Object]:
    if choice not in CAMERAS:
        raise SceneError(f"Cameras cannot be '{choice}'; use {', '.join(CAMERAS)}.")
    items = bpy.context.selected_objects if choice == "SELECTED" else scene.objects
    return sorted((item for item in items if item.type == "CAMERA"), key=lambda item: item.name)


def _with_splits(cameras: Sequence[Object], test_every: int) -> list[tuple[Object, str]]:
    own = [dataset_camera(item) for item in cameras]
    free = iter(_every(test_every, own.count(None)))
    return [
        (item, next(free) if values is None else values["split"])
        for item, values in zip(cameras, own, strict=True)
    ]


def _every(test_every: int, count: int) -> list[str]:
    testing = test_every > 0 and count >= FEWEST_WITH_TEST
    return ["test" if testing and index % test_every == 0 else "train" for index in range(count)]


def _free_name(item: Object, split: str, taken: set[str]) -> str:
    """Return the path of a camera's picture: the dataset's own, or ``<split>/<name>``."""
    values = dataset_camera(item)
    kept = re.sub(r"[^\w.-]+", "_", item.name).strip("._") or "camera"
    name = free = values["name"] if values is not None else f"{split}/{kept}"
    count = 1
    while free.casefold() in taken:
        count += 1
        free = f"{name}_{count}"
    taken.add(free.casefold())
    return free
