"""Opening a file: messages of the file before go, its unfinished jobs are looked up."""

import bpy
from bpy.app.handlers import persistent

from ..scene.frame import NAME
from ..state.properties import active_frame
from .session import session


@persistent
def _after_load(*_arguments: object) -> None:
    running = session()
    if not running.busy:
        running.message, running.error = "", None
    frame = active_frame(bpy.context)
    running.look_for_unfinished(frame[NAME] if frame else None)


def register() -> None:
    """Listen for opened files."""
    bpy.app.handlers.load_post.append(_after_load)


def unregister() -> None:
    """Stop listening."""
    bpy.app.handlers.load_post.remove(_after_load)
