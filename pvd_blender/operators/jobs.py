"""Operators on jobs and on the engine itself: cancel, resume, the log, checking the engine."""

from pathlib import Path

import bpy
from bpy.props import IntProperty, StringProperty
from bpy.types import Context, Event

from .. import api
from ..session import session
from .base import GuardedOperator, JobOperator, why_no_job


class CONVERT_FIELD_OT_cancel(GuardedOperator):
    """Stop the running job."""

    bl_idname = "convert_field.cancel"
    bl_label = "Cancel"
    bl_description = "Stop the running job at a checkpoint; it can be resumed"
    bl_options = {"REGISTER"}

    @classmethod
    def why_not(cls, _context: Context) -> str | None:
        """Return why there is nothing to cancel."""
        return None if session().busy else "No job is running"

    def act(self, _context: Context) -> None:
        """Cancel."""
        api.cancel()


class CONVERT_FIELD_OT_unqueue(GuardedOperator):
    """Give up what waits for its turn."""

    bl_idname = "convert_field.unqueue"
    bl_label = "Remove from Queue"
    bl_description = "Do not do this when the running job is done"
    bl_options = {"REGISTER"}

    index: IntProperty(
        name="Place", description="Its place in the queue, from 0", min=0, options={"SKIP_SAVE"}
    )

    def act(self, _context: Context) -> None:
        """Take it out."""
        queue = session().queue
        if self.index >= len(queue):
            raise api.ConvertFieldError("It is not in the queue any more.")
        del queue[self.index]


class CONVERT_FIELD_OT_resume(JobOperator):
    """Go on with a job that was stopped."""

    bl_idname = "convert_field.resume"
    bl_label = "Resume"
    bl_description = "Go on from the checkpoint of the job that was stopped last"
    bl_options = {"REGISTER"}

    folder: StringProperty(
        name="Job", description="The job's folder", subtype="DIR_PATH", options={"SKIP_SAVE"}
    )

    def act(self, _context: Context) -> None:
        """Resume."""
        unfinished = session().unfinished
        if not self.folder and not unfinished:
            raise api.ConvertFieldError("There is no unfinished job.")
        api.resume(self.folder or unfinished[0], wait=self.wait)


class CONVERT_FIELD_OT_discard(GuardedOperator):
    """Give up a job that was stopped."""

    bl_idname = "convert_field.discard"
    bl_label = "Discard"
    bl_description = "Delete the checkpoint of the job that was stopped; it cannot be resumed then"
    bl_options = {"REGISTER"}

    folder: StringProperty(
        name="Job", description="The job's folder", subtype="DIR_PATH", options={"SKIP_SAVE"}
    )

    def invoke(self, context: Context, event: Event) -> set[str]:
        """Ask first."""
        return context.window_manager.invoke_confirm(self, event)

    def act(self, _context: Context) -> None:
        """Discard."""
        api.discard(self.folder)


class CONVERT_FIELD_OT_open_log(GuardedOperator):
    """Open the log of the job that failed."""

    bl_idname = "convert_field.open_log"
    bl_label = "Open Log"
    bl_description = "Show what the engine wrote in a text editor, or in the system's own"
    bl_options = {"REGISTER"}

    @classmethod
    def why_not(cls, _context: Context) -> str | None:
        """Return why there is no log."""
        log = _log()
        return None if log is not None and log.is_file() else "There is no log"

    def act(self, context: Context) -> None:
        """Open it."""
        for area in context.screen.areas if context.screen else ():
            if area.type == "TEXT_EDITOR":
                area.spaces.active.text = bpy.data.texts.load(str(_log()))
                return
        bpy.ops.wm.path_open(filepath=str(_log()))


class CONVERT_FIELD_OT_dismiss(GuardedOperator):
    """Take the message of a failure away."""

    bl_idname = "convert_field.dismiss"
    bl_label = "Dismiss"
    bl_description = "Take this message away"
    bl_options = {"INTERNAL"}

    def act(self, _context: Context) -> None:
        """Dismiss."""
        session().error = None
        session().message = ""


class CONVERT_FIELD_OT_check_engine(JobOperator):
    """Start the engine and say what it is."""

    bl_idname = "convert_field.check_engine"
    bl_label = "Check Engine"
    bl_description = "Start the engine and show its versions and device"
    bl_options = {"REGISTER"}

    @classmethod
    def why_not(cls, _context: Context) -> str | None:
        """Return why the engine cannot be checked now."""
        if session().busy:
            return "A job is running; the engine is there"
        return "The engine is being checked" if session().check else why_no_job()

    def act(self, _context: Context) -> None:
        """Check."""
        report = api.check_engine(wait=self.wait)
        if report:
            self.report({"INFO"}, report)


def _log() -> Path | None:
    running = session()
    if running.error is not None:
        return running.error.log
    return running.job.log if running.job else None


CLASSES = (
    CONVERT_FIELD_OT_cancel,
    CONVERT_FIELD_OT_unqueue,
    CONVERT_FIELD_OT_resume,
    CONVERT_FIELD_OT_discard,
    CONVERT_FIELD_OT_open_log,
    CONVERT_FIELD_OT_dismiss,
    CONVERT_FIELD_OT_check_engine,
)
