"""Rendering: one field, two fields side by side, a field among the scene's objects."""

from pathlib import Path

import bpy
from bpy.types import Image, Object, Scene

from ..engine.checked import is_file
from ..errors import ConvertFieldError
from ..jobs import tasks
from ..jobs.session import session
from ..render import compositing
from ..scene import cameras, view_transform
from ..scene.frame import is_frame
from ..state.displays import displays
from ..state.properties import find_field
from .shared import chosen_computing, do, owner, source


def render(
    frame: Object,
    camera: Object | None = None,
    field: str | Path | None = None,
    scene: Scene | None = None,
    wait: bool = True,
) -> Image | None:
    """Render a field from a camera at the scene's render size.

    Parameters
    ----------
    frame : Object
    camera : Object, optional
        Without it, the scene's camera.
    field : path, optional
    scene : Scene, optional
        Without it, the current one.
    wait : bool

    Returns
    -------
    Image or None
        The picture, with alpha, in display colour; open image editors show it. Its method
        ``save`` writes what ``pvd render`` writes; ``save_render`` lays the scene's view transform
        over it, as over everything that Blender renders.
    """
    scene = scene or bpy.context.scene
    seen_by = _camera(camera, scene)
    task = tasks.rendering(owner(frame), source(frame, field), scene, seen_by, chosen_computing())
    return do(task, wait)


def compare(
    frame: Object,
    field: str | Path | None = None,
    reference: str | Path | None = None,
    camera: Object | None = None,
    wait: bool = True,
) -> Image | None:
    """Render two fields side by side, with the map of their difference.

    Parameters
    ----------
    frame : Object
    field : path, optional
        Without it, the selected field.
    reference : path, optional
        Without it, the field that the first was made from.
    camera : Object, optional
        Without it, the scene's.
    wait : bool

    Returns
    -------
    Image or None
        Reference, field and difference in one picture; open image editors show it.
    """
    first = source(frame, field)
    if reference is None:
        item = find_field(owner(frame), str(first))
        reference = item.parent if item else ""
        if not reference:
            raise ConvertFieldError(
                f"'{first.name}' was not made from another field; name the field to compare with."
            )
    if not is_file(reference):
        raise ConvertFieldError(
            f"The field's file is missing: {reference}; choose another field to compare with."
        )
    scene = bpy.context.scene
    seen_by = _camera(camera, scene)
    task = tasks.comparing(owner(frame), first, Path(reference), scene, seen_by, chosen_computing())
    return do(task, wait)


def combine_by_depth(frame: Object, scene: Scene | None = None) -> Scene:
    """Combine a scene's objects and its field in its renders, where the nearer one hides the other.

    A second scene renders the field with the engine *PVD Field*; the compositor, whose nodes are
    replaced, combines both pictures by depth. Volumes and splats of fields are left out of renders.

    Parameters
    ----------
    frame : Object
    scene : Scene, optional
        Without it, the active one. Its own engine renders its objects.

    Returns
    -------
    Scene
        The second one.
    """
    scene = scene or bpy.context.scene
    if scene.render.engine == compositing.ENGINE:
        raise ConvertFieldError(
            "This scene renders only the field; choose another render engine first."
        )
    source(frame, None)
    scene.convert_field.frame = owner(frame)
    for item in owner(frame).convert_field.fields:
        for display in displays(item):
            display.hide_render = True
    return compositing.combine_by_depth(scene)


def use_standard_view(scene: Scene | None = None) -> None:
    """Choose the view transform *Standard*, which shows fields as they are.

    Renders by the engine *PVD Field* and its 3D View go through the scene's view transform, as
    everything that Blender renders. Fields hold display colour already, so *AgX* and *Filmic*
    change it.

    Parameters
    ----------
    scene : Scene, optional
        Without it, the current one.
    """
    view_transform.use_standard(scene or bpy.context.scene)


def _camera(camera: Object | None, scene: Scene) -> Object:
    camera = camera or scene.camera
    if camera is None:
        raise ConvertFieldError(
            "The scene has no camera; add one, or look through a camera of the capture."
        )
    if camera.type != "CAMERA":
        raise ConvertFieldError(f"'{camera.name}' is not a camera; choose one.")
    return camera


def look_through(camera: Object, wait: bool = True) -> None:
    """Look through a camera; one of a capture also sets the render size and pixel aspect.

    Its image is shown behind it. The engine undistorts the image first where the lens is no pinhole
    and that was not done before.

    Parameters
    ----------
    camera : Object
    wait : bool
        Wait for the undistorted image. Otherwise it appears once it is made, and the panels show
        a failure.
    """
    if camera.type != "CAMERA":
        raise ConvertFieldError(f"'{camera.name}' is not a camera; choose one.")
    cameras.look_through(bpy.context, camera)
    if is_frame(camera.parent):
        cameras.attach_image(camera, tasks.capture_work_folder(camera.parent))
    if wait:
        session().undistorting.run(camera)
    else:
        session().start_undistorting(camera)
