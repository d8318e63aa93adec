"""Operators of the second step: train a teacher, show a field as a volume."""

from bpy.types import Context

from .. import api
from .base import CaptureJobOperator, FieldJobOperator, settings_of


class CONVERT_FIELD_OT_train(CaptureJobOperator):
    """Train a teacher with the settings of the panel."""

    bl_idname = "convert_field.train"
    bl_label = "Train Teacher"
    bl_description = "Train a radiance field from the capture's images"
    bl_options = {"REGISTER"}

    def act(self, context: Context) -> None:
        """Train."""
        values = settings_of(context)
        in_time = values.train_limit == "TIME"
        api.train(
            self.frame(context),
            values.train_architecture,
            preset=preset_of(values.train_preset),
            budget=values.train_seconds if in_time else None,
            steps=None if in_time else values.train_steps,
            seed=values.seed,
            volume_resolution=values.volume_resolution if values.show_volume else None,
            wait=self.wait,
        )


class CONVERT_FIELD_OT_extract_volume(FieldJobOperator):
    """Show the selected field as a Volume object."""

    bl_idname = "convert_field.extract_volume"
    bl_label = "Extract Volume"
    bl_description = "Show the selected field's density and colour as a Volume object"
    bl_options = {"REGISTER"}

    def act(self, context: Context) -> None:
        """Extract."""
        resolution = settings_of(context).volume_resolution
        api.extract_volume(self.frame(context), resolution=resolution, wait=self.wait)


def preset_of(value: str) -> str | None:
    """Return a size of the panel as the engine names it."""
    return None if value == "AUTO" else value.lower()


CLASSES = (CONVERT_FIELD_OT_train, CONVERT_FIELD_OT_extract_volume)
