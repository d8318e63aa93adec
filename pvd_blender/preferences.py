"""The add-on's preferences: the engine's environment, its device and memory, the work folder.

The package's name is the add-on's identity, so these stand at its root. The interface draws them:
``ui/panels/preferences.py`` has the class that Blender registers.
"""

from pathlib import Path

import bpy
from bpy.props import BoolProperty, EnumProperty, StringProperty

from .engine.environment import (
    EngineSettings,
    engine_packages,
    engine_sources,
    problem_with_python,
    python_in,
)
from .errors import ConvertFieldError
from .state.engine_options import option_property, option_value

ADD_ON = __package__
"""Name under which Blender knows the add-on."""

DEVICES = (
    ("auto", "Automatic", "A CUDA device if there is one, otherwise the CPU"),
    ("cpu", "CPU", "The processor"),
    ("cuda", "CUDA", "The first NVIDIA device"),
)


def default_work_folder() -> Path:
    """Return the work folder for an empty preference: outside Blender's own folders.

    Blender deletes an extension's own folder with the extension; trained fields must stay.
    """
    return Path.home() / "convert_field"


class EnginePreferences:
    """The engine's Python, its device and memory, and the folder for its work."""

    bl_idname = ADD_ON

    engine_python: StringProperty(
        name="Engine Python",
        description="Python program of the environment that has the engine's libraries",
        subtype="FILE_PATH",
    )
    device: EnumProperty(
        name="Device",
        description="Device that trains and renders fields",
        items=DEVICES,
    )
    limit_memory: BoolProperty(
        name="Limit Memory",
        description="Limit the memory that jobs and renders take on the device; when off, they "
        "take what is free on a GPU, and a usual amount on a CPU",
    )
    memory: option_property("train", "memory", default=4.0, step=50, precision=1)
    work_folder: StringProperty(
        name="Work Folder",
        description="Folder for jobs, fields and volumes; when empty, 'convert_field' in your "
        "home folder",
        subtype="DIR_PATH",
    )
    pip_options: StringProperty(
        name="Pip Options",
        description="Options added to pip install when the engine is set up, such as the index of "
        "another build of PyTorch, which pytorch.org shows",
    )
    set_up_environment: StringProperty(
        name="Make Environment",
        description="First command to type in a terminal; it can be copied from here",
        get=lambda _preferences: environment_command(),
    )
    set_up_libraries: StringProperty(
        name="Install Libraries",
        description="Second command to type in a terminal; it can be copied from here",
        get=lambda _preferences: libraries_command(),
    )


def environment_command() -> str:
    """Return the command that makes the engine's environment."""
    return f"python -m venv {_quoted(environment_folder())}"


def libraries_command() -> str:
    """Return the command that installs the engine's libraries into that environment."""
    try:
        words = [word if word == "-r" else _quoted(word) for word in engine_packages()]
    except ConvertFieldError as error:
        return str(error)
    return f"{_quoted(python_in(environment_folder()))} -m pip install {' '.join(words)}"


def environment_folder() -> Path:
    """Return the folder in which *Set Up Engine* makes the environment.

    It is the extension's folder for the user; where the add-on is no extension, it lies in the
    default work folder.
    """
    try:
        return Path(bpy.utils.extension_path_user(ADD_ON)) / "engine"
    except ValueError:
        return default_work_folder() / "engine"


def _quoted(text: Path | str) -> str:
    return f'"{text}"'


def _absolute(path: str) -> str:
    return bpy.path.abspath(path.strip()) if path.strip() else ""


def preferences() -> EnginePreferences:
    """Return the add-on's preferences.

    Raises
    ------
    ConvertFieldError
        When the add-on is imported but not enabled.
    """
    add_on = bpy.context.preferences.addons.get(ADD_ON)
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
        memory=option_value("train", "memory", values.memory) if values.limit_memory else None,
    )


def engine_problem() -> str | None:
    """Return why no job can be started, in one sentence, or None; quick enough for a panel."""
    try:
        engine_sources()
        return problem_with_python(engine_settings().python)
    except ConvertFieldError as error:
        return str(error)
