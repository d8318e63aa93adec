"""A job as its verb sees it: a folder for state, reports, and a request to stop.

The folder of a job:

    request.json      the request: verb, arguments, versions; written once
    events.jsonl      every event, in order: seq, time, type, payload
    previews/         pictures shown while the job works
    checkpoints/      resumable state
    points.ply        sparse points of a capture that `info` describes
    result.json       written last: outputs, metrics, or the error with its cause
    engine.log        standard error of the engine
    inputs.json       hashes of what the work begins from, for when it resumes
    lock              held by the engine that works on the folder
"""

import contextlib
import re
import shutil
import time
from collections.abc import Sequence
from numbers import Real
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import Cancelled, UserError
from ..files.atomic import write_json
from ..files.json_input import read_json
from .cancel import Cancellation
from .events import Event, EventLog, Listener

if TYPE_CHECKING:
    import numpy as np

REQUEST = "request.json"
EVENTS = "events.jsonl"
PREVIEWS = "previews"
CHECKPOINTS = "checkpoints"
RESULT = "result.json"
INPUTS = "inputs.json"
LOG = "engine.log"
LOCK = "lock"

MAX_BYTES = 16 << 20
"""Largest request or result that is read."""

PROGRESS_SECONDS = 0.1
"""Shortest time in seconds between two reports of progress."""


class Job:
    """One run of one verb in a folder.

    Parameters
    ----------
    folder : Path
        The job folder, made when missing.
    listeners : sequence of callable
        Functions called with every event.
    cancellation : Cancellation, optional
        The flag that asks the job to stop.
    temporary : bool
        The folder is removed when the job has ended.

    Attributes
    ----------
    folder : Path
    temporary : bool
        The folder is removed at the end, so a result must not name files in it.
    metrics : dict of str to float
        Last reported value of each number.
    warnings : list of str
        Warnings reported so far.
    seconds_after : float
        Time that will follow the main work, such as that of a report; its time left includes it.
    """

    def __init__(
        self,
        folder: Path,
        listeners: Sequence[Listener] = (),
        cancellation: Cancellation | None = None,
        temporary: bool = False,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.temporary = temporary
        self.metrics: dict[str, float] = {}
        self.warnings: list[str] = []
        self.seconds_after = 0.0
        self._events = EventLog(folder / EVENTS, listeners)
        self._cancellation = cancellation or Cancellation()
        self._progress_time = -PROGRESS_SECONDS

    @property
    def checkpoints(self) -> Path:
        """The folder for resumable state; made when missing."""
        path = self.folder / CHECKPOINTS
        path.mkdir(exist_ok=True)
        return path

    @property
    def cancelled(self) -> bool:
        """True when the job should write a checkpoint and raise `Cancelled`."""
        return self._cancellation.requested

    def begin_from(self, inputs: dict[str, str]) -> None:
        """Tell what the work begins from, before its checkpoints are used.

        Checkpoints that were made from anything else are removed, with a warning.

        Parameters
        ----------
        inputs : dict of str to str
            A hash of each input, by its name in the warning.
        """
        path, checkpoints = self.folder / INPUTS, self.folder / CHECKPOINTS
        if checkpoints.is_dir() and any(checkpoints.iterdir()):
            before = read_object(path)
            changed = [name for name in inputs if (before or {}).get(name) != inputs[name]]
            if before is None:
                self.warn(["The checkpoint is from another version, so the work starts again."])
            elif changed:
                self.warn(
                    [
                        f"Changed since this job was interrupted: {', '.join(changed)}; so it "
                        "starts again."
                    ]
                )
            if changed:
                shutil.rmtree(checkpoints)
        write_json(path, inputs)

    def part(self, folder: Path) -> "Job":
        """Return a job with its own folder that reports as this one and stops with it."""

        def report(event: Event) -> None:
            if event["type"] != "preview":  # previews stay in the folder of the part
                self._events.emit(event["type"], event["payload"])

        return Job(folder, [report], self._cancellation, self.temporary)

    def raise_if_cancelled(self) -> None:
        """Raise `Cancelled` when the job should stop; for work without checkpoints.

        Raises
        ------
        Cancelled
            The job should stop.
        """
        if self.cancelled:
            raise Cancelled

    def cancel(self) -> None:
        """Ask the verb to stop."""
        self._cancellation.request()

    def emit(self, type: str, **payload: Any) -> Event:
        """Report an event and return it; numbers of a ``metrics`` event are kept in `metrics`.

        Parameters
        ----------
        type : str
            Type of the event, such as ``"metrics"``.
        **payload
            JSON values.
        """
        if type == "metrics":
            self._keep(payload)
        return self._events.emit(type, payload)

    def warn(self, sentences: Sequence[str]) -> None:
        """Report warnings, each a sentence."""
        self.warnings.extend(sentences)
        for sentence in sentences:
            self.emit("warning", message=sentence)

    def progress(
        self,
        *,
        fraction: float,
        step: int = 0,
        rate: float | None = None,
        unit: str = "step",
        seconds_left: float | None = None,
        doing: str | None = None,
        **metrics: float,
    ) -> None:
        """Report progress; calls within `PROGRESS_SECONDS` of the last report are skipped.

        Parameters
        ----------
        fraction : float
            Done fraction, 0 to 1; 1 is always reported.
        step : int
            Units done.
        rate : float, optional
            Units per second.
        unit : str
            Name of the unit.
        seconds_left : float, optional
        doing : str, optional
            Activity before or after the main work, such as ``"Reading images 3 of 100"``.
        **metrics
            Numbers measured so far, such as ``psnr_to_images``.
        """
        self._keep(metrics)
        now = time.monotonic()
        if fraction < 1 and now - self._progress_time < PROGRESS_SECONDS:
            return
        self._progress_time = now
        payload = {
            "step": step,
            "fraction": min(max(fraction, 0.0), 1.0),
            "rate": rate,
            "unit": unit,
            "seconds_left": seconds_left,
        }
        if doing is not None:
            payload["doing"] = doing
        self._events.emit("progress", payload | metrics)

    def preview(self, name: str, image: "np.ndarray") -> Path:
        """Write and report a preview of the current state.

        Parameters
        ----------
        name : str
            Name of the subject, such as a view; becomes part of the file's name.
        image : (H, W, 3) or (H, W, 4) uint8 array
            sRGB, straight alpha.

        Returns
        -------
        Path
            The PNG in the job folder; each call writes a new file.
        """
        from ..files.images import write_png

        safe = re.sub(r"[^\w.-]+", "_", name).strip("._") or "preview"
        # A new name for each preview: viewers cache images by path.
        number = sum(1 for _ in (self.folder / PREVIEWS).glob("*.png"))
        path = write_png(self.folder / PREVIEWS / f"{safe}-{number:04d}.png", image)
        self._events.emit("preview", {"name": name, "path": f"{PREVIEWS}/{path.name}"})
        return path

    def close(self) -> None:
        """Close the job's files."""
        self._events.close()

    def _keep(self, values: dict[str, Any]) -> None:
        for name, value in values.items():
            if isinstance(value, Real) and not isinstance(value, bool):
                self.metrics[name] = float(value)


def read_object(path: Path) -> dict[str, Any] | None:
    """Return the JSON object in a file of a job; None where there is none that can be read."""
    with contextlib.suppress(UserError):
        values = read_json(path, MAX_BYTES)
        if isinstance(values, dict):
            return values
    return None
