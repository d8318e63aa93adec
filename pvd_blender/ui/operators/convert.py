"""Operators of the fourth step: convert a field, open its report, render it, compare it."""

from pathlib import Path

import bpy
from bpy.types import Context, Object

from ... import api
from ...engine.checked import file_inside, is_file
from ...preferences import engine_settings
from ...render.compositing import ENGINE
from ...state.properties import FieldItem, active_field, active_frame
from .base import DensityJobOperator, FieldJobOperator, GuardedOperator, settings_of, why_no_field


class CONVERT_FIELD_OT_convert(DensityJobOperator):
    """Distil the selected field into another architecture."""

    bl_idname = "convert_field.convert"
    bl_label = "Convert"
    bl_description = (
        "Convert the selected field into a field of another architecture by distillation"
    )
    bl_options = {"REGISTER"}

    def act(self, context: Context) -> None:
        """Convert."""
        values = settings_of(context)
        student = values.student
        api.convert(
            self.frame(context),
            student.composition(),
            **student.making(),
            **student.distilling(),
            volume_resolution=values.volume_resolution if values.show_volume else None,
            wait=self.wait,
        )


class CONVERT_FIELD_OT_open_report(GuardedOperator):
    """Open the report of the conversion that made the selected field."""

    bl_idname = "convert_field.open_report"
    bl_label = "Open Report"
    bl_description = (
        "Open the report of the selected field's conversion in the web browser: quality before and "
        "after, pictures with their errors, curves and settings"
    )
    bl_options = {"REGISTER"}

    @classmethod
    def why_not(cls, context: Context) -> str | None:
        """Return why there is no report."""
        item = active_field(active_frame(context))
        if item is None or not item.report:
            return "The selected field has no report"
        if not is_file(item.report):
            return f"The report is missing: {item.report}"
        if _report_page(item) is None:
            return f"The report is no page in the work folder: {item.report}"
        return None

    def act(self, context: Context) -> None:
        """Open it."""
        bpy.ops.wm.url_open(url=_report_page(active_field(active_frame(context))).as_uri())


def _report_page(item: FieldItem) -> Path | None:
    """Return a field's report, or None if it is no page that a job wrote.

    A .blend can name any file or address; the browser would run what that holds.
    """
    return file_inside(engine_settings().work_folder.absolute(), item.report, ".html")


class CONVERT_FIELD_OT_render(FieldJobOperator):
    """Render the selected field from the scene's camera."""

    bl_idname = "convert_field.render"
    bl_label = "Render Field"
    bl_description = (
        "Render the selected field from the scene's camera into an image, which open image editors "
        "show"
    )
    bl_options = {"REGISTER"}

    @classmethod
    def why_not(cls, context: Context) -> str | None:
        """Return why nothing can be rendered."""
        return why_no_camera(context) or super().why_not(context)

    def act(self, context: Context) -> None:
        """Render."""
        api.render(self.frame(context), wait=self.wait)


class CONVERT_FIELD_OT_compare(FieldJobOperator):
    """Show the selected field next to another one."""

    bl_idname = "convert_field.compare"
    bl_label = "Compare Fields"
    bl_description = (
        "Render the selected field and another one side by side from the scene's camera, with the "
        "map of their difference, into an image, which open image editors show"
    )
    bl_options = {"REGISTER"}

    @classmethod
    def why_not(cls, context: Context) -> str | None:
        """Return why there is nothing to compare."""
        return (
            why_no_field(context)
            or _why_no_reference(active_frame(context))
            or why_no_camera(context)
            or super().why_not(context)
        )

    def act(self, context: Context) -> None:
        """Compare."""
        frame = self.frame(context)
        api.compare(frame, reference=_reference(frame), wait=self.wait)


def _reference(frame: Object) -> str | None:
    """Return the file of the field to compare with; None for the source field."""
    state = frame.convert_field
    chosen = state.fields.get(state.reference)
    return chosen.path if chosen is not None else None


def _why_no_reference(frame: Object) -> str | None:
    """Return why the selected field cannot be compared, in one sentence, or None."""
    item, reference = active_field(frame), _reference(frame)
    if reference is None and not item.parent:
        return "The selected field was not made from another one; choose a field to compare it with"
    return "Choose another field to compare with" if reference == item.path else None


class CONVERT_FIELD_OT_combine_by_depth(GuardedOperator):
    """Combine the field with the scene's own objects in renders."""

    bl_idname = "convert_field.combine_by_depth"
    bl_label = "Combine with Scene"
    bl_description = (
        "Render the field in a scene of its own and combine it by depth with this one in the "
        "compositor, whose nodes are replaced"
    )
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def why_not(cls, context: Context) -> str | None:
        """Return why there is nothing to combine."""
        if context.scene.render.engine == ENGINE:
            return "Choose the render engine for the scene's own objects first, such as Cycles"
        return why_no_field(context)

    def act(self, context: Context) -> None:
        """Combine."""
        api.combine_by_depth(active_frame(context))


class CONVERT_FIELD_OT_use_standard_view(GuardedOperator):
    """Show fields as they are."""

    bl_idname = "convert_field.use_standard_view"
    bl_label = "Use Standard View Transform"
    bl_description = (
        "Show and save fields as they are: choose the view transform Standard, without look, "
        "exposure, gamma and curves"
    )
    bl_options = {"REGISTER", "UNDO"}

    def act(self, context: Context) -> None:
        """Choose it."""
        api.use_standard_view(context.scene)


def why_no_camera(context: Context) -> str | None:
    """Return why there is no camera to render from, in one sentence, or None."""
    if context.scene.camera is None:
        return "The scene has no camera; look through a camera of the capture"
    return None


CLASSES = (
    CONVERT_FIELD_OT_convert,
    CONVERT_FIELD_OT_open_report,
    CONVERT_FIELD_OT_render,
    CONVERT_FIELD_OT_compare,
    CONVERT_FIELD_OT_combine_by_depth,
    CONVERT_FIELD_OT_use_standard_view,
)
