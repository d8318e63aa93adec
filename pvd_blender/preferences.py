"""The add-on's preferences: the engine's environment, its device, the work folder."""

from pathlib import Path

import bpy
from bpy.props import EnumProperty, StringProperty
from bpy.types import AddonPreferences

from .engine.environment import EngineSettings, engine_sources, problem_with_python
from .errors import ConvertFieldError
from .jobs.set_up import python_in

DEVICES = (
    ("auto", "Automatic", "A CUDA device where there is one, else the CPU"),
    ("cpu", "CPU", "The processor"),
    ("cuda", "CUDA", "The first NVIDIA device"),
)


REQUIREMENTS = "requirements.txt"
"""The engine's libraries; `build_addon.py` puts this list beside the bundled sources."""


def default_work_folder() -> Path:
    """Return the work folder for an empty preference: outside Blender's own folders.

    Blender deletes an extension's own folder with the extension; trained fields must stay.
    """
    return Path.home() / "convert_field"


def _forget_check(_preferences: AddonPreferences, _context: bpy.types.Context) -> None:
    from .jobs.session import session

    session().engine_report, session().engine_error = "", None


class ConvertFieldPreferences(AddonPreferences):
    """Where the engine is and where it works."""

    bl_idname = __package__

    engine_python: StringProperty(
        name="Engine Python",
        description="Python program of the environment that has the engine's libraries",
        subtype="FILE_PATH",
        update=_forget_check,
    )
    device: EnumProperty(
        name="Device",
        description="What trains and renders fields",
        items=DEVICES,
        update=_forget_check,
    )
    work_folder: StringProperty(
        name="Work Folder",
        description="Where jobs, fields and volumes are kept; when empty, 'convert_field' in your "
        "home folder",
        subtype="DIR_PATH",
    )

    pip_options: StringProperty(
        name="Pip Options",
        description="Added to pip install when the engine is set up, such as the index of another "
        "build of PyTorch, which pytorch.org shows",
    )
    set_up_environment: StringProperty(
        name="Make Environment",
        description="Type this in a terminal first; it can be copied from here",
        get=lambda _preferences: environment_command(),
    )
    set_up_libraries: StringProperty(
        name="Install Libraries",
        description="Type this in a terminal next; it can be copied from here",
        get=lambda _preferences: libraries_command(),
    )

    def draw(self, context: bpy.types.Context) -> None:
        """Draw the settings, what Check Engine found, and how an environment is made."""
        from .jobs.session import session

        layout = self.layout
        layout.use_property_split = True
        layout.use_property_decorate = False
        layout.prop(self, "engine_python")
        layout.prop(self, "device")
        layout.prop(self, "work_folder", placeholder=str(default_work_folder()))
        problem = problem_with_python(_absolute(self.engine_python))
        layout.operator("convert_field.check_engine", icon="CHECKMARK")
        error = session().engine_error
        if session().set_up is not None:
            layout.label(text=session().set_up.text, icon="SORTTIME")
            layout.operator("convert_field.cancel_set_up", icon="CANCEL")
        elif problem:
            warning = layout.row()
            warning.alert = True
            warning.label(text=problem, icon="ERROR")
            layout.operator("convert_field.set_up_engine", icon="IMPORT")
            layout.prop(self, "pip_options")
            _draw_set_up(self, layout.box())
        elif session().check is not None:
            layout.label(text="Starting the engine", icon="SORTTIME")
        elif error is not None:
            warning = layout.row()
            warning.alert = True
            warning.label(text=str(error), icon="ERROR")
        elif session().engine_report:
            layout.label(text=session().engine_report, icon="INFO")


def _draw_set_up(preferences: AddonPreferences, box: bpy.types.UILayout) -> None:
    box.label(text="Or by hand, with Python 3.11 or later; in a terminal, type:")
    column = box.column(align=True)
    column.use_property_split = False
    column.prop(preferences, "set_up_environment", text="")
    column.prop(preferences, "set_up_libraries", text="")
    box.label(text="Then name that python above; for a CUDA build of PyTorch see the README")


def environment_command() -> str:
    """Return the command that makes the engine's environment."""
    return f"python -m venv {_quoted(environment_folder())}"


def libraries_command() -> str:
    """Return the command that installs the engine's libraries into that environment."""
    try:
        what = [word if word == "-r" else _quoted(word) for word in engine_packages()]
    except FileNotFoundError as error:
        return str(error)
    return f"{_quoted(python_in(environment_folder()))} -m pip install {' '.join(what)}"


def engine_packages() -> list[str]:
    """Return the arguments of ``pip install`` that install the engine's libraries.

    Raises
    ------
    FileNotFoundError
        When the add-on is incomplete.
    """
    sources = engine_sources()
    listed = sources / REQUIREMENTS
    return ["-r", str(listed)] if listed.is_file() else [f"{sources}[fast]"]


def environment_folder() -> Path:
    """Return where *Set Up Engine* makes the environment: the extension's folder for the user.

    Where the add-on is no extension it has none, and the default work folder serves.
    """
    try:
        return Path(bpy.utils.extension_path_user(__package__)) / "engine"
    except ValueError:
        return default_work_folder() / "engine"


def _quoted(text: Path | str) -> str:
    return f'"{text}"'


def _absolute(path: str) -> str:
    return bpy.path.abspath(path.strip()) if path.strip() else ""


def preferences() -> ConvertFieldPreferences:
    """Return the add-on's preferences.

    Raises
    ------
    ConvertFieldError
        When the add-on is imported but not enabled.
    """
    add_on = bpy.context.preferences.addons.get(__package__)
    if add_on is None:
        raise ConvertFieldError("Convert Field is not enabled; enable it in the preferences.")
    return add_on.preferences


def engine_settings() -> EngineSettings:
    """Return the preferences as the engine's driver takes them."""
    values = preferences()
    work = _absolute(values.work_folder)
    return EngineSettings(
        python=_absolute(values.engine_python),
        device=values.device,
        work_folder=Path(work) if work else default_work_folder(),
    )


def engine_problem() -> str | None:
    """Return why no job can be started, in one sentence, or None; quick enough for a panel."""
    try:
        engine_sources()
        return problem_with_python(engine_settings().python)
    except (ConvertFieldError, FileNotFoundError) as error:
        return str(error)


CLASSES = (ConvertFieldPreferences,)
