"""The second sub-panel, *Teacher*: training a teacher and showing it."""

from bpy.types import Context, Panel, UILayout

from ...state.properties import ConvertFieldScene
from ..operators.base import why_no_photographs
from ..presets import CONVERT_FIELD_PT_teacher_presets
from .base import StepPanel, big, draw_reason, folded
from .making import draw_making, draw_making_options


class CONVERT_FIELD_PT_teacher(StepPanel, Panel):
    """Second step: train a teacher and show it."""

    bl_label = "Teacher"
    bl_order = 1

    def draw_header_preset(self, _context: Context) -> None:
        """Draw the button of the presets."""
        CONVERT_FIELD_PT_teacher_presets.draw_panel_header(self.layout)

    def draw_step(self, layout: UILayout, context: Context, values: ConvertFieldScene) -> None:
        """Draw the step."""
        draw_making(layout, context, values.teacher)
        body = folded(layout, "convert_field_teacher", "Options")
        if body is not None:
            draw_making_options(body, values.teacher)
        big(layout).operator("convert_field.train", icon="PLAY")
        draw_reason(layout, context, why_no_photographs(context))
        layout.separator()
        layout.prop(values, "volume_resolution")
        layout.prop(values, "show_volume")
        layout.operator("convert_field.extract_volume", icon="VOLUME_DATA")
        layout.prop(values, "splats")
        layout.operator("convert_field.show_splats", icon="OUTLINER_OB_POINTCLOUD")


CLASSES = (CONVERT_FIELD_PT_teacher,)
