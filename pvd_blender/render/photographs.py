"""The photograph behind a camera, which Blender lays at half opacity over what an engine draws.

A view that shows a field hides it, unless the user wants it; it comes back with the end of the last
such view. No setting of a view does that, so the camera's own is used, with a mark that says so.
"""

import functools

import bpy
from bpy.app.handlers import persistent
from bpy.types import Context, SpaceView3D

from .compositing import ENGINE

HIDDEN = "pvd_photograph_hidden"
"""Custom property of a camera whose photograph is hidden for a rendered view."""

WATCH_SECONDS = 0.5
"""Seconds between two looks whether a view still shows a field."""


def keep_hidden(context: Context) -> None:
    """Hide the photograph of the camera that a view of a field looks through."""
    view, scene = context.space_data, context.scene
    if view.region_3d.view_perspective != "CAMERA" or scene.convert_field.show_photographs:
        return
    camera = view.camera if view.use_local_camera else scene.camera
    if camera is not None and camera.type == "CAMERA" and camera.data.show_background_images:
        # While a view is drawn nothing may be changed.
        bpy.app.timers.register(functools.partial(_hide, camera.data.name))


def _hide(name: str) -> None:
    camera = bpy.data.cameras.get(name)
    if camera is not None and camera.show_background_images:
        camera[HIDDEN] = True
        camera.show_background_images = False
    if not bpy.app.timers.is_registered(_watch):
        bpy.app.timers.register(_watch, first_interval=WATCH_SECONDS, persistent=True)


@persistent
def _watch(*_arguments: object) -> float | None:
    """Show the photographs again once no view hides them."""
    if any(map(_hides, _views())):
        return WATCH_SECONDS
    for camera in bpy.data.cameras:
        if HIDDEN in camera:
            del camera[HIDDEN]
            camera.show_background_images = True
    return None


def _views() -> list[tuple[SpaceView3D, bpy.types.Scene]]:
    return [
        (area.spaces.active, window.scene)
        for window in bpy.context.window_manager.windows
        for area in window.screen.areas
        if area.type == "VIEW_3D"
    ]


def _hides(shown: tuple[SpaceView3D, bpy.types.Scene]) -> bool:
    view, scene = shown
    rendered = view.shading.type == "RENDERED" and scene.render.engine == ENGINE
    return rendered and not scene.convert_field.show_photographs


def register() -> None:
    """Look after photographs that were hidden when a file was saved."""
    bpy.app.handlers.load_post.append(_watch)


def unregister() -> None:
    """Stop looking."""
    bpy.app.handlers.load_post.remove(_watch)
    if bpy.app.timers.is_registered(_watch):
        bpy.app.timers.unregister(_watch)
