"""Common parts of the operators: reporting failures, and reasons for greyed-out buttons."""

import contextlib
from collections.abc import Iterator

import bpy
from bpy.app.translations import pgettext_rpt as rpt_
from bpy.types import Context, Object, Operator

from ...engine.checked import is_file
from ...errors import ConvertFieldError
from ...jobs.tasks.training import NO_PHOTOGRAPHS
from ...preferences import engine_problem
from ...scene.frame import has_photographs
from ...state.properties import ConvertFieldScene, active_field, active_frame


def settings_of(context: Context) -> ConvertFieldScene:
    """Return the panels' settings."""
    return context.scene.convert_field


def why_no_job() -> str | None:
    """Return why no job can be started, in one sentence, or None."""
    problem = engine_problem()
    return problem.rstrip(".") if problem else None


def why_no_capture(context: Context) -> str | None:
    """Return why there is nothing to work on, in one sentence, or None."""
    if active_frame(context) is None:
        return "There is no capture; import one first"
    return None


def why_no_photographs(context: Context) -> str | None:
    """Return why there is nothing to train from, in one sentence, or None."""
    reason = why_no_capture(context)
    if reason is None and not has_photographs(active_frame(context)):
        return NO_PHOTOGRAPHS.rstrip(".")
    return reason


def why_no_field(context: Context) -> str | None:
    """Return why there is no field to work on, in one sentence, or None."""
    frame = active_frame(context)
    if frame is None:
        return why_no_capture(context)
    item = active_field(frame)
    if item is None:
        return "There is no field yet; train a teacher first"
    return None if is_file(item.path) else f"The field's file is missing: {item.path}"


def why_no_density(context: Context) -> str | None:
    """Return why there is no field with density to work on, in one sentence, or None."""
    reason = why_no_field(context)
    if reason is None and active_field(active_frame(context)).role == "LIGHT":
        return "A light field has no density; select the field that it was converted from"
    return reason


class GuardedOperator(Operator):
    """An operator that gives a reason when it is greyed out, and reports failures."""

    @classmethod
    def why_not(cls, context: Context) -> str | None:
        """Return why the operator cannot run now, or None."""
        return None

    @classmethod
    def poll(cls, context: Context) -> bool:
        """Return whether the operator can run; if not, its tooltip shows the reason."""
        reason = cls.why_not(context)
        if reason:
            cls.poll_message_set(reason)
        return reason is None

    def execute(self, context: Context) -> set[str]:
        """Run; a failure is reported and cancels the operator."""
        failures: list[str] = []
        with collected(failures):
            self.act(context)
        for failure in failures:
            self.report({"ERROR"}, rpt_(failure))
        return {"CANCELLED"} if failures else {"FINISHED"}

    def act(self, context: Context) -> None:
        """Do the operator's work."""
        raise NotImplementedError


class JobOperator(GuardedOperator):
    """An operator that starts a job; in background mode it waits for the job's end."""

    @property
    def wait(self) -> bool:
        """True in background mode, where nothing but waiting is possible."""
        return bpy.app.background

    @classmethod
    def why_not(cls, context: Context) -> str | None:
        """Return why no job can be started."""
        return why_no_job()


class CaptureJobOperator(JobOperator):
    """A job on the active capture."""

    @classmethod
    def why_not(cls, context: Context) -> str | None:
        """Return why no job can be started on a capture."""
        return why_no_capture(context) or super().why_not(context)

    def frame(self, context: Context) -> Object:
        """Return the active capture's frame."""
        return active_frame(context)


class FieldJobOperator(CaptureJobOperator):
    """A job on the selected field."""

    @classmethod
    def why_not(cls, context: Context) -> str | None:
        """Return why no job can be started on a field."""
        return why_no_field(context) or super().why_not(context)


class DensityJobOperator(FieldJobOperator):
    """A job on the selected field that needs its density."""

    @classmethod
    def why_not(cls, context: Context) -> str | None:
        """Return why no job can be started on the density of a field."""
        return why_no_density(context) or super().why_not(context)


@contextlib.contextmanager
def collected(failures: list[str]) -> Iterator[None]:
    """Collect the messages of failures that are reported to the user."""
    try:
        yield
    except ConvertFieldError as error:
        failures.append(str(error))


def select_only(context: Context, item: Object) -> None:
    """Select a new object and nothing else, as Blender's add operators do."""
    for other in context.selected_objects:
        other.select_set(False)
    context.view_layer.update()
    item.select_set(True)
    context.view_layer.objects.active = item
