"""Operators of the fourth step: convert a field, render it."""

from bpy.types import Context

from .. import api
from .base import FieldJobOperator, settings_of
from .teacher import preset_of


class CONVERT_FIELD_OT_convert(FieldJobOperator):
    """Distil the selected field into another architecture."""

    bl_idname = "convert_field.convert"
    bl_label = "Convert"
    bl_description = "Distil the selected field into a field of another architecture"
    bl_options = {"REGISTER"}

    def act(self, context: Context) -> None:
        """Convert."""
        values = settings_of(context)
        in_time = values.convert_limit == "TIME"
        api.convert(
            self.frame(context),
            values.convert_architecture,
            preset=preset_of(values.convert_preset),
            budget=values.convert_seconds if in_time else None,
            steps=None if in_time else values.convert_steps,
            seed=values.seed,
            inherit=values.convert_inherit,
            through="sparse_tensor" if values.convert_through else None,
            volume_resolution=values.volume_resolution if values.show_volume else None,
            wait=self.wait,
        )


class CONVERT_FIELD_OT_render(FieldJobOperator):
    """Render the selected field from the scene's camera."""

    bl_idname = "convert_field.render"
    bl_label = "Render Field"
    bl_description = (
        "Render the selected field from the scene's camera at the scene's render size into an "
        "image; an open image editor shows it"
    )
    bl_options = {"REGISTER"}

    @classmethod
    def why_not(cls, context: Context) -> str | None:
        """Return why nothing can be rendered."""
        if context.scene.camera is None:
            return "The scene has no camera; look through a camera of the capture"
        return super().why_not(context)

    def act(self, context: Context) -> None:
        """Render."""
        api.render(self.frame(context), wait=self.wait)


CLASSES = (CONVERT_FIELD_OT_convert, CONVERT_FIELD_OT_render)
