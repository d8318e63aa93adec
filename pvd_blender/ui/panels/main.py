"""The tab *Convert Field*: the running job, the capture that is worked on, and its fields."""

from bpy.types import Context, Panel, UILayout, UIList

from ...state.displays import displays
from ...state.figures import short
from ...state.properties import ConvertFieldObject, active_frame
from ...texts import FIGURES
from ..status import draw_status
from .base import ROLE_ICONS, TabPanel

NAME_FRACTION, HEADING_FRACTION = 0.52, 0.44
"""Width of the names, and of their heading, as fractions of the list's; the words of the other
headings are wider than their figures, and all stand at the right."""

HEADINGS = ("images", "source")
"""Headings of the columns of `FIGURES`, after the words PSNR to."""


class CONVERT_FIELD_UL_fields(UIList):
    """The fields of a capture, each with its role and its figures."""

    bl_idname = "CONVERT_FIELD_UL_fields"

    def draw_item(  # noqa: D102
        self, context, layout, data, item, icon, active_data, active_property, index=0, flag=0
    ) -> None:  # fmt: skip
        name, *columns, eyes = _columns(layout, NAME_FRACTION, data)
        name.prop(item, "name", text="", emboss=False, icon=ROLE_ICONS.get(item.role, "NONE"))
        for column, key in zip(columns, FIGURES, strict=True):
            column.label(text=short(getattr(item, key)), translate=False)
        shown = list(displays(item))
        for display in shown:
            eyes.prop(display, "hide_viewport", text="", emboss=False)
        if not shown:
            eyes.label(text="", icon="BLANK1")


def _columns(layout: UILayout, name_fraction: float, state: ConvertFieldObject) -> list[UILayout]:
    """Return the columns of the list and of its heading: name, each figure, visibility."""
    row = layout.row(align=True)
    split = row.split(factor=name_fraction, align=True)
    name, figures = split.row(align=True), split.split(factor=1 / len(FIGURES), align=True)
    columns = [figures.row() for _ in FIGURES]
    for column in columns:
        column.alignment = "RIGHT"
    eyes = row.row(align=True)
    eyes.ui_units_x = max([1.0, *(len(list(displays(item))) for item in state.fields)])
    return [name, *columns, eyes]


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
            _draw_heading(listed, state)
            listed.template_list(
                "CONVERT_FIELD_UL_fields", "", state, "fields", state, "active_field", rows=3
            )
            buttons = row.column(align=True)
            buttons.operator("convert_field.add_field", text="", icon="ADD")
            buttons.operator("convert_field.remove_field", text="", icon="REMOVE")


def _draw_heading(layout: UILayout, state: ConvertFieldObject) -> None:
    name, *columns, eyes = _columns(layout, HEADING_FRACTION, state)
    name.label(text="PSNR (dB) to")
    for column, heading in zip(columns, HEADINGS, strict=True):
        column.label(text=heading)
    eyes.label(text="", icon="BLANK1")


CLASSES = (CONVERT_FIELD_UL_fields, CONVERT_FIELD_PT_main)
