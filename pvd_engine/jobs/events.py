"""The events of a job: lines of JSON in ``events.jsonl``, passed on to listeners."""

import json
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ..files.atomic import json_text

Event = dict[str, Any]
"""``seq`` (from 0, without gaps), ``time`` (seconds since 1970), ``type`` and ``payload``."""

Listener = Callable[[Event], None]


class EventLog:
    """A log that numbers events and appends them to a file, also for a resumed job.

    Parameters
    ----------
    path : Path
        The file; its complete lines are kept, and an incomplete last line is removed.
    listeners : sequence of callable
        Functions called with every new event, in the thread that emits it.
    """

    def __init__(self, path: Path, listeners: Sequence[Listener] = ()) -> None:
        self._listeners = tuple(listeners)
        self._lock = threading.Lock()
        self._next = _mend(path)
        self._file = path.open("ab", buffering=0)

    def emit(self, kind: str, payload: dict[str, Any]) -> Event:
        """Append an event, pass it on and return it.

        Raises
        ------
        OSError
            The file cannot be written; listeners still receive the event.
        """
        with self._lock:
            event = {"seq": self._next, "time": time.time(), "type": kind, "payload": payload}
            line = json_text(event).encode() + b"\n"
            self._next += 1
            try:
                self._append(line)
            finally:
                for listener in self._listeners:
                    listener(event)
        return event

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _append(self, line: bytes) -> None:
        end = self._file.seek(0, 2)
        try:
            written = self._file.write(line)
            if written < len(line):  # the disk became full in the middle of the line
                self._file.write(line[written:])
        except OSError:
            self._file.truncate(end)
            raise


def _mend(path: Path) -> int:
    """Remove an incomplete last line, and return the number of the next event."""
    if not path.is_file():
        return 0
    content = path.read_bytes()
    whole = content.rfind(b"\n") + 1
    if whole < len(content):
        with path.open("rb+") as file:
            file.truncate(whole)
    lines = content[:whole].splitlines()
    try:
        return int(json.loads(lines[-1])["seq"]) + 1 if lines else 0
    except (ValueError, KeyError, TypeError):
        return len(lines)
