"""The engine as a server of pictures: one process for all renders, started when it is needed.

It ends by itself when nothing has been rendered for a while; the next picture starts it again.
"""

import contextlib
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import ConvertFieldError, JobCancelledError
from .arrays import read_array
from .checked import Checked
from .environment import EngineSettings, server_command
from .process import EngineProcess, read_tail, start_engine
from .temporary import TemporaryFolder

POLL_SECONDS = 0.01
"""Seconds between two checks for the answer to a request."""

SECONDS_TO_GIVE_UP = 5.0
"""Seconds that the engine has to stop a picture that is not wanted any more."""

LOG = "engine.log"
"""Name of the log in the server's folder."""


CHANNELS = 5
"""Numbers of a pixel: red, green, blue, alpha and depth."""

MOST_WARNINGS = 100


@dataclass(frozen=True)
class Picture:
    """A picture that the engine rendered.

    Attributes
    ----------
    pixels : (H, W, 5) float32 array
        Premultiplied colour, sRGB-encoded; alpha; depth along the ray, dataset units.
    warning : str
        The engine's warnings, in sentences; empty if there are none.
    """

    pixels: np.ndarray
    warning: str


class PictureServer:
    """A process of the engine that renders fields, one picture at a time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: EngineProcess | None = None
        self._settings: EngineSettings | None = None
        self._folder: TemporaryFolder | None = None
        self._number = 0

    @property
    def pid(self) -> int | None:
        """The process's id, or None when none runs."""
        running = self._process is not None and self._process.exit_code is None
        return self._process.pid if running else None

    def render(
        self,
        settings: EngineSettings,
        field: Path,
        camera: dict,
        edits: list[dict],
        given_up: Callable[[], bool],
    ) -> Picture:
        """Render a picture; may be called in any thread.

        Parameters
        ----------
        settings : EngineSettings
        field : Path
            The field file.
        camera : dict
            An entry of ``cameras.json``.
        edits : list of dict
            Content of an ``edits.json``; empty for the field as it is.
        given_up : callable
            Called often; once it returns True the picture is not wanted any more.

        Raises
        ------
        JobCancelledError
            When the picture was given up.
        ConvertFieldError
            When it cannot be rendered.
        """
        wanted = {"field": str(field), "camera": camera, "edits": edits}
        with self._lock:
            picture = self._rendered(settings, wanted, given_up)
            if picture is None:  # the process ended by itself just before the request
                picture = self._rendered(settings, wanted, given_up)
        if picture is None:
            raise ConvertFieldError("The engine ended before it rendered; render again.")
        return picture

    def close(self) -> None:
        """End the process; the next picture starts another."""
        if self._process is not None:
            self._process.close()
            self._process = None
        if self._folder is not None:
            self._folder.close()
            self._folder = None

    def _rendered(
        self, settings: EngineSettings, wanted: dict, given_up: Callable[[], bool]
    ) -> Picture | None:
        """Return the picture, or None if the process ended by itself."""
        process, folder = self._running(settings)
        self._number += 1
        number, out, log = self._number, folder / f"{self._number}.npy", folder / LOG
        shape = (wanted["camera"]["height"], wanted["camera"]["width"], CHANNELS)
        process.send(wanted | {"id": number, "out": str(out)})
        try:
            answer = self._answer(process, number, log, given_up)
            return None if answer is None else _picture(Checked(answer), out, shape, log)
        finally:
            with contextlib.suppress(OSError):
                out.unlink(missing_ok=True)

    def _running(self, settings: EngineSettings) -> tuple[EngineProcess, Path]:
        """Return the process, and the folder for its pictures."""
        if self._process is not None and (self.pid is None or settings != self._settings):
            self.close()
        if self._process is None:
            self._start(settings)
        return self._process, self._folder.path

    def _start(self, settings: EngineSettings) -> None:
        try:
            self._folder = TemporaryFolder()
        except OSError as error:
            raise ConvertFieldError(
                f"The folder for temporary files cannot be written ({error}); free some space."
            ) from error
        folder = self._folder.path
        command = server_command(settings)
        self._process = start_engine(settings.python, command, folder, folder / LOG)
        self._settings = settings

    def _answer(
        self, process: EngineProcess, number: int, log: Path, given_up: Callable[[], bool]
    ) -> dict | None:
        """Return the answer to a request, or None if the process ended by itself."""
        deadline = None
        while True:
            exit_code = process.exit_code
            for answer in process.take():
                if isinstance(answer, dict) and answer.get("id") == number:
                    return answer
            if exit_code == 0:
                return None
            if exit_code is not None:
                cause = read_tail(log) or "no reason given"
                raise ConvertFieldError(f"The engine ended while it rendered ({cause}).", log)
            if deadline is None and given_up():
                process.send({"cancel": number})
                deadline = time.monotonic() + SECONDS_TO_GIVE_UP
            if deadline is not None and time.monotonic() > deadline:
                self.close()
                raise JobCancelledError("The render was cancelled.")
            time.sleep(POLL_SECONDS)


def _picture(answer: Checked, out: Path, shape: tuple[int, int, int], log: Path) -> Picture:
    kind = answer.text("type")
    if kind == "cancelled":
        raise JobCancelledError("The render was cancelled.")
    if kind != "picture":
        raise ConvertFieldError(answer.text("message"), log)
    return Picture(read_array(out, shape), " ".join(answer.texts("warnings", MOST_WARNINGS)))
