"""Films: cameras that move, and films of a field through them."""

from collections.abc import Sequence
from pathlib import Path

import bpy
from bpy.types import Object, Scene

from ..engine.checked import is_file
from ..errors import ConvertFieldError
from ..jobs import tasks
from ..jobs.tasks.filming import SUFFIXES
from ..render.field_picture import background
from ..scene import cameras as scene_cameras
from ..scene.camera_path import add_path, training_cameras
from ..scene.film_views import film_views, set_range
from ..scene.turntable import Viewpoints, add_turntable, camera_viewpoints
from ..state.field_file import field_viewpoints
from ..state.pending_edits import pending_shapes
from ..state.properties import active_field
from ..volume.volume_file import linear_to_srgb
from .shared import chosen_computing, do, owner, source

SECONDS = 8.0
"""Default length of a camera move."""

CAMERAS_PER_SECOND = 2
"""Cameras that a path goes through in each second by default; with more it is restless."""

NOT_APPLIED = "Edit shapes that are not applied are not in the film"


def turntable(
    frame: Object,
    seconds: float = SECONDS,
    distance: float | None = None,
    elevation: float | None = None,
    scene: Scene | None = None,
) -> Object:
    """Add a camera that turns once around what the selected field shows, and look through it.

    Without a field it is the middle of the capture's box. The scene's frame range becomes one
    turn, which repeats without a jump.

    Parameters
    ----------
    frame : Object
    seconds : float
        Time of one turn, at the scene's frame rate.
    distance : float, optional
        From the middle, dataset units; that of the cameras by default.
    elevation : float, optional
        Angle above the middle, radians; that of the cameras by default.
    scene : Scene, optional
        Without it, the current one.

    Returns
    -------
    Object
        The camera; its parent, an Empty in the middle, has the keyframes.
    """
    frame, scene = owner(frame), scene or bpy.context.scene
    seen = viewpoints_of(frame)
    count = _frames(scene, seconds)
    camera = add_turntable(
        frame,
        seen,
        scene,
        count,
        seen.distance if distance is None else distance,
        seen.elevation if elevation is None else elevation,
    )
    return _shown(camera, scene, count)


def path_through_cameras(
    frame: Object,
    cameras: Sequence[Object] | None = None,
    seconds: float = SECONDS,
    most: int | None = None,
    scene: Scene | None = None,
) -> Object:
    """Add a camera that moves smoothly through others, and look through it.

    The scene's frame range becomes the way.

    Parameters
    ----------
    frame : Object
    cameras : sequence of Object, optional
        Cameras in the order of the way; the capture's training cameras by default. Where their
        order jumps about, the way goes to the nearest one each time.
    seconds : float
        Time of the way, at the scene's frame rate.
    most : int, optional
        Most cameras that it goes through, chosen evenly; two for each second by default.
    scene : Scene, optional
        Without it, the current one.

    Returns
    -------
    Object
        The camera, with a keyframe at each of the others.
    """
    frame, scene = owner(frame), scene or bpy.context.scene
    cameras = training_cameras(frame) if cameras is None else list(cameras)
    count = _frames(scene, seconds)
    most = max(round(CAMERAS_PER_SECOND * seconds), 2) if most is None else most
    return _shown(add_path(frame, cameras, scene, count, most), scene, count)


def render_film(
    frame: Object,
    field: str | Path | None = None,
    path: str | Path | None = None,
    wait: bool = True,
) -> Path | None:
    """Render a field through the current scene's camera at each frame of its range into a film.

    Its size and frame rate are the scene's. What is behind the field is the world's colour, or
    white where the scene's background is transparent. The colours are those of the field (sRGB),
    without the scene's view transform.

    Parameters
    ----------
    frame : Object
    field : path, optional
    path : path, optional
        The film, which ends in .mp4 or .webm; by default an .mp4 in the folder of the job.
    wait : bool

    Returns
    -------
    Path or None
        The film.
    """
    frame, scene = owner(frame), bpy.context.scene
    file = source(frame, field)
    if path is not None and Path(path).suffix.lower() not in SUFFIXES:
        raise ConvertFieldError(
            f"A film's name must end in {' or '.join(SUFFIXES)}, not as '{Path(path).name}' does."
        )
    plain = scene.render.film_transparent
    behind = None if plain else linear_to_srgb(background(scene.world)).tolist()
    task = tasks.filming(
        frame,
        file,
        film_views(scene, frame),
        scene.render.fps / scene.render.fps_base,
        behind,
        None if path is None else Path(path).absolute(),
        chosen_computing(),
        NOT_APPLIED if pending_shapes(frame, file) else "",
    )
    return do(task, wait)


def viewpoints_of(frame: Object) -> Viewpoints:
    """Return where the selected field was seen from, or else where the capture's cameras stand."""
    item = active_field(frame)
    known = item is not None and is_file(item.path)
    seen = field_viewpoints(Path(item.path)) if known else None
    return seen or camera_viewpoints(frame)


def _frames(scene: Scene, seconds: float) -> int:
    """Return the number of frames of some seconds; at least two."""
    return max(round(seconds * scene.render.fps / scene.render.fps_base), 2)


def _shown(camera: Object, scene: Scene, frames: int) -> Object:
    set_range(scene, frames)
    if scene == bpy.context.scene:
        scene_cameras.look_through(bpy.context, camera)
    else:
        scene.camera = camera
    return camera
