"""A job as its verb sees it: where to leave state, how to report, whether to stop.

The folder of a job:

    request.json      what to do: verb, arguments, versions; written once
    events.jsonl      every event, in order: seq, time, type, payload
    previews/         pictures shown while the job works
    checkpoints/      resumable state
    points.ply        sparse points of a capture that `info` describes
    result.json       written last: outputs, metrics, or the error with its cause
    engine.log        standard error of the engine
    lock              held by the engine that works on the folder
"""

import re
import time
from collections.abc import Sequence
from numbers import Real
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import Cancelled
from .cancel import Cancellation
from .events import Event, EventLog, Listener

if TYPE_CHECKING:
    import numpy as np

REQUEST = "request.json"
EVENTS = "events.jsonl"
PREVIEWS = "previews"
CHECKPOINTS = "checkpoints"
RESULT = "result.json"
LOG = "engine.log"
LOCK = "lock"

PROGRESS_SECONDS = 0.1
"""Progress that follows sooner than this upon the last is not reported."""


class Job:
    """One run of one verb in a folder.

    Parameters
    ----------
    folder : Path
        Made when missing.
    listeners : sequence of callable
        Each is called with every event.
    cancellation : Cancellation, optional
        Where a wish to stop comes from.
    temporary : bool
        The folder goes when the job has ended.

    Attributes
    ----------
    folder : Path
    temporary : bool
        An answer must not name files in the folder.
    metrics : dict of str to float
        The last value of each number that was reported.
    warnings : list of str
        The sentences of `warn`.
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
        """Whether the job should write a checkpoint and raise `Cancelled`."""
        return self._cancellation.requested

    def part(self, folder: Path) -> "Job":
        """A job in a folder of its own that reports as this one and stops with it."""

        def report(event: Event) -> None:
            if event["type"] != "preview":  # pictures stay in the folder of the part
                self._events.emit(event["type"], event["payload"])

        return Job(folder, [report], self._cancellation, self.temporary)

    def raise_if_cancelled(self) -> None:
        """For work without checkpoints.

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
        """Report an event of any type; numbers of a ``metrics`` event are kept in `metrics`.

        Parameters
        ----------
        type : str
            Such as ``"metrics"``.
        **payload
            JSON values.
        """
        if type == "metrics":
            self._keep(payload)
        return self._events.emit(type, payload)

    def warn(self, sentences: Sequence[str]) -> None:
        """Report what whoever runs the job should know, a sentence each."""
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
        """Report how far the work is; calls that follow too fast are passed over.

        Parameters
        ----------
        fraction : float
            Share that is done, 0 to 1; 1 is always reported.
        step : int
            Units done.
        rate : float, optional
            Units per second.
        unit : str
            What is counted.
        seconds_left : float, optional
        doing : str, optional
            What is being done before the work proper, such as ``"Reading images 3 of 100"``.
        **metrics
            What was measured on the way, such as ``train_psnr``.
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
        """Show a picture of the state of the work.

        Parameters
        ----------
        name : str
            Of what is seen, such as a view; becomes part of the file's name.
        image : (H, W, 3) or (H, W, 4) uint8 array
            sRGB, straight alpha.

        Returns
        -------
        Path
            The PNG in the job folder; each call writes a new one.
        """
        from ..files.images import write_png

        safe = re.sub(r"[^\w.-]+", "_", name).strip("._") or "preview"
        # Not at once under a name that is shown already: viewers keep pictures by their path.
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
