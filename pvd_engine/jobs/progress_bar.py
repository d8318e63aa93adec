"""The progress bar on a terminal."""

import sys
from typing import TextIO

from tqdm import tqdm

from .events import Event
from .streams import printable

SECONDS_BETWEEN_LINES = 10.0
"""Seconds between updates when the output is not a terminal and each update stays as a line."""

_BAR = "{desc} {percentage:3.0f}%|{bar}| "

_PLAIN = ("step", "fraction", "rate", "unit", "seconds_left", "doing")


class ProgressBar:
    """A bar that shows progress events with rate, time left and metrics.

    Parameters
    ----------
    label : str
        Name of the verb.
    stream : text file
        The output, standard error.
    """

    def __init__(self, label: str, stream: TextIO) -> None:
        self._label = label
        self._stream = stream
        self._bar: tqdm | None = None

    def __call__(self, event: Event) -> None:
        """Show an event: progress moves the bar, the end fills it, warnings appear above it."""
        if event["type"] == "warning":
            tqdm.write(printable(str(event["payload"].get("message"))), file=self._stream)
        if (
            event["type"] == "end"
            and event["payload"]["status"] == "done"
            and self._bar is not None
        ):
            self._bar.update(1.0 - self._bar.n)
        if event["type"] != "progress":
            return
        if self._bar is None:
            self._bar = self._new_bar()
        payload = event["payload"]
        self._bar.bar_format = _BAR + describe(payload)
        self._bar.update(payload["fraction"] - self._bar.n)

    def close(self) -> None:
        """End the bar with its last state."""
        if self._bar is not None:
            self._bar.refresh()
            self._bar.close()
            self._bar = None

    def _new_bar(self) -> tqdm:
        steady = self._stream.isatty() or sys.platform == "win32"
        return tqdm(
            total=1.0,
            desc=self._label,
            bar_format=_BAR,
            file=self._stream,
            mininterval=0.1 if steady else SECONDS_BETWEEN_LINES,
            miniters=0,
            dynamic_ncols=steady,
            leave=True,
        )


def describe(payload: dict) -> str:
    """Return the text after the bar: activity, step, rate, time left and metrics, where known."""
    parts = [payload["doing"]] if payload.get("doing") else []
    unit = payload["unit"]
    if payload["step"] and unit != "%":  # the bar shows the percentage itself
        parts.append(f"{payload['step']:,} {unit}s")
    if payload["rate"]:
        parts.append(f"{payload['rate']:.3g} {unit}/s")
    if payload["seconds_left"] is not None:
        parts.append(f"{describe_seconds(payload['seconds_left'])} left")
    for name, value in payload.items():
        if name not in _PLAIN:
            parts.append(f"{name.replace('_', ' ')} {value:.4g}")
    # Braces are the bar's own syntax.
    return printable(", ".join(parts)).replace("{", "(").replace("}", ")")


def describe_seconds(seconds: float) -> str:
    """Return a duration as ``"0:45"`` or ``"1:02:05"``."""
    minutes, whole = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{whole:02d}" if hours else f"{minutes}:{whole:02d}"
