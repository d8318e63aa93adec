"""Operators of the second step: train a teacher, show a field as a volume."""

from bpy.types import Context

from .. import api
from .base import CaptureJobOperator, DensityJobOperator, settings_of


class CONVERT_FIELD_OT_train(CaptureJobOperator):
    """Train a teacher with the settings of the panel."""

    bl_idname = "convert_field.train"
    bl_label = "Train Teacher"
    bl_description = "Train a radiance field from the capture's images"
    bl_options = {"REGISTER"}

    def act(self, context: Context) -> None:
        """Train."""
        values = settings_of(context)
        api.train(
            self.frame(context),
            values.teacher.composition(),
            **values.teacher.making(),
            volume_resolution=values.volume_resolution if values.show_volume else None,
            wait=self.wait,
        )


class CONVERT_FIELD_OT_extract_volume(DensityJobOperator):
    """Show the selected field as a Volume object."""

    bl_idname = "convert_field.extract_volume"
    bl_label = "Extract Volume"
    bl_description = "Show the selected field's density and colour as a Volume object"
    bl_options = {"REGISTER"}

    def act(self, context: Context) -> None:
        """Extract."""
        resolution = settings_of(context).volume_resolution
        api.extract_volume(self.frame(context), resolution=resolution, wait=self.wait)


CLASSES = (CONVERT_FIELD_OT_train, CONVERT_FIELD_OT_extract_volume)
