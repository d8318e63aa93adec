"""The engine's interpreter, its sources, and the commands that call it."""

import os
from dataclasses import dataclass
from pathlib import Path

from ..errors import ConvertFieldError

PROTOCOL_VERSION = 1
"""Version of job folder and events that this add-on understands."""

PACKAGE = "pvd_engine"
"""Name of the engine's package."""

BUNDLE = "engine_sources"
"""Folder of the extension that holds the engine's sources.

It becomes the engine's import path, so it must not hold the add-on's modules.
"""

REQUIREMENTS = "requirements.txt"
"""List of the engine's libraries next to the bundled sources; `build_addon.py` writes it."""

MISSING = (
    "The engine is not set up yet; press Set Up Engine, or name its Python in the add-on's "
    "preferences."
)


@dataclass(frozen=True)
class EngineSettings:
    """The preferences of the engine.

    Attributes
    ----------
    python : str
        Path of the Python program of the environment that has the engine's libraries.
    device : str
        ``"cpu"``, ``"cuda"``, or ``"auto"``, which leaves the choice to the engine.
    work_folder : Path
        Folder in which job folders are made.
    memory : float or None
        Memory in GB that the work may take on the device; None leaves it to the engine.
    """

    python: str
    device: str
    work_folder: Path
    memory: float | None = None

    @property
    def computing(self) -> dict[str, object]:
        """The arguments of every verb that computes: device and memory."""
        return {"device": self.device, "memory": self.memory}


def engine_sources() -> Path:
    """Return the folder to import the engine from: the extension's bundle, or the repository.

    Raises
    ------
    ConvertFieldError
        When neither holds the engine, so the add-on is incomplete.
    """
    package_root = Path(__file__).resolve().parents[1]
    candidates = (package_root / BUNDLE, package_root.parent)
    for folder in candidates:
        if (folder / PACKAGE / "__init__.py").is_file():
            return folder
    raise ConvertFieldError(f"The add-on is incomplete: {PACKAGE} is missing; install it again.")


def engine_packages() -> list[str]:
    """Return the arguments of ``pip install`` that install the engine's libraries.

    Raises
    ------
    ConvertFieldError
        When the add-on is incomplete.
    """
    sources = engine_sources()
    listed = sources / REQUIREMENTS
    return ["-r", str(listed)] if listed.is_file() else [f"{sources}[fast]"]


def python_in(folder: Path) -> Path:
    """Return the Python program of an environment."""
    inside = ("Scripts", "python.exe") if os.name == "nt" else ("bin", "python")
    return folder.joinpath(*inside)


def problem_with_python(python: str) -> str | None:
    """Return why an interpreter cannot be used, in one sentence, or None; it is not started."""
    if not python.strip():
        return MISSING
    path = Path(python)
    if path.is_dir():
        return f"The engine's Python is a folder ({path}); name the python program in it."
    if not path.is_file():
        return f"The engine's Python does not exist: {path}; correct it in the preferences."
    if not os.access(path, os.X_OK):
        return f"The engine's Python is not executable: {path}; correct it in the preferences."
    return None


def engine_command(python: str, job_folder: Path) -> list[str]:
    """Return the command that runs a job folder."""
    return [python, "-m", PACKAGE, "run", str(job_folder)]


def server_command(settings: EngineSettings) -> list[str]:
    """Return the command that renders one picture after another."""
    options = [
        word
        for name, value in settings.computing.items()
        if value is not None
        for word in (f"--{name}", str(value))
    ]
    return [settings.python, "-m", PACKAGE, "serve", *options]


def engine_variables(sources: Path) -> dict[str, str]:
    """Return the environment variables of the engine.

    The parent's own Python settings must not reach it, and its import path is the bundled sources
    alone, without the folder that it is started in (a capture may hold a ``json.py``).
    """
    kept = {key: value for key, value in os.environ.items() if key != "PYTHONHOME"}
    return kept | {
        "PYTHONPATH": str(sources),
        "PYTHONSAFEPATH": "1",
        "PYTHONUNBUFFERED": "1",
        "PYTHONUTF8": "1",
    }
