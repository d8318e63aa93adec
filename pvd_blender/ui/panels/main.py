"""The tab *Convert Field*: the running job, the capture that is worked on, and its fields."""

from bpy.types import Context, Panel, UIList

from ...state.properties import NO_MEASURE, active_frame
from ..status import draw_status
from .base import ROLE_ICONS, TabPanel


class CONVERT_FIELD_UL_fields(UIList):
    """The fields of a capture, each with its role and its quality."""

    bl_idname = "CONVERT_FIELD_UL_fields"

    def draw_item(  # noqa: D102
        self, context, layout, data, item, icon, active_data, active_property, index=0, flag=0
    ) -> None:  # fmt: skip
        row = layout.row(align=True)
        row.prop(item, "name", text="", emboss=False, icon=ROLE_ICONS.get(item.role, "NONE"))
        quality = row.row()
        quality.alignment = "RIGHT"
        quality.label(text="" if item.psnr == NO_MEASURE else f"{item.psnr:.1f} dB")
        if item.volume is not None:
            row.prop(item.volume, "hide_viewport", text="", emboss=False)


class CONVERT_FIELD_PT_main(TabPanel, Panel):
    """The capture that is worked on, the running job, and the capture's fields."""

    bl_idname = "CONVERT_FIELD_PT_main"
    bl_label = "Convert Field"

    def draw(self, context: Context) -> None:
        """Draw the panel."""
        layout = self.layout
        layout.use_property_split = True
        layout.use_property_decorate = False
        draw_status(layout, context)
        layout.prop(context.scene.convert_field, "frame", text="", icon="EMPTY_AXIS")
        frame = active_frame(context)
        if frame is not None:
            state = frame.convert_field
            row = layout.row()
            row.template_list(
                "CONVERT_FIELD_UL_fields", "", state, "fields", state, "active_field", rows=3
            )
            buttons = row.column(align=True)
            buttons.operator("convert_field.add_field", text="", icon="ADD")
            buttons.operator("convert_field.remove_field", text="", icon="REMOVE")


CLASSES = (CONVERT_FIELD_UL_fields, CONVERT_FIELD_PT_main)
