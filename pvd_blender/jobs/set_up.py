"""Making the engine's environment: a Python environment of its own, with the engine's libraries."""

import importlib.util
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from ..engine.process import EngineProcess, read_tail
from ..errors import ConvertFieldError, JobCancelledError

POLL_SECONDS = 0.05
SECONDS_TO_LOOK = 20.0
"""A Python that does not say its version within this time is no candidate."""

NAMES = ("python3.13", "python3.12", "python3.11", "python3", "python")
SUITS = "import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))"
NO_PYTHON = (
    "No Python 3.11 or later that can make environments was found; install one, such as Debian's "
    "python3-venv or the installer of python.org, and press Set Up Engine again."
)


def find_python() -> str:
    """Return a Python that can make the environment: Blender's own, or one of the system's.

    Raises
    ------
    ConvertFieldError
        When there is none.
    """
    own = sys.executable if "python" in Path(sys.executable or "").name.lower() else None
    if own and importlib.util.find_spec("ensurepip") and importlib.util.find_spec("venv"):
        return own
    for name in NAMES:
        path = shutil.which(name)
        if path and _suits(path):
            return path
    raise ConvertFieldError(NO_PYTHON)


def _suits(python: str) -> bool:
    try:
        done = subprocess.run(
            [python, "-c", SUITS], capture_output=True, timeout=SECONDS_TO_LOOK, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def python_in(folder: Path) -> Path:
    """Return the Python program of an environment."""
    inside = ("Scripts", "python.exe") if os.name == "nt" else ("bin", "python")
    return folder.joinpath(*inside)


class EngineSetUp:
    """Makes an environment and installs into it, beside the interface.

    Parameters
    ----------
    python : str
        From `find_python`.
    folder : Path
        Of the environment; one that is there already is made anew.
    packages : sequence of str
        Arguments of ``pip install``: what to install.
    log : Path
        What both programs say.

    Attributes
    ----------
    stage : str
        What is being done, for people.
    error : ConvertFieldError or None
        Why it failed, or that it was cancelled.
    python : Path or None
        The environment's Python once it is ready.

    Raises
    ------
    ConvertFieldError
        When the folder holds something else.
    """

    def __init__(self, python: str, folder: Path, packages: Sequence[str], log: Path) -> None:
        if folder.exists() and any(folder.iterdir()) and not (folder / "pyvenv.cfg").is_file():
            raise ConvertFieldError(f"'{folder}' is no environment of Python; move it away first.")
        install = ["-m", "pip", "install", "--disable-pip-version-check", "--no-input"]
        self._steps = [
            ("Making the environment", [python, "-m", "venv", "--clear", str(folder)]),
            ("Installing", [str(python_in(folder)), *install, *packages]),
        ]
        self._folder, self._log = folder, log
        self.stage = ""
        self.error: ConvertFieldError | None = None
        self.python: Path | None = None
        self._detail = ""
        folder.parent.mkdir(parents=True, exist_ok=True)
        log.parent.mkdir(parents=True, exist_ok=True)
        log.unlink(missing_ok=True)
        self._process = self._next()

    @property
    def text(self) -> str:
        """What is being done, with what the program said last."""
        return f"{self.stage}: {self._detail}" if self._detail else self.stage

    def pump(self) -> bool:
        """Look how far it is; True once `python` or `error` is set."""
        if self.python is not None or self.error is not None:
            return True
        exit_code = self._process.exit_code
        for line in self._process.take():
            self._detail = str(line).strip()
            self._note(self._detail)
        if exit_code is None:
            return False
        self._process.close()
        if exit_code != 0:
            why = read_tail(self._log) or "no reason given"
            self._fail(ConvertFieldError(f"{self.stage} failed: {why}", self._log))
        elif self._steps:
            self._process = self._next()
            return False
        else:
            self.python = python_in(self._folder)
        return True

    def wait(self) -> Path:
        """Block until it is ready and return the environment's Python.

        Raises
        ------
        ConvertFieldError
            When it failed.
        """
        while not self.pump():
            time.sleep(POLL_SECONDS)
        if self.error is not None:
            raise self.error
        return self.python

    def cancel(self) -> None:
        """Stop, and take away what was made; it can be begun again."""
        if self.python is None and self.error is None:
            self._process.close(seconds=0.0)
            self._fail(JobCancelledError("Setting up the engine was cancelled."))

    def _next(self) -> EngineProcess:
        self.stage, command = self._steps.pop(0)
        self._detail = ""
        self._note(f"{self.stage}: {' '.join(command)}")
        variables = {k: v for k, v in os.environ.items() if k not in ("PYTHONHOME", "PYTHONPATH")}
        try:
            return EngineProcess(command, variables, self._folder.parent, self._log)
        except OSError as error:
            raise ConvertFieldError(f"{self.stage} cannot be started: {error}.") from error

    def _note(self, line: str) -> None:
        with self._log.open("a", encoding="utf-8") as log:
            log.write(line + "\n")

    def _fail(self, error: ConvertFieldError) -> None:
        self.error = error
        shutil.rmtree(self._folder, ignore_errors=True)
