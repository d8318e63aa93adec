"""The views of a film: the scene's camera at each frame of its range."""

import bpy
from bpy.types import Object, Scene

from ..errors import SceneError
from .cameras import render_camera


def set_range(scene: Scene, frames: int) -> None:
    """Let a scene's animation have some frames, from 1 on, and go to the first."""
    scene.frame_start, scene.frame_end, scene.frame_step = 1, frames, 1
    scene.frame_set(1)


def film_views(scene: Scene, frame: Object) -> list[dict]:
    """Return the scene's camera at each frame of its range, as entries of ``cameras.json``.

    Parameters
    ----------
    scene : Scene
        The current one.
    frame : Object
        Frame of the capture whose field is rendered.

    Raises
    ------
    SceneError
        When there is no camera, or it does not move.
    """
    before, part = scene.frame_current, scene.frame_subframe
    entries = []
    try:
        for number in range(scene.frame_start, scene.frame_end + 1, scene.frame_step):
            scene.frame_set(number)
            if scene.camera is None:
                raise SceneError(f"There is no active camera at frame {number}; choose one.")
            depsgraph = bpy.context.evaluated_depsgraph_get()
            entry = render_camera(scene.camera, scene, frame, depsgraph)
            entries.append(entry | {"name": f"frame_{number:04d}"})
    finally:
        scene.frame_set(before, subframe=part)
    if len(entries) > 1 and not _changes(entries):
        raise SceneError(
            f"The scene's camera does not move between the frames {scene.frame_start} and "
            f"{scene.frame_end}; add a Turntable, or animate it."
        )
    return entries


def _changes(entries: list[dict]) -> bool:
    first = entries[0] | {"name": ""}
    return any(entry | {"name": ""} != first for entry in entries)
