"""The sub-panel *Film*: cameras that move, and films of the selected field."""

from bpy.types import Context, Panel, UILayout

from ...state.properties import ConvertFieldScene
from ..operators.film import CONVERT_FIELD_OT_render_film, made_film
from .base import StepPanel, big, draw_reason


class CONVERT_FIELD_PT_film(StepPanel, Panel):
    """Cameras that move, and films of the selected field."""

    bl_label = "Film"
    bl_order = 5
    bl_options = {"DEFAULT_CLOSED"}

    def draw_step(self, layout: UILayout, context: Context, _values: ConvertFieldScene) -> None:
        """Draw the step."""
        column = layout.column(align=True)
        column.operator("convert_field.turntable", icon="CON_ROTLIKE")
        column.operator("convert_field.path_through_cameras", icon="CURVE_PATH")
        layout.label(text=length_of(context), icon="TIME", translate=False)
        row = big(layout).row(align=True)
        row.operator("convert_field.render_film", icon="RENDER_ANIMATION")
        row.operator("convert_field.render_film", text="", icon="FILE_FOLDER").choose = True
        if made_film() is not None:
            layout.operator("convert_field.open_film", icon="PLAY")
        draw_reason(layout, context, CONVERT_FIELD_OT_render_film.why_not(context))


def length_of(context: Context) -> str:
    """Return the length of the scene's animation, as in ``"Frames 1 to 192, 8.0 s"``."""
    scene, render = context.scene, context.scene.render
    count = len(range(scene.frame_start, scene.frame_end + 1, scene.frame_step))
    seconds = count * render.fps_base / render.fps
    return f"Frames {scene.frame_start} to {scene.frame_end}, {seconds:.1f} s"


CLASSES = (CONVERT_FIELD_PT_film,)
