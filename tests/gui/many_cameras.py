"""A capture of many cameras comes into a window."""

import time
from collections.abc import Iterator

import blocked
import bpy
from in_blender import Window


def steps(window: Window) -> Iterator[float]:
    """Import it, with the time that it takes and how long it holds the window up."""
    yield from window.install()
    window.use_engine()
    api, session = window.module("api"), window.module("jobs.session").session()
    watch = blocked.watch(window)
    started = time.monotonic()
    api.import_capture(window.job["capture"], wait=False)
    yield from window.until(lambda: not session.busy, 60)
    window.values["seconds_to_import"] = time.monotonic() - started
    window.values["blocked"] = watch.seconds
    assert session.error is None, session.error
    frame = bpy.context.scene.convert_field.frame
    cameras = [item for item in frame.children if item.type == "CAMERA"]
    images = {item.data.background_images[0].image for item in cameras}
    window.values["cameras"] = len(cameras)
    window.values["loaded_images"] = sum(image.has_data for image in images)
    window.picture("many")
