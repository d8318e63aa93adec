"""The panels' common parts: their tab, the layout of a step, big buttons, reasons, icons."""

from bpy.types import Context, UILayout

from ..status import draw_wrapped

BIG = 1.4
"""Height of a step's main button, in heights of a plain one."""

ROLE_ICONS = {
    "TEACHER": "LIGHTPROBE_VOLUME",
    "EDITED": "MOD_BOOLEAN",
    "STUDENT": "FILE_REFRESH",
    "MERGED": "SELECT_EXTEND",
    "LIGHT": "LIGHT_SUN",
}
"""Blender's icon for each role of a field."""


class TabPanel:
    """A panel in the tab *Convert Field* of the 3D View."""

    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = "Convert Field"


class StepPanel(TabPanel):
    """A sub-panel for one step."""

    bl_parent_id = "CONVERT_FIELD_PT_main"

    def draw(self, context: Context) -> None:
        """Draw the step in Blender's layout of labels left, values right."""
        self.layout.use_property_split = True
        self.layout.use_property_decorate = False
        self.draw_step(self.layout, context, context.scene.convert_field)


def big(layout: UILayout) -> UILayout:
    """Return a row for a step's main button."""
    row = layout.row()
    row.scale_y = BIG
    return row


def draw_reason(layout: UILayout, context: Context, reason: str | None) -> None:
    """Draw, under a greyed-out button, the reason why it is greyed out."""
    if reason:
        draw_wrapped(layout, context, reason, icon="INFO")


def folded(layout: UILayout, name: str, label: str) -> UILayout | None:
    """Return the body of a part that is folded at first, or None while it is folded."""
    header, body = layout.panel(name, default_closed=True)
    header.label(text=label)
    return body
