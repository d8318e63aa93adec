"""From the zip to a converted field, by mouse and keyboard."""

import time
from collections.abc import Iterator
from pathlib import Path

import blocked
import bpy
from in_blender import Window


def steps(window: Window) -> Iterator[float]:
    """Everything that an artist does on a first day, in order."""
    yield from window.install()
    for item in list(bpy.data.objects):
        bpy.data.objects.remove(item)
    yield from engine(window)
    watch = blocked.watch(window)
    frame = yield from import_capture(window)
    yield from train(window)
    yield from edit(window, frame)
    yield from convert(window)
    window.values["blocked"] = watch.seconds
    yield from render(window)
    yield from save_and_reopen(window)


def engine(window: Window) -> Iterator[float]:
    """Name a Python, have the engine checked."""
    session = window.module("jobs.session").session()
    window.area.tag_redraw()
    yield 0.3
    window.picture("01_no_engine")
    window.use_engine()
    bpy.ops.convert_field.check_engine()
    yield from window.until(lambda: session.engine.check is None, 60)
    assert session.engine.error is None, session.engine.error
    assert "torch" in session.engine.report.lower(), session.engine.report


def import_capture(window: Window) -> Iterator[float]:
    """Choose the capture's folder in the file browser."""
    yield from window.click("import_capture")
    yield from window.until(lambda: browser() is not None, 10)
    found = browser()
    found.spaces.active.params.directory = window.job["capture"].encode()
    yield 0.5
    with bpy.context.temp_override(**place_of(found)):
        bpy.ops.file.execute()
    state = bpy.context.scene.convert_field
    yield from window.until(lambda: state.frame is not None, 30)
    frame = state.frame
    assert sum(item.type == "CAMERA" for item in frame.children) > 2
    yield from window.click("look_through(offset=1")
    assert bpy.context.scene.camera is not None
    yield 0.5
    window.picture("02_imported")
    return frame


def train(window: Window) -> Iterator[float]:
    """Train, cancel by a click, resume by a click."""
    session = window.module("jobs.session").session()
    scene = bpy.context.scene
    teacher = scene.convert_field.teacher
    teacher.limit, teacher.steps, teacher.preset = "STEPS", 400, "small"
    yield from window.click("train")
    yield from window.until(lambda: session.busy and session.job.progress.step > 10, 120)
    window.picture("03_training")
    place = yield from window.find("cancel")
    reached = session.job.progress.step
    yield from window.press(*place)
    assert session.busy is False or session.job.state.value == "cancelling"
    yield from window.until(lambda: not session.busy, 60)
    assert session.unfinished, "a cancelled job is offered"
    assert "cancelled" in session.message
    window.picture("04_cancelled")
    yield from window.click("resume")
    yield from window.until(lambda: session.busy and session.job.progress.step > 0, 60)
    assert session.job.progress.step >= reached > 0, (session.job.progress.step, reached)
    fields = scene.convert_field.frame.convert_field.fields
    # The volume follows from the training, for "Show When Done" is on.
    yield from window.until(lambda: len(fields) == 1 and not session.busy, 240)
    assert session.error is None, session.error
    assert fields[0].volume is not None
    window.picture("05_trained")


def edit(window: Window, frame: bpy.types.Object) -> Iterator[float]:
    """Add a box, undo it, add it again, apply it."""
    session = window.module("jobs.session").session()
    shapes = window.module("scene.edit_shapes").edit_shapes
    scene = bpy.context.scene
    yield from window.click("extract_volume")
    yield from window.until(lambda: not session.busy, 60)
    yield from window.click("add_shape(op='erase', shape='box'")
    frame = bpy.context.scene.convert_field.frame
    assert len(shapes(frame)) == 1
    yield from window.key("Z", ctrl=True)
    yield 0.5
    frame = bpy.context.scene.convert_field.frame
    assert len(shapes(frame)) == 0, "undo takes the shape away and leaves the capture"
    yield from window.click("add_shape(op='erase', shape='box'")
    frame = bpy.context.scene.convert_field.frame
    box = shapes(frame)[0]
    box.scale = (0.4, 0.4, 0.4)
    box.location.x += 0.4
    yield 0.3
    window.picture("06_shape")
    yield from window.click("apply_edits")
    scene = bpy.context.scene
    fields = scene.convert_field.frame.convert_field.fields
    yield from window.until(lambda: len(fields) == 2 and not session.busy, 120)
    assert session.error is None, session.error
    assert fields[1].role == "EDITED"


def convert(window: Window) -> Iterator[float]:
    """Convert the edited field."""
    session = window.module("jobs.session").session()
    values = bpy.context.scene.convert_field
    values.student.architecture = "vm"
    values.student.limit, values.student.steps, values.student.preset = "STEPS", 60, "small"
    yield from window.click("convert(")
    yield from window.until(lambda: session.busy and session.job.progress.step > 5, 120)
    window.picture("07_converting")
    fields = values.frame.convert_field.fields
    yield from window.until(lambda: len(fields) == 3 and not session.busy, 240)
    assert session.error is None, session.error
    assert fields[2].role == "STUDENT"
    window.picture("08_converted")


def render(window: Window) -> Iterator[float]:
    """Render by F12 with the engine PVD Field, and show the field in the 3D View."""
    scene = bpy.context.scene
    scene.render.engine = "CONVERT_FIELD"
    scene.render.filepath = str(window.folder / "f12.png")
    done = []
    bpy.app.handlers.render_complete.append(lambda *_: done.append(True))
    bpy.context.preferences.view.render_display_type = "NONE"
    yield from window.key("F12")
    yield from window.until(lambda: done, 90)
    result = bpy.data.images["Render Result"]
    result.save_render(str(window.folder / "f12.png"))
    picture = bpy.data.images.load(str(window.folder / "f12.png"))
    values = list(picture.pixels)
    assert max(values[3::4]) > 0.5, "something is rendered"
    window.view.shading.type = "RENDERED"
    yield 6.0
    window.picture("09_view")
    window.view.shading.type = "SOLID"


def save_and_reopen(window: Window) -> Iterator[float]:
    """Save, open another file, open it again: all is as it was."""
    path = window.folder / "saved" / "day.blend"
    path.parent.mkdir(exist_ok=True)
    before = [(item.name, item.role) for item in _fields()]
    bpy.ops.wm.save_as_mainfile(filepath=str(path))
    bpy.ops.wm.read_homefile(use_empty=False)
    yield 1.0
    bpy.ops.wm.open_mainfile(filepath=str(path))
    yield 1.0
    assert [(item.name, item.role) for item in _fields()] == before
    assert all(Path(bpy.path.abspath(item.path)).is_file() for item in _fields())
    yield from window.show_tab()
    window.picture("10_reopened")
    window.values["reopened_at"] = time.time()


def _fields() -> list:
    return list(bpy.context.scene.convert_field.frame.convert_field.fields)


def browser() -> bpy.types.Area | None:
    """Return the open file browser."""
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            if area.type == "FILE_BROWSER":
                return area
    return None


def place_of(area: bpy.types.Area) -> dict:
    """Return the context of an area's main region."""
    for window in bpy.context.window_manager.windows:
        if area in list(window.screen.areas):
            region = next(r for r in area.regions if r.type == "WINDOW")
            return {"window": window, "area": area, "region": region}
    raise AssertionError("the area is in no window")
