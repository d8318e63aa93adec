"""The panel *Field* among the render properties, for the render engine *PVD Field*."""

from bpy.types import Context, Panel

from ...render.compositing import ENGINE
from ...scene.view_transform import change_of_colors
from ...state.properties import active_field, scene_frame


class CONVERT_FIELD_PT_render(Panel):
    """The field that the engine renders, among the render properties."""

    bl_idname = "CONVERT_FIELD_PT_render"
    bl_label = "Field"
    bl_space_type = "PROPERTIES"
    bl_region_type = "WINDOW"
    bl_context = "render"
    COMPAT_ENGINES = {ENGINE}

    @classmethod
    def poll(cls, context: Context) -> bool:
        """Show the panel only with this engine."""
        return context.scene.render.engine == ENGINE

    def draw(self, context: Context) -> None:
        """Draw the panel."""
        layout = self.layout
        layout.use_property_split = True
        layout.use_property_decorate = False
        scene = context.scene
        layout.prop(scene.convert_field, "frame", text="Capture", icon="EMPTY_AXIS")
        item = active_field(scene_frame(scene))
        if item is not None:
            layout.prop(item, "name", text="Field")
        layout.prop(scene.convert_field, "live_edits")
        layout.prop(scene.convert_field, "show_photographs")
        layout.prop(scene.render, "film_transparent", text="Transparent Background")
        changed = change_of_colors(scene)
        if changed is not None:
            column = layout.column(align=True)
            column.label(text=f"Colors are changed by {changed}", icon="INFO")
            column.operator("convert_field.use_standard_view")


CLASSES = (CONVERT_FIELD_PT_render,)
