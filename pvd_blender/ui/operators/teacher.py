"""Operators of the second step: train a teacher, show a field as a volume, list field files."""

from bpy.props import StringProperty
from bpy.types import Context, Event

from ... import api
from ...state.properties import active_field, active_frame
from .base import (
    CaptureJobOperator,
    DensityJobOperator,
    GuardedOperator,
    settings_of,
    why_no_capture,
    why_no_photographs,
)


class CONVERT_FIELD_OT_train(CaptureJobOperator):
    """Train a teacher with the settings of the panel."""

    bl_idname = "convert_field.train"
    bl_label = "Train Teacher"
    bl_description = "Train a radiance field from the capture's images"
    bl_options = {"REGISTER"}

    @classmethod
    def why_not(cls, context: Context) -> str | None:
        """Return why nothing can be trained."""
        return why_no_photographs(context) or super().why_not(context)

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


class CONVERT_FIELD_OT_add_field(GuardedOperator):
    """Add a field file to the list."""

    bl_idname = "convert_field.add_field"
    bl_label = "Add Field File"
    bl_description = "Add an existing field file to this capture's list"
    bl_options = {"REGISTER", "UNDO"}

    filepath: StringProperty(name="Field", subtype="FILE_PATH", options={"SKIP_SAVE"})
    filter_glob: StringProperty(default="*.safetensors", options={"HIDDEN"})

    @classmethod
    def why_not(cls, context: Context) -> str | None:
        """Return why there is no list."""
        return why_no_capture(context)

    def invoke(self, context: Context, _event: Event) -> set[str]:
        """Open the file browser."""
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def act(self, context: Context) -> None:
        """Add it."""
        api.add_field(active_frame(context), self.filepath)


class CONVERT_FIELD_OT_remove_field(GuardedOperator):
    """Remove the selected field from the list."""

    bl_idname = "convert_field.remove_field"
    bl_label = "Remove Field"
    bl_description = "Remove the selected field from the list; its file and its volume stay"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def why_not(cls, context: Context) -> str | None:
        """Return why there is nothing to remove."""
        if active_field(active_frame(context)) is None:
            return "No field is selected"
        return None

    def act(self, context: Context) -> None:
        """Remove it."""
        api.remove_field(active_frame(context))


CLASSES = (
    CONVERT_FIELD_OT_train,
    CONVERT_FIELD_OT_extract_volume,
    CONVERT_FIELD_OT_add_field,
    CONVERT_FIELD_OT_remove_field,
)
