"""A scene becomes a dataset in a window that stays alive; Esc leaves nothing."""

import math
import time
from collections.abc import Iterator
from pathlib import Path

import blocked
import bpy
from first_day import browser, place_of
from in_blender import Window

VIEWS = 5


def steps(window: Window) -> Iterator[float]:
    """Export by the button: once stopped by Esc, once to the end, once what is refused."""
    yield from window.install()
    window.use_engine()
    scene = bpy.context.scene
    scene.render.engine = "CYCLES"
    scene.cycles.samples, scene.cycles.use_denoising = 300, False
    scene.render.threads_mode, scene.render.threads = "FIXED", 1  # software GL needs one, too
    scene.render.resolution_x, scene.render.resolution_y = 160, 120
    for index in range(VIEWS - 1):
        _camera(index)
    state, operator = window.module("jobs.session").session(), _operator(window)
    watch = blocked.Watch()
    watch.wrap(operator, "_go_on", "steps")
    yield from _stop(window)
    folder = window.folder / "whole"
    yield from _export(window, folder)
    started = last = time.monotonic()
    longest = 0.0
    while operator.step is not None:
        yield 0.02
        longest, last = max(longest, time.monotonic() - last), time.monotonic()
    window.values["seconds_to_export"] = last - started
    window.values["longest_without_the_window"] = longest
    window.values["blocked"] = watch.seconds
    assert state.error is None, state.error
    assert len(list(folder.rglob("*.png"))) == VIEWS, sorted(folder.rglob("*"))
    assert state.message.startswith(f"Exported {VIEWS} views"), state.message
    window.picture("exported")

    yield from _export(window, folder, wait=False)
    yield from window.until(lambda: state.error is not None, 10)
    assert "not an empty folder" in str(state.error)
    assert operator.step is None
    bpy.ops.convert_field.dismiss()
    api = window.module("api")
    api.import_capture(folder, wait=False)
    yield from window.until(lambda: scene.convert_field.frame is not None, 60)
    window.picture("imported_again")


def _stop(window: Window) -> Iterator[float]:
    """Press Esc while a camera is followed through a long animation."""
    scene, operator = bpy.context.scene, _operator(window)
    state = window.module("jobs.session").session()
    camera, folder, scene.frame_end = scene.camera, window.folder / "stopped", 90_000
    yield from _export(window, folder, cameras="ANIMATION")
    yield from window.until(lambda: operator.step and operator.step.fraction > 0, 120)
    window.picture("following")
    yield from window.key("ESC")
    yield from window.until(lambda: operator.step is None, 60)
    window.values["stopped"] = state.message
    assert "cancelled" in state.message, state.message
    assert sorted(path.name for path in window.folder.glob("*stopped*")) == []
    assert (scene.camera, scene.frame_current) == (camera, 1)
    assert bpy.context.preferences.view.render_display_type == "WINDOW"


def _operator(window: Window) -> type:
    """The operator that exports the scene."""
    return window.module("ui.operators.export").CONVERT_FIELD_OT_export_scene


def _camera(index: int) -> None:
    data = bpy.data.cameras.new("Around")
    item = bpy.data.objects.new("Around", data)
    bpy.context.scene.collection.objects.link(item)
    angle = index * 2 * math.pi / VIEWS
    item.location = (6 * math.cos(angle), 6 * math.sin(angle), 3)
    item.rotation_euler = item.location.to_track_quat("Z", "Y").to_euler()


def _export(
    window: Window, folder: Path, wait: bool = True, cameras: str = "ALL"
) -> Iterator[float]:
    """Choose a folder in the file browser."""
    for item in bpy.context.selected_objects:
        item.select_set(False)
    # While an export runs the panel does not see the mouse leave the button.
    yield from window.move(window.area.x + 400, window.area.y + 400)
    yield 0.5
    yield from window.click("export_scene")
    yield from window.until(lambda: browser() is not None, 10)
    found = browser()
    found.spaces.active.params.directory = str(folder.parent).encode()
    found.spaces.active.params.filename = folder.name
    found.spaces.active.active_operator.cameras = cameras
    yield 0.5
    with bpy.context.temp_override(**place_of(found)):
        bpy.ops.file.execute()
    operator = _operator(window)
    if wait:
        yield from window.until(lambda: operator.step is not None, 20)
