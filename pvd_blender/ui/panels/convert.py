"""The fourth sub-panel, *Convert*: converting a field into another architecture."""

from bpy.types import Context, Panel, UILayout

from ...state.properties import ConvertFieldScene, active_field, active_frame
from ...state.settings import StudentSettings
from ..operators.base import why_no_density
from ..presets import CONVERT_FIELD_PT_student_presets
from .base import ROLE_ICONS, StepPanel, big, draw_reason, folded
from .making import draw_making, draw_making_options


class CONVERT_FIELD_PT_convert(StepPanel, Panel):
    """Fourth step: convert a field into another architecture."""

    bl_label = "Convert"
    bl_order = 3

    def draw_header_preset(self, _context: Context) -> None:
        """Draw the button of the presets."""
        CONVERT_FIELD_PT_student_presets.draw_panel_header(self.layout)

    def draw_step(self, layout: UILayout, context: Context, values: ConvertFieldScene) -> None:
        """Draw the step."""
        item = active_field(active_frame(context))
        if item is not None:
            row = layout.split(factor=0.4)
            label = row.row()
            label.alignment = "RIGHT"
            label.label(text="From")
            row.label(text=item.name, icon=ROLE_ICONS.get(item.role, "NONE"))
        draw_making(layout, context, values.student)
        body = folded(layout, "convert_field_student", "Options")
        if body is not None:
            draw_making_options(body, values.student)
            _draw_options(body, values.student)
        big(layout).operator("convert_field.convert", icon="FILE_REFRESH")
        draw_reason(layout, context, why_no_density(context))


def _draw_options(body: UILayout, student: StudentSettings) -> None:
    """Draw those options of a conversion that its target has."""
    if student.is_light:
        _draw_light(body, student)
    elif student.is_cloud:
        body.prop(student, "max_size", placeholder="No limit")
        _draw_ending(body, student)
    else:
        _draw_distillation(body, student)


def _draw_distillation(body: UILayout, student: StudentSettings) -> None:
    body.prop(student, "max_size", placeholder="No limit")
    body.prop(student, "stages")
    column = body.column(heading="Learn Again")
    for name in ("hard_poses", "hard_rays", "hard_points"):
        column.prop(student, name)
    column = body.column(heading="Method")
    for name in ("projection", "density_constraint", "inherit"):
        column.prop(student, name)
    body.prop(student, "through")
    _draw_ending(body, student)


def _draw_light(body: UILayout, student: StudentSettings) -> None:
    for name in ("ray_points", "ray_encoding", "ray_interval"):
        body.prop(student, name)
    column = body.column(heading="Rays")
    for name in ("ray_skip_empty", "ray_hard", "ray_importance"):
        column.prop(student, name)
    _draw_ending(body, student)


def _draw_ending(body: UILayout, student: StudentSettings) -> None:
    body.prop(student, "fine_tune", slider=True)
    body.prop(student, "report")
    row = body.row()
    row.active = student.report
    row.prop(student, "report_budget", placeholder="Automatic")


CLASSES = (CONVERT_FIELD_PT_convert,)
