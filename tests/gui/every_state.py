"""Pictures of the panel in every state, in the dark and the light theme.

`docs/cut_pictures.py` makes the documentation's pictures of them.

The sidebar has the width that Blender gives it at first, which is less than 320 pixels.
"""

from collections.abc import Iterator
from pathlib import Path

import bpy
import numpy as np
from in_blender import ADD_ON, Window

LIGHT = "interface_theme/Blender_Light.xml"


def steps(window: Window) -> Iterator[float]:
    """Go through the states once and take a picture of each in both themes."""
    yield from window.install()
    for item in list(bpy.data.objects):
        bpy.data.objects.remove(item)
    window.values["width"] = window.sidebar.width
    window.values["view"] = _rectangle(window.area)
    window.values["sidebar"] = _rectangle(window.sidebar)
    yield from both(window, "no_engine")
    window.use_engine()
    api, session = window.module("api"), window.module("jobs.session").session()
    frame = api.import_capture(window.job["capture"])
    _frame_view(window, window.module("scene.frame").frame_box(frame))
    yield from both(window, "imported")
    yield from jobs(window, api, session, frame)
    yield from editing(window, api, session, frame)
    yield from results(window, api, session, frame)
    yield from preference_page(window)


def jobs(window: Window, api: object, session: object, frame: bpy.types.Object) -> Iterator[float]:
    """A job with others behind it, one that was cancelled, one that failed."""
    api.train(frame, "hash", preset="small", budget=40, wait=False)
    api.convert(frame, "vm", field=_any_field(window), preset="small", wait=False)
    yield from window.until(lambda: _has_icons(window, session), 90)
    yield from both(window, "running")
    session.queue.clear()
    api.cancel()
    yield from window.until(lambda: not session.busy, 60)
    yield from both(window, "cancelled")
    api.discard(session.unfinished[0].folder)
    broken = window.folder / "broken.safetensors"
    broken.write_bytes(b"nothing")
    api.extract_volume(frame, broken, wait=False)
    yield from window.until(lambda: session.error is not None, 60)
    yield from both(window, "failed")
    bpy.ops.convert_field.dismiss()


def editing(
    window: Window, api: object, session: object, frame: bpy.types.Object
) -> Iterator[float]:
    """A teacher with its volume, shapes of every kind, and modifiers where Blender has them."""
    teacher = api.train(frame, "hash", preset="small", budget=window.job["seconds"])
    api.extract_volume(frame, resolution=128)
    yield from both(window, "trained")
    for op, shape in (("erase", "box"), ("keep", "sphere"), ("duplicate", "box"), ("tint", "box")):
        item = api.add_shape(frame, op, shape, location=(0.4, 0.0, 0.5))
        item.scale = (0.4, 0.4, 0.4)
    yield from both(window, "shapes")
    for item in window.module("scene.edit_shapes").edit_shapes(frame):
        if not item.name.startswith("Erase"):
            bpy.data.objects.remove(item)
    if bpy.app.version >= (5, 0, 0):
        box = api.add_field_erase(frame, location=(-0.5, 0, 0.5), field=teacher)
        box.scale = (0.4, 0.6, 0.6)
        yield from both(window, "nodes")
        bpy.data.objects.remove(box)
    bpy.context.scene.convert_field.student.architecture = "light_field"
    yield from both(window, "light_field")
    student = bpy.context.scene.convert_field.student
    student.architecture, student.limit = "mlp", "QUALITY"


def results(
    window: Window, api: object, session: object, frame: bpy.types.Object
) -> Iterator[float]:
    """A student with its figures, the field in the 3D View, and among objects."""
    api.convert(frame, "vm", preset="small", budget=window.job["seconds"], wait=False)
    yield from window.until(lambda: _has_icons(window, session), 90)
    window.picture("converting")
    yield from window.until(lambda: not session.busy, 300)
    assert session.error is None, session.error
    camera = next(item for item in frame.children if item.type == "CAMERA")
    with bpy.context.temp_override(window=bpy.context.window_manager.windows[0], area=window.area):
        api.look_through(camera)
    yield from both(window, "converted")
    picture = api.compare(frame)
    picture.save_render(str(window.folder / "compared.png"))
    bpy.context.scene.render.engine = "CONVERT_FIELD"
    window.view.shading.type = "RENDERED"
    window.view.overlay.show_overlays = False
    yield 30.0
    window.picture("view")
    window.view.shading.type = "SOLID"
    window.view.overlay.show_overlays = True
    bpy.context.scene.render.engine = "BLENDER_WORKBENCH"
    bpy.ops.mesh.primitive_uv_sphere_add(radius=0.5, location=(0.6, 0.3, 0.5))
    api.combine_by_depth(frame)
    bpy.context.scene.render.filepath = str(window.folder / "combined.png")
    bpy.ops.render.render(write_still=True)
    yield 0.5


def _rectangle(part: bpy.types.Area | bpy.types.Region) -> list[int]:
    """Return left, bottom, width and height in the window, pixels."""
    return [part.x, part.y, part.width, part.height]


def _frame_view(window: Window, box: np.ndarray) -> None:
    """Look at a box from near by."""
    view = window.view.region_3d
    view.view_location = tuple(box.mean(axis=0))
    view.view_distance = 2.2 * float(np.ptp(box, axis=0).max())


def preference_page(window: Window) -> Iterator[float]:
    """The add-on's preferences."""
    bpy.ops.preferences.addon_show(module=ADD_ON)
    yield 1.5
    window.picture("preferences")


def both(window: Window, name: str) -> Iterator[float]:
    """A picture in each theme."""
    yield 0.6
    window.picture(f"{name}_dark")
    _theme(LIGHT)
    yield 0.6
    window.picture(f"{name}_light")
    bpy.ops.preferences.reset_default_theme()
    yield 0.3


def _theme(name: str) -> None:
    folders = bpy.utils.preset_paths(name.rpartition("/")[0])
    path = next(Path(folder) / Path(name).name for folder in folders)
    bpy.ops.script.execute_preset(
        filepath=str(path), menu_idname="USERPREF_MT_interface_theme_presets"
    )


def _has_icons(window: Window, session: object) -> bool:
    """True once the running job has a picture of its field and a curve of its quality."""
    icons, job = window.module("ui.icons").icons(), session.job
    return job is not None and bool(icons.curve(job.curve) and icons.picture(job.preview))


def _any_field(window: Window) -> Path:
    """Something for a job that is never begun."""
    path = window.folder / "waiting.safetensors"
    path.touch()
    return path
