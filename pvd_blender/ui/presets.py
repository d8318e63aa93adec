"""Presets of the settings of training and of conversion."""

from bl_operators.presets import AddPresetBase
from bl_ui.utils import PresetPanel
from bpy.types import Operator, Panel

from ..state.settings import StudentSettings, TeacherSettings


def _values(settings: type) -> list[str]:
    """Return the data paths of every setting, those of base classes included."""
    names = [name for base in reversed(settings.__mro__) for name in _annotations(base)]
    return [f"settings.{name}" for name in dict.fromkeys(names)]


def _annotations(base: type) -> list[str]:
    return list(vars(base).get("__annotations__", {}))


class CONVERT_FIELD_PT_teacher_presets(PresetPanel, Panel):
    """Presets of training."""

    bl_label = "Teacher Presets"
    preset_subdir = "convert_field/teacher"
    preset_operator = "script.execute_preset"
    preset_add_operator = "convert_field.add_teacher_preset"


class CONVERT_FIELD_PT_student_presets(PresetPanel, Panel):
    """Presets of conversion."""

    bl_label = "Conversion Presets"
    preset_subdir = "convert_field/student"
    preset_operator = "script.execute_preset"
    preset_add_operator = "convert_field.add_student_preset"


class CONVERT_FIELD_OT_add_teacher_preset(AddPresetBase, Operator):
    """Save the settings of training as a preset, or remove a preset."""

    bl_idname = "convert_field.add_teacher_preset"
    bl_label = "Add Teacher Preset"
    bl_description = "Save the settings of training as a preset, or remove a preset"
    preset_menu = "CONVERT_FIELD_PT_teacher_presets"
    preset_subdir = "convert_field/teacher"
    preset_defines = ["settings = bpy.context.scene.convert_field.teacher"]
    preset_values = _values(TeacherSettings)


class CONVERT_FIELD_OT_add_student_preset(AddPresetBase, Operator):
    """Save the settings of conversion as a preset, or remove a preset."""

    bl_idname = "convert_field.add_student_preset"
    bl_label = "Add Conversion Preset"
    bl_description = "Save the settings of conversion as a preset, or remove a preset"
    preset_menu = "CONVERT_FIELD_PT_student_presets"
    preset_subdir = "convert_field/student"
    preset_defines = ["settings = bpy.context.scene.convert_field.student"]
    preset_values = _values(StudentSettings)


CLASSES = (
    CONVERT_FIELD_PT_teacher_presets,
    CONVERT_FIELD_PT_student_presets,
    CONVERT_FIELD_OT_add_teacher_preset,
    CONVERT_FIELD_OT_add_student_preset,
)
