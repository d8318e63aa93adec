"""A job and a 3D View that both keep an engine busy, until Blender is killed."""

import json
import os
from collections.abc import Iterator

import bpy
from in_blender import Window


def steps(window: Window) -> Iterator[float]:
    """Train twice, the first time to its end; write who runs; then wait to be killed."""
    yield from window.install()
    window.use_engine()
    api, session = window.module("api"), window.module("jobs.session").session()
    frame = api.import_capture(window.job["capture"])
    api.train(frame, "hash", preset="small", steps=40)
    bpy.ops.wm.save_as_mainfile(filepath=str(window.folder / "killed.blend"))
    api.train(frame, "hash", preset="small", steps=400, wait=False)
    yield from window.until(lambda: session.job.progress.step > 0, 60)
    bpy.context.scene.render.engine = "CONVERT_FIELD"
    window.view.shading.type = "RENDERED"
    yield from window.until(lambda: session.pictures.pid, 60)
    running = {
        "blender": os.getpid(),
        "engines": [session.job.process.pid, session.pictures.pid],
        "step": session.job.progress.step,
    }
    ready = window.folder / "ready.json"
    ready.with_suffix(".part").write_text(json.dumps(running), encoding="utf-8")
    ready.with_suffix(".part").rename(ready)
    yield from window.until(lambda: False, 300)
