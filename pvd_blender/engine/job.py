"""One job of the engine, seen from the add-on: its state, its progress and its end."""

import contextlib
import math
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

from ..errors import ConvertFieldError, JobCancelledError
from ..texts import FIGURES, decibel, printable
from .checked import Checked
from .environment import PROTOCOL_VERSION, EngineSettings, engine_command
from .job_folder import LOG, Request, read_result, small_picture
from .process import POLL_SECONDS, EngineProcess, read_tail, start_engine


class State(Enum):
    """The state of a job."""

    STARTING = "starting"
    RUNNING = "running"
    CANCELLING = "cancelling"
    DONE = "done"
    CANCELLED = "cancelled"
    FAILED = "failed"


FINISHED = (State.DONE, State.CANCELLED, State.FAILED)

MOST_POINTS = 4096
"""Most points of the curve of a job's quality; of more, every second one is kept."""

LONGEST_SECONDS = 1e9
"""Longest time that is shown, about 30 years."""

MOST_DECIBEL = 1000.0
"""Bound of every PSNR."""


@dataclass
class Progress:
    """The last progress event.

    Attributes
    ----------
    step : int
    fraction : float
        0 to 1.
    rate : float or None
        Units per second.
    unit : str
    seconds_left : float or None
    doing : str
        Name of the work that comes before the steps, such as ``"Reading images 3 of 100"``.
    metrics : dict of str to float
        Measurements so far, by name, such as ``psnr_to_images`` in dB.
    """

    step: int = 0
    fraction: float = 0.0
    rate: float | None = None
    unit: str = ""
    seconds_left: float | None = None
    doing: str = ""
    metrics: dict[str, float] = field(default_factory=dict)


class Job:
    """A job that the engine works on; starts at once.

    Parameters
    ----------
    request : Request
    folder : Path
        The job folder, which holds the request already.
    settings : EngineSettings
    follow_up : tuple of list and dict, optional
        A command that runs after the engine has ended well, and the variables that its
        environment needs. Its failure is ignored: Blender then does that work itself.

    Attributes
    ----------
    state : State
    progress : Progress
    metrics : dict of str to float
        The last measurements on a validation view, by name, such as ``psnr_to_images`` in dB.
    curve : list of (float, float)
        Fraction of the work that is done and PSNR in dB, of every progress event with a PSNR.
    preview : Path or None
        The newest picture of the field that is being made.
    hello : dict
        The engine's versions and its device.
    result : dict or None
        ``outputs``, the values that the verb returned, and ``metrics``, once the job is done; none
        of them is checked.
    error : ConvertFieldError or None
        The failure or the cancellation, once there is one.
    process : EngineProcess
        The engine, or the command that follows it.

    Raises
    ------
    ConvertFieldError
        When the engine cannot be started.
    """

    def __init__(
        self,
        request: Request,
        folder: Path,
        settings: EngineSettings,
        follow_up: tuple[list[str], dict[str, str]] | None = None,
    ) -> None:
        self.request = request
        self.folder = folder
        self._follow_up = follow_up
        self.state = State.STARTING
        self.progress = Progress()
        self.metrics: dict[str, float] = {}
        self.curve: list[tuple[float, float]] = []
        self._end = Checked({})
        self.preview: Path | None = None
        self.hello: dict = {}
        self.result: dict | None = None
        self.error: ConvertFieldError | None = None
        self.started = time.monotonic()
        command = engine_command(settings.python, folder)
        self.process = start_engine(settings.python, command, folder, folder / LOG)

    @property
    def log(self) -> Path:
        """The engine's log."""
        return self.folder / LOG

    @property
    def finished(self) -> bool:
        """True once the engine has ended and `result` or `error` is set."""
        return self.state in FINISHED

    @property
    def seconds(self) -> float:
        """Seconds since the job was started."""
        return time.monotonic() - self.started

    def pump(self) -> bool:
        """Take in the events since the last call; return True once the engine has ended."""
        if self.finished:
            return True
        # The exit code is read first: what was printed before the end is then in the queue.
        exit_code = self.process.exit_code
        for message in self.process.take():
            self._take_in(message)
        if exit_code is None:
            self.process.press()
        elif self.result is not None:  # the command that follows has ended, too
            self.process.close()
            self.state = State.DONE
        else:
            self._finish(exit_code)
        return self.finished

    def wait(self, report: Callable[["Job"], None] | None = None) -> dict:
        """Block until the engine has ended and return its result.

        Parameters
        ----------
        report : callable, optional
            Called with the job about every 0.05 seconds.

        Raises
        ------
        ConvertFieldError
            When the job failed or was cancelled.
        """
        try:
            while not self.pump():
                if report is not None:
                    report(self)
                time.sleep(POLL_SECONDS)
        except BaseException:
            self.close()
            raise
        if self.error is not None:
            raise self.error
        return self.result or {}

    def cancel(self) -> None:
        """Ask the engine to write a checkpoint and stop; `pump` terminates it if it does not."""
        if not self.finished:
            self.state = State.CANCELLING
            self.process.ask_to_stop()

    def close(self) -> None:
        """End the engine now and for certain, as when Blender quits."""
        self.process.close()

    def _take_in(self, message: dict | str) -> None:
        if isinstance(message, str):
            self._note(message)
            return
        kind = message["type"]
        try:
            self._hear(kind, Checked(message.get("payload")))
        except ConvertFieldError as error:
            if kind == "hello":
                self._refuse(error.sentence)
            else:  # what is only shown must not end a job that goes well
                self._note(f"'{kind}' was left out. {error.sentence}")

    def _hear(self, kind: str, payload: Checked) -> None:
        if kind == "hello":
            self._check_hello(payload)
        elif kind == "progress":
            self.progress = _progress(payload)
            if (measured := quality(self.progress.metrics)) is not None:
                self.curve.append((self.progress.fraction, measured[1]))
                if len(self.curve) > MOST_POINTS:
                    self.curve = self.curve[::2]
        elif kind == "metrics":
            self.metrics |= _metrics(payload)
        elif kind == "end":
            self._end = payload
        elif kind == "preview":
            path = payload.path("path")
            self.preview = small_picture(self.folder, path) or self.preview

    def _note(self, line: str) -> None:
        # The log can be on a full disk; the job's own end says so.
        with contextlib.suppress(OSError), self.log.open("a", encoding="utf-8") as log:
            log.write(f"{printable(line)}\n")

    def _check_hello(self, hello: Checked) -> None:
        self.hello = hello.values
        protocol = hello.whole("protocol", 0)
        if protocol != PROTOCOL_VERSION:
            self._refuse(
                f"The engine speaks protocol {protocol} and this add-on {PROTOCOL_VERSION}; "
                "install the engine's environment again."
            )
        elif self.state is State.STARTING:
            self.state = State.RUNNING

    def _refuse(self, sentence: str) -> None:
        self.error = ConvertFieldError(sentence, self.log)
        self.cancel()

    def _finish(self, exit_code: int) -> None:
        self.process.close()
        try:
            self._end_with(read_result(self.folder), exit_code)
        except ConvertFieldError as error:
            self.state = State.FAILED
            self.error = self.error or ConvertFieldError(error.sentence, self.log)

    def _end_with(self, result: Checked | None, exit_code: int) -> None:
        # On a full disk the engine cannot write its result, but still says how it ended.
        status = (result or self._end).text("status", "")
        if self.error is not None:
            self.state = State.FAILED
        elif status == "done" and result is not None:
            self.result = result.values
            self._go_on()
        elif status == "cancelled" or (not status and self.state is State.CANCELLING):
            self.state = State.CANCELLED
            self.error = JobCancelledError(f"{self.request.verb} was cancelled.", None)
        else:
            self.state = State.FAILED
            self.error = ConvertFieldError(self._why_failed(result, exit_code), self.log)

    def _go_on(self) -> None:
        """Start the command that follows, if there is one."""
        if self._follow_up is not None:
            command, variables = self._follow_up
            with contextlib.suppress(OSError):
                self.process = EngineProcess(command, os.environ | variables, self.folder, self.log)
                return
        self.state = State.DONE

    def _why_failed(self, result: Checked | None, exit_code: int) -> str:
        error = result.part("error") if result is not None and "error" in result else self._end
        message = error.text("message", "")
        if message:
            return message
        last = read_tail(self.log)
        if not self.hello and "No module named" in last:
            return f"The engine's Python lacks a library ({last}); install the engine into it."
        ended = f"was killed by signal {-exit_code}" if exit_code < 0 else f"ended ({exit_code})"
        return f"The engine {ended} without a result{': ' + last if last else ''}."


def _progress(payload: Checked) -> Progress:
    known = {"step", "fraction", "rate", "unit", "seconds_left"}
    return Progress(
        step=payload.whole("step", 0),
        fraction=min(max(payload.number("fraction", 0.0), 0.0), 1.0),
        rate=payload.number("rate", None),
        unit=payload.text("unit", ""),
        seconds_left=payload.number("seconds_left", None, 0.0, LONGEST_SECONDS),
        doing=payload.text("doing", ""),
        metrics={key: value for key, value in _metrics(payload).items() if key not in known},
    )


def _metrics(payload: Checked) -> dict[str, float]:
    """Return the measurements of an event; those that are no finite numbers are left out."""
    found = payload.finite()
    return {
        key: value
        for key, value in found.items()
        if "psnr" not in key or abs(value) <= MOST_DECIBEL
    }


def describe_seconds(seconds: float) -> str:
    """Return a duration as ``"45 s"``, ``"2:05 min"`` or ``"1:02:05 h"``."""
    if not math.isfinite(seconds):  # a .blend can hold that
        return "unknown"
    if 0 < seconds < 0.5:  # not "0 s"
        return "less than 1 s"
    whole = round(seconds)
    hours, minutes = divmod(whole // 60, 60)
    if hours:
        return f"{hours}:{minutes:02d}:{whole % 60:02d} h"
    return f"{minutes}:{whole % 60:02d} min" if minutes else f"{whole} s"


def quality(metrics: dict[str, float]) -> tuple[str, float] | None:
    """Return the meaning of the PSNR among measurements, a key of `FIGURES`, and its dB."""
    return next(((key, metrics[key]) for key in FIGURES if key in metrics), None)


def describe_progress(job: Job) -> str:
    """Return a job's progress in one line: step, quality and time left, as far as known."""
    if job.state is State.STARTING:
        return f"Starting the engine, {describe_seconds(job.seconds)}"
    if job.state is State.CANCELLING:
        return "Stopping at a checkpoint"
    progress = job.progress
    if progress.fraction >= 1:
        return "Finishing"
    parts = [progress.doing or f"{progress.fraction:.0%}"]
    if progress.step and progress.unit == "step":
        parts.append(f"step {progress.step}")
    measured = quality(progress.metrics | job.metrics)
    if measured is not None:
        parts.append(f"{FIGURES[measured[0]]} {decibel(measured[1])}")
    if progress.seconds_left is not None:
        parts.append(f"{describe_seconds(progress.seconds_left)} left")
    return " · ".join(parts)
