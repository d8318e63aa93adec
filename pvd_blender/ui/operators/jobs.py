"""Operators for jobs and for the engine itself: cancel, resume, the log, set-up and check."""

import sys
from pathlib import Path

import bpy
from bpy.props import IntProperty, StringProperty
from bpy.types import Context, Event

from ... import api
from ...api.engine import OFFLINE
from ...jobs.session import session
from ...preferences import environment_folder
from .base import GuardedOperator, JobOperator, why_no_job

DOWNLOAD = {
    "linux": "About 3 GB: on Linux PyTorch includes CUDA for NVIDIA cards",
    "other": "About 0.5 GB: PyTorch for the CPU; Pip Options can name another build",
}
"""Size of the download and build of PyTorch, by ``sys.platform``."""


class CONVERT_FIELD_OT_cancel(GuardedOperator):
    """Stop the running job."""

    bl_idname = "convert_field.cancel"
    bl_label = "Cancel Job"
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
    """Remove a job from the queue."""

    bl_idname = "convert_field.unqueue"
    bl_label = "Remove from Queue"
    bl_description = "Remove this job from the queue"
    bl_options = {"REGISTER"}

    index: IntProperty(
        name="Index",
        description="Position of the job in the queue, from 0",
        min=0,
        options={"SKIP_SAVE"},
    )

    def act(self, _context: Context) -> None:
        """Remove it."""
        queue = session().queue
        if self.index >= len(queue):
            raise api.ConvertFieldError("The job is not in the queue any more.")
        del queue[self.index]


class CONVERT_FIELD_OT_resume(JobOperator):
    """Resume a job that was stopped."""

    bl_idname = "convert_field.resume"
    bl_label = "Resume Job"
    bl_description = "Go on with this job from its checkpoint"
    bl_options = {"REGISTER"}

    folder: StringProperty(
        name="Job", description="Folder of the job", subtype="DIR_PATH", options={"SKIP_SAVE"}
    )

    def act(self, _context: Context) -> None:
        """Resume."""
        unfinished = session().unfinished
        if not self.folder and not unfinished:
            raise api.ConvertFieldError("There is no unfinished job; start a new one.")
        api.resume(self.folder or unfinished[0].folder, wait=self.wait)


class CONVERT_FIELD_OT_discard(GuardedOperator):
    """Discard a job that was stopped."""

    bl_idname = "convert_field.discard"
    bl_label = "Discard Job"
    bl_description = "Delete the checkpoint of this job, which cannot be resumed then"
    bl_options = {"REGISTER"}

    folder: StringProperty(
        name="Job", description="Folder of the job", subtype="DIR_PATH", options={"SKIP_SAVE"}
    )

    def invoke(self, context: Context, event: Event) -> set[str]:
        """Ask the user first."""
        return context.window_manager.invoke_confirm(self, event)

    def act(self, _context: Context) -> None:
        """Discard."""
        api.discard(self.folder)


class CONVERT_FIELD_OT_open_log(GuardedOperator):
    """Open the log of the job that failed."""

    bl_idname = "convert_field.open_log"
    bl_label = "Open Log"
    bl_description = "Show the engine's log in a text editor of Blender, or in the system's"
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
    """Dismiss a message."""

    bl_idname = "convert_field.dismiss"
    bl_label = "Dismiss Message"
    bl_description = "Dismiss this message"
    bl_options = {"INTERNAL"}

    def act(self, _context: Context) -> None:
        """Dismiss."""
        session().error = None
        session().message = ""


class CONVERT_FIELD_OT_set_up_engine(GuardedOperator):
    """Make the engine's environment."""

    bl_idname = "convert_field.set_up_engine"
    bl_label = "Set Up Engine"
    bl_description = (
        "Make a Python environment in the extension's folder and download the engine's libraries "
        "into it; it can be cancelled and repeated"
    )
    bl_options = {"REGISTER"}

    @classmethod
    def why_not(cls, _context: Context) -> str | None:
        """Return why the engine cannot be set up now."""
        if session().engine.set_up is not None:
            return "The engine is being set up"
        return None if bpy.app.online_access else OFFLINE.rstrip(".")

    def invoke(self, context: Context, _event: Event) -> set[str]:
        """Show the download and its folder, and ask the user."""
        return context.window_manager.invoke_props_dialog(
            self, width=460, title="Set Up Engine", confirm_text="Download"
        )

    def draw(self, _context: Context) -> None:
        """Draw the question."""
        column = self.layout.column()
        column.label(text="PyTorch, NVIDIA Warp and other libraries are downloaded:")
        column.label(text=DOWNLOAD.get(sys.platform, DOWNLOAD["other"]), icon="IMPORT")
        column.label(text=f"Into {environment_folder()}", icon="FILE_FOLDER")

    def act(self, _context: Context) -> None:
        """Start the set-up."""
        report = api.set_up_engine(wait=bpy.app.background)
        if report:
            self.report({"INFO"}, report)


class CONVERT_FIELD_OT_cancel_set_up(GuardedOperator):
    """Stop setting up the engine."""

    bl_idname = "convert_field.cancel_set_up"
    bl_label = "Cancel Set-Up"
    bl_description = "Stop setting up the engine and delete its unfinished environment"
    bl_options = {"REGISTER"}

    @classmethod
    def why_not(cls, _context: Context) -> str | None:
        """Return why there is nothing to cancel."""
        return None if session().engine.set_up is not None else "The engine is not being set up"

    def act(self, _context: Context) -> None:
        """Cancel."""
        session().engine.set_up.cancel()


class CONVERT_FIELD_OT_check_engine(JobOperator):
    """Start the engine and show its versions."""

    bl_idname = "convert_field.check_engine"
    bl_label = "Check Engine"
    bl_description = "Start the engine and show its versions and device"
    bl_options = {"REGISTER"}

    @classmethod
    def why_not(cls, _context: Context) -> str | None:
        """Return why the engine cannot be checked now."""
        if session().busy:
            return "A job is running, so the engine works"
        return "The engine is being checked" if session().engine.check else why_no_job()

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
    CONVERT_FIELD_OT_set_up_engine,
    CONVERT_FIELD_OT_cancel_set_up,
    CONVERT_FIELD_OT_check_engine,
)
