"""The third sub-panel, *Edit*: edit shapes, and merging."""

from bpy.types import Context, Object, Panel, UILayout

from ...scene.edit_properties import PLACING, shape_of
from ...scene.edit_shapes import edit_shapes
from ...state.pending_edits import contained_shapes
from ...state.properties import ConvertFieldScene, active_frame
from ...volume.field_nodes import nodes_can_edit
from ..operators.base import why_no_density
from ..operators.edit import why_no_merge
from .base import StepPanel, big, draw_reason

OPERATION_ICONS = {
    "erase": "SELECT_SUBTRACT",
    "keep": "SELECT_INTERSECT",
    "move": "CON_LOCLIKE",
    "duplicate": "DUPLICATE",
    "scale_density": "VOLUME_DATA",
    "tint": "COLOR",
}


class CONVERT_FIELD_PT_edit(StepPanel, Panel):
    """Third step: edit shapes, and merging."""

    bl_label = "Edit"
    bl_order = 2

    def draw_step(self, layout: UILayout, context: Context, values: ConvertFieldScene) -> None:
        """Draw the step."""
        frame = active_frame(context)
        icon = OPERATION_ICONS[values.edit_operation]
        layout.prop(values, "edit_operation", text="New Shape", icon=icon)
        row = layout.row(align=True)
        for shape, text in (("box", "Box"), ("sphere", "Sphere"), ("meshes", "Meshes")):
            button = row.operator("convert_field.add_shape", text=text)
            button.op, button.shape = values.edit_operation, shape
        if nodes_can_edit():
            layout.operator("convert_field.add_field_erase", icon="GEOMETRY_NODES")
        layout.operator("convert_field.find_floaters", icon="OUTLINER_OB_POINTCLOUD")
        if frame is not None:
            _draw_shapes(layout, context, frame, edit_shapes(frame, with_off=True))
        big(layout).operator("convert_field.apply_edits", icon="CHECKMARK")
        draw_reason(layout, context, why_no_density(context))
        layout.separator()
        layout.operator("convert_field.merge_fields", icon="SELECT_EXTEND")
        if why_no_density(context) is None:
            draw_reason(layout, context, why_no_merge(context))


def _draw_shapes(layout: UILayout, context: Context, frame: Object, shapes: list[Object]) -> None:
    """Draw the list of the shapes, and the settings of the active one.

    Those that the selected field has in it already are drawn in grey.
    """
    if not shapes:
        return
    contained = contained_shapes(frame)
    box = layout.box()
    column = box.column(align=True)
    for item in shapes:
        row = column.row(align=True)
        row.active = shape_of(item).uid not in contained
        icon = OPERATION_ICONS[shape_of(item).op]
        row.prop(item, "hide_viewport", text="", emboss=False)
        row.prop(item, "name", text="", emboss=item == context.active_object, icon=icon)
        row.operator("convert_field.remove_shape", text="", icon="X", emboss=False).name = item.name
    if any(shape_of(item).uid in contained for item in shapes):
        box.label(text="Grey: in the selected field already", icon="CHECKMARK")
    if context.active_object in shapes:
        values = shape_of(context.active_object)
        column = box.column()
        column.prop(values, "op")
        if values.op in PLACING:
            column.prop(values, "target")
        elif values.op == "scale_density":
            column.prop(values, "factor")
        elif values.op == "tint":
            column.prop(values, "color")
        column.prop(values, "soft")


CLASSES = (CONVERT_FIELD_PT_edit,)
