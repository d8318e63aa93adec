"""The file of a Blender that was killed: its job is offered and goes on."""

from collections.abc import Iterator

import bpy
from in_blender import Window


def steps(window: Window) -> Iterator[float]:
    """Open the file, resume by a click, wait for the end."""
    yield from window.install()
    window.use_engine()
    bpy.ops.wm.open_mainfile(filepath=str(window.folder / "killed.blend"))
    yield 1.0
    yield from window.show_tab()
    session = window.module("jobs.session").session()
    assert [job.label for job in session.unfinished] == ["Train Hash Grid"]
    window.picture("offered")
    yield from window.click("resume")
    yield from window.until(lambda: session.busy and session.job.progress.step > 0, 60)
    window.values["first_step"] = session.job.progress.step
    fields = bpy.context.scene.convert_field.frame.convert_field.fields
    yield from window.until(lambda: len(fields) == 2 and not session.busy, 300)
    assert session.error is None, session.error
