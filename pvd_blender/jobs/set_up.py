"""The set-up of the engine's environment: a Python environment with the engine's libraries."""

import contextlib
import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from ..engine.environment import python_in
from ..engine.process import EngineProcess, read_tail, wait_until
from ..errors import ConvertFieldError, JobCancelledError
from ..texts import printable

SECONDS_TO_ANSWER = 20.0
"""Seconds after which a Python that has not answered is no candidate."""

NAMES = ("python3.13", "python3.12", "python3.11", "python3", "python")
SUITS = "import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))"
NO_PYTHON = (
    "No Python 3.11 or later that can make environments was found; install one, such as Debian's "
    "python3-venv or the one of python.org, and press Set Up Engine again."
)


def find_python() -> str:
    """Return a Python that can make the environment: Blender's own, or one of the system's.

    Raises
    ------
    ConvertFieldError
        When none is found.
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
            [python, "-c", SUITS], capture_output=True, timeout=SECONDS_TO_ANSWER, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


class EngineSetUp:
    """Makes an environment and installs into it, in processes that Blender does not wait for.

    Parameters
    ----------
    python : str
        From `find_python`.
    folder : Path
        Folder of the environment; one that exists is made again.
    packages : sequence of str
        Arguments of ``pip install``.
    log : Path
        Log of both programs' output.

    Attributes
    ----------
    stage : str
        Name of the current stage, for people.
    error : ConvertFieldError or None
        The failure or the cancellation, once there is one.
    python : Path or None
        The environment's Python, once it is ready.

    Raises
    ------
    ConvertFieldError
        When the folder holds something that is no environment.
    """

    def __init__(self, python: str, folder: Path, packages: Sequence[str], log: Path) -> None:
        if folder.exists() and any(folder.iterdir()) and not (folder / "pyvenv.cfg").is_file():
            raise ConvertFieldError(f"'{folder}' is no Python environment; move it away first.")
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
        """The current stage, with the last line of its program."""
        return f"{self.stage}: {self._detail}" if self._detail else self.stage

    def pump(self) -> bool:
        """Take in how far it is; return True once `python` or `error` is set."""
        if self.python is not None or self.error is not None:
            return True
        exit_code = self._process.exit_code
        for line in self._process.take():
            self._detail = printable(line).strip()
            self._note(self._detail)
        if exit_code is None:
            return False
        self._process.close()
        if exit_code != 0:
            why = read_tail(self._log) or "no reason given"
            self._fail(ConvertFieldError(f"{self.stage} failed: {why}", self._log))
        elif self._steps:
            try:
                self._process = self._next()
                return False
            except ConvertFieldError as error:
                self._fail(error)
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
        wait_until(self.pump)
        if self.error is not None:
            raise self.error
        return self.python

    def cancel(self) -> None:
        """Stop and delete what was made; it can be started again."""
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
        # On a full disk pip itself fails, and says so.
        with contextlib.suppress(OSError), self._log.open("a", encoding="utf-8") as log:
            log.write(line + "\n")

    def _fail(self, error: ConvertFieldError) -> None:
        self.error = error
        shutil.rmtree(self._folder, ignore_errors=True)
