"""The add-on's page in Blender's preferences."""

import bpy
from bpy.types import AddonPreferences, UILayout

from ...engine.environment import problem_with_python
from ...jobs.session import session
from ...preferences import EnginePreferences, default_work_folder, engine_settings


class ConvertFieldPreferences(EnginePreferences, AddonPreferences):
    """The engine's environment: choosing, checking and making it."""

    def draw(self, _context: bpy.types.Context) -> None:
        """Draw the settings, the result of Check Engine, and how an environment is made."""
        layout = self.layout
        layout.use_property_split = True
        layout.use_property_decorate = False
        layout.prop(self, "engine_python")
        layout.prop(self, "device")
        _draw_memory(self, layout.row(heading="Limit Memory"))
        layout.prop(self, "work_folder", placeholder=str(default_work_folder()))
        layout.operator("convert_field.check_engine", icon="CHECKMARK")
        engine = session().engine
        problem = problem_with_python(engine_settings().python)
        if engine.set_up is not None:
            layout.label(text=engine.set_up.text, icon="SORTTIME")
            layout.operator("convert_field.cancel_set_up", icon="CANCEL")
        elif problem:
            _draw_alert(layout, problem)
            layout.operator("convert_field.set_up_engine", icon="IMPORT")
            layout.prop(self, "pip_options")
            _draw_by_hand(self, layout.box())
        elif engine.check is not None:
            layout.label(text=engine.check.text, icon="SORTTIME")
        elif engine.error is not None:
            _draw_alert(layout, str(engine.error))
        elif engine.report:
            layout.label(text=engine.report, icon="INFO")


def _draw_memory(preferences: EnginePreferences, row: UILayout) -> None:
    row.prop(preferences, "limit_memory", text="")
    value = row.row()
    value.active = preferences.limit_memory
    value.prop(preferences, "memory", text="")
    value.label(text="GB")


def _draw_alert(layout: UILayout, text: str) -> None:
    row = layout.row()
    row.alert = True
    row.label(text=text, icon="ERROR")


def _draw_by_hand(preferences: EnginePreferences, box: UILayout) -> None:
    box.label(text="Or by hand, with Python 3.11 or later; type in a terminal:")
    column = box.column(align=True)
    column.use_property_split = False
    column.prop(preferences, "set_up_environment", text="")
    column.prop(preferences, "set_up_libraries", text="")
    box.label(text="Then name that Python above; for a CUDA build of PyTorch see the README")


CLASSES = (ConvertFieldPreferences,)
