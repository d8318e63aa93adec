"""The first sub-panel, *Capture*: importing a capture and viewing it."""

from bpy.types import Context, Panel, UILayout

from ...jobs.session import session
from ...state.properties import AUTO_SCENE, ConvertFieldScene, active_frame
from ..operators.capture import dataset_cameras
from ..status import draw_wrapped
from .base import StepPanel, big


class CONVERT_FIELD_PT_capture(StepPanel, Panel):
    """First step: import a capture and view it."""

    bl_label = "Capture"
    bl_order = 0

    def draw_step(self, layout: UILayout, context: Context, _values: ConvertFieldScene) -> None:
        """Draw the step."""
        frame = active_frame(context)
        big(layout).operator("convert_field.import_capture", icon="IMPORT")
        if frame is not None:
            state = frame.convert_field
            layout.label(text=state.summary, icon="CAMERA_DATA")
            for note in filter(None, state.notes.split("\n")):
                draw_wrapped(layout, context, note, icon="INFO")
            if dataset_cameras(frame):
                row = layout.row(align=True)
                row.operator("convert_field.look_through", text="", icon="TRIA_LEFT").offset = -1
                row.operator("convert_field.look_through", icon="VIEW_CAMERA").offset = 0
                row.operator("convert_field.look_through", text="", icon="TRIA_RIGHT").offset = 1
                undistorted = session().undistorting.camera_name
                if undistorted:
                    layout.label(text=f"Undistorting {undistorted}", icon="SORTTIME")
            layout.prop(state, "scene")
            if state.scene == AUTO_SCENE:
                draw_wrapped(layout, context, state.scene_found, icon="WORLD")
            layout.prop(state, "downscale")
            if state.linear_light:
                layout.prop(state, "exposure")
        layout.operator("convert_field.export_scene", icon="EXPORT")


CLASSES = (CONVERT_FIELD_PT_capture,)
