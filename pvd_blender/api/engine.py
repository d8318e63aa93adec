"""The engine itself: its preferences, its set-up, its check."""

import shlex
from collections.abc import Sequence
from pathlib import Path

import bpy

from ..engine.environment import engine_packages
from ..errors import ConvertFieldError
from ..jobs.session import session
from ..jobs.set_up import EngineSetUp, find_python
from ..preferences import engine_settings, environment_folder, preferences

OFFLINE = (
    "The engine's libraries cannot be downloaded without online access; allow it in Blender's "
    "preferences under System, or install them by hand."
)


def configure(
    engine_python: str | Path | None = None,
    device: str | None = None,
    work_folder: str | Path | None = None,
    memory: float | None = None,
) -> None:
    """Set the preferences; None leaves a value as it is.

    Parameters
    ----------
    engine_python : path, optional
        Python program of the engine's environment.
    device : str, optional
        ``"auto"``, ``"cpu"`` or ``"cuda"``.
    work_folder : path, optional
        Folder for jobs, fields and volumes.
    memory : float, optional
        Memory in GB that jobs and renders may take on the device, at least 0.1; 0 for no limit.
    """
    values = preferences()
    if engine_python is not None:
        values.engine_python = str(engine_python)
    if device is not None:
        values.device = device
    if work_folder is not None:
        values.work_folder = str(work_folder)
    if memory is not None:
        values.limit_memory = memory > 0
        if memory > 0:
            values.memory = memory


def set_up_engine(
    packages: Sequence[str] | None = None, folder: str | Path | None = None, wait: bool = True
) -> str | None:
    """Make the engine's environment, install its libraries, and use it from now on.

    pip downloads the libraries; Blender's online access must be allowed.

    Parameters
    ----------
    packages : sequence of str, optional
        Arguments of ``pip install`` in place of the engine's libraries.
    folder : path, optional
        Folder of the environment; without it, one in the extension's own folder.
    wait : bool

    Returns
    -------
    str or None
        One sentence about the engine: its version, PyTorch's, and the device.
    """
    if not bpy.app.online_access:
        raise ConvertFieldError(OFFLINE)
    options = shlex.split(preferences().pip_options)
    where = Path(folder) if folder else environment_folder()
    chosen = engine_packages() if packages is None else list(packages)
    log = engine_settings().work_folder / "set_up.log"
    set_up = EngineSetUp(find_python(), where, [*options, *chosen], log)
    running = session()
    if wait:
        return running.engine.set_up_now(set_up)
    running.message, running.error = "", None
    running.engine.start_set_up(set_up)
    return None


def check_engine(wait: bool = True) -> str | None:
    """Start the engine and return its versions.

    Returns
    -------
    str or None
        One sentence about the engine: its version, PyTorch's, and the device.
    """
    if wait:
        return session().engine.check_now()
    session().engine.start_check()
    return None
