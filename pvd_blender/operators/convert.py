"""Operators of the fourth step: convert a field, render it."""

from bpy.types import Context

from .. import api
from .base import FieldJobOperator, settings_of


class CONVERT_FIELD_OT_convert(FieldJobOperator):
    """Distil the selected field into another architecture."""

    bl_idname = "convert_field.convert"
    bl_label = "Convert"
    bl_description = "Distil the selected field into a field of another architecture"
    bl_options = {"REGISTER"}

    def act(self, context: Context) -> None:
        """Convert."""
        values = settings_of(context)
        student = values.student
        api.convert(
            self.frame(context),
            student.architecture,
            **student.making(),
            inherit=student.inherit,
            through="sparse_tensor" if student.through_sparse_tensor else None,
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
