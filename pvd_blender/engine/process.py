"""One process of the engine: started, read from, asked to stop, and at last stopped by force.

A reader thread puts what the engine prints into a queue and does nothing else. The process has
its standard input open as long as the parent lives: when it ends, the engine knows that the parent
is gone, however that happened.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from queue import Empty, Full, Queue
from typing import IO

from ..errors import ConvertFieldError
from .checked import decode_json, is_file
from .environment import engine_sources, engine_variables, problem_with_python

SECONDS_TO_ANSWER = 15.0
"""Seconds that an engine has to write its checkpoint after a cancel."""

SECONDS_TO_TERMINATE = 4.0
"""Seconds between terminating an engine and killing it."""

SECONDS_TO_CLOSE = 4.5
"""Seconds that an engine has to end once its input has ended, as when Blender quits."""

POLL_SECONDS = 0.05
"""Seconds between two checks of something that is waited for."""

LONGEST_LINE = 1 << 15
"""Longest line that is taken as an event, bytes; a longer one is text, cut into such pieces."""

TAIL = 8192
"""Length of the end of a log in which the last line is looked for, bytes."""

MOST_WAITING = 5000
"""Most lines that wait to be taken; the engine waits with further ones."""


class EngineProcess:
    """A running engine.

    Parameters
    ----------
    command : list of str
        Argument list; it is run without a shell.
    variables : dict of str to str
        Environment variables.
    folder : Path
        Working folder.
    log : Path
        File that standard error is appended to.

    Raises
    ------
    OSError
        When the program cannot be started.
    """

    def __init__(
        self, command: list[str], variables: dict[str, str], folder: Path, log: Path
    ) -> None:
        self._queue: Queue[dict | str] = Queue(MOST_WAITING)
        self._closing = threading.Event()
        self._asked_at: float | None = None
        self._terminated_at: float | None = None
        with log.open("ab") as log_file:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log_file,
                cwd=folder,
                env=variables,
                **_own_group(),
            )
        self._reader = threading.Thread(
            target=_read_lines,
            args=(self._process.stdout, self._queue, self._closing),
            daemon=True,
        )
        self._reader.start()

    @property
    def pid(self) -> int:
        """The process's id."""
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """The exit code once everything that the engine printed is in the queue, else None."""
        return None if self._reader.is_alive() else self._process.poll()

    def take(self) -> list[dict | str]:
        """Return what was printed since the last call: events, and lines that are no events."""
        taken: list[dict | str] = []
        with contextlib.suppress(Empty):
            for _ in range(MOST_WAITING):  # not for as long as the engine goes on
                taken.append(self._queue.get_nowait())
        return taken

    def send(self, value: dict) -> None:
        """Write a line of JSON to the engine's standard input."""
        self._write(json.dumps(value) + "\n")

    def ask_to_stop(self) -> None:
        """Ask the engine to write a checkpoint and end; `press` terminates it if it does not."""
        if self._asked_at is None:
            self._asked_at = time.monotonic()
            self._write("cancel\n")

    def press(self) -> None:
        """Terminate, later kill, an engine that was asked to stop and did not; call repeatedly."""
        if self._asked_at is None or self._process.poll() is not None:
            return
        now = time.monotonic()
        if self._terminated_at is None:
            if now - self._asked_at > SECONDS_TO_ANSWER:
                self._terminated_at = now
                self._process.terminate()
        elif now - self._terminated_at > SECONDS_TO_TERMINATE:
            self._kill()

    def close(self, seconds: float = SECONDS_TO_CLOSE) -> None:
        """End the engine now: end its input, wait, terminate, kill; return when it is gone."""
        self._closing.set()
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        if not self._gone_within(seconds):
            self._process.terminate()
            if not self._gone_within(1.0):
                self._kill()
                self._process.wait()
        self._reader.join(timeout=1.0)

    def _gone_within(self, seconds: float) -> bool:
        try:
            self._process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def _write(self, text: str) -> None:
        # A broken pipe means that the engine has just ended, which the exit code shows.
        with contextlib.suppress(OSError, ValueError):
            self._process.stdin.write(text.encode())
            self._process.stdin.flush()

    def _kill(self) -> None:
        # The group is the engine's own, so that processes which it started end with it.
        if hasattr(os, "killpg"):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
        self._process.kill()


def start_engine(python: str, command: list[str], folder: Path, log: Path) -> EngineProcess:
    """Start a command of the engine.

    Raises
    ------
    ConvertFieldError
        When its Python cannot be used or does not start.
    """
    problem = problem_with_python(python)
    if problem:
        raise ConvertFieldError(problem)
    try:
        return EngineProcess(command, engine_variables(engine_sources()), folder, log)
    except OSError as error:
        raise ConvertFieldError(f"The engine could not be started: {error}.") from error


def wait_until(condition: Callable[[], bool]) -> None:
    """Block until a condition holds."""
    while not condition():
        time.sleep(POLL_SECONDS)


def _own_group() -> dict:
    if sys.platform == "win32":
        flags = subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW
        return {"creationflags": flags}
    return {"start_new_session": True}


def _read_lines(stream: IO[bytes], queue: Queue, closing: threading.Event) -> None:
    with stream:
        while raw := stream.readline(LONGEST_LINE):
            if raw.strip():
                _put(_event_or_text(raw), queue, closing)


def _put(item: dict | str, queue: Queue, closing: threading.Event) -> None:
    """Wait for room in the queue; once nobody takes from it any more, leave the rest out."""
    while True:
        with contextlib.suppress(Full):
            queue.put(item, not closing.is_set(), POLL_SECONDS)
            return
        if closing.is_set():
            return


def _event_or_text(raw: bytes) -> dict | str:
    text = raw.decode("utf-8", "replace").rstrip()
    try:
        value = decode_json(raw)
    except ConvertFieldError:
        return text
    return value if isinstance(value, dict) and isinstance(value.get("type"), str) else text


def read_tail(path: Path, lines: int = 1) -> str:
    """Return the last lines of a text file that are not empty; an empty text if there are none."""
    if not is_file(path):
        return ""
    try:
        with path.open("rb") as file:
            file.seek(0, os.SEEK_END)
            file.seek(max(0, file.tell() - TAIL))
            text = file.read(TAIL).decode("utf-8", "replace")
    except OSError:
        return ""
    return "\n".join([line for line in text.splitlines() if line.strip()][-lines:])
