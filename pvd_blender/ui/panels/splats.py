"""The sub-panel *Splats*: splat objects as fields and files."""

from bpy.types import Context, Panel, UILayout

from ...splats.native import has_native_splats, is_splats
from ...state.properties import ConvertFieldScene, active_frame
from ..operators.splats import selected_splats, why_no_splats
from .base import StepPanel, draw_reason


class CONVERT_FIELD_PT_splats(StepPanel, Panel):
    """Splat objects, of fields or of other programs, as fields and files."""

    bl_label = "Splats"
    bl_order = 6
    bl_options = {"DEFAULT_CLOSED"}

    def draw_step(self, layout: UILayout, context: Context, _values: ConvertFieldScene) -> None:
        """Draw the buttons for the selected splats."""
        layout.operator("convert_field.import_splats", icon="IMPORT")
        chosen = selected_splats(context) if has_native_splats() else []
        if chosen:
            count = sum(len(item.data.points) for item in chosen if is_splats(item))
            name = chosen[0].name if len(chosen) == 1 else f"{len(chosen)} objects"
            layout.label(
                text=f"{name}: {count:,} splats", icon="OUTLINER_OB_POINTCLOUD", translate=False
            )
            frame = active_frame(context)
            into = "A frame of its own" if frame is None else frame.name
            layout.label(text=f"Field in: {into}", icon="EMPTY_AXIS", translate=False)
        layout.operator("convert_field.use_as_field", icon="FILE_REFRESH")
        layout.operator("convert_field.save_splats", icon="EXPORT")
        draw_reason(layout, context, why_no_splats(context))


CLASSES = (CONVERT_FIELD_PT_splats,)
