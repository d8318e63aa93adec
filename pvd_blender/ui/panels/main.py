"""The tab *Convert Field*: the running job, the capture that is worked on, and its fields."""

from bpy.types import Context, Panel, UILayout, UIList

from ...state.figures import short
from ...state.properties import active_frame
from ...texts import FIGURES
from ..status import draw_status
from .base import ROLE_ICONS, TabPanel

NAME_FRACTION = 0.5
"""Width of the names as a fraction of the list's."""

HEADINGS = ("to images", "to source")
"""Headings of the columns of `FIGURES`, after the word PSNR."""


class CONVERT_FIELD_UL_fields(UIList):
    """The fields of a capture, each with its role and its figures."""

    bl_idname = "CONVERT_FIELD_UL_fields"

    def draw_item(  # noqa: D102
        self, context, layout, data, item, icon, active_data, active_property, index=0, flag=0
    ) -> None:  # fmt: skip
        name, *columns, eye = _columns(layout)
        name.prop(item, "name", text="", emboss=False, icon=ROLE_ICONS.get(item.role, "NONE"))
        for column, key in zip(columns, FIGURES, strict=True):
            column.label(text=short(getattr(item, key)), translate=False)
        if item.volume is not None:
            eye.prop(item.volume, "hide_viewport", text="", emboss=False)
        else:
            eye.label(text="", icon="BLANK1")


def _columns(layout: UILayout) -> list[UILayout]:
    """Return the columns of the list and of its heading: name, each figure, visibility."""
    row = layout.row(align=True)
    split = row.split(factor=NAME_FRACTION)
    name, figures = split.row(), split.row()
    columns = []
    for _ in FIGURES:
        column = figures.row()
        column.alignment = "RIGHT"
        columns.append(column)
    return [name, *columns, row.row()]


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
            listed = row.column(align=True)
            _draw_heading(listed)
            listed.template_list(
                "CONVERT_FIELD_UL_fields", "", state, "fields", state, "active_field", rows=3
            )
            buttons = row.column(align=True)
            buttons.operator("convert_field.add_field", text="", icon="ADD")
            buttons.operator("convert_field.remove_field", text="", icon="REMOVE")


def _draw_heading(layout: UILayout) -> None:
    name, *columns, eye = _columns(layout)
    name.label(text="PSNR in dB")
    for column, heading in zip(columns, HEADINGS, strict=True):
        column.label(text=heading)
    eye.label(text="", icon="BLANK1")


CLASSES = (CONVERT_FIELD_UL_fields, CONVERT_FIELD_PT_main)
