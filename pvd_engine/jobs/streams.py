"""Standard output and error of a running job.

Libraries print to both. While a job runs, their output goes to ``engine.log``. Standard output then
holds only the engine's own output, and the terminal only the progress bar.
"""

import contextlib
import os
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
"""Control characters but tab and newline, overrides of the writing direction, surrogates."""


def printable(text: str) -> str:
    """Return text without characters that a terminal obeys; each becomes an escape of JSON.

    Names and texts of files from strangers must not move the cursor, colour the screen or answer
    for the user. JSON text stays the same JSON, because these characters stand in strings only.
    """
    return _UNPRINTABLE.sub(lambda found: f"\\u{ord(found.group()):04x}", text)


@dataclass
class Terminal:
    """The real standard output and error, for the engine's own output.

    Attributes
    ----------
    out, err : text file
    err_is_log : bool
        Standard error is the job's log already, as when the add-on starts the engine.
    """

    out: TextIO
    err: TextIO
    err_is_log: bool = False

    def print(self, text: str) -> bool:
        """Write a line to standard output; return False when nobody reads it any more."""
        return _write(self.out, text)

    def say(self, text: str) -> None:
        """Write a line to standard error."""
        _write(self.err, text)


@contextlib.contextmanager
def prints_to_log(log: Path) -> Iterator[Terminal]:
    """Send file descriptors 1 and 2 to the log; the yielded terminal has the real ones.

    Parameters
    ----------
    log : Path
        The file to append to.
    """
    _flush()
    out, err = _own_copy(1), _own_copy(2)
    log_handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    try:
        err_is_log = os.path.samestat(os.fstat(err.fileno()), os.fstat(log_handle))
        os.dup2(log_handle, 1)
        os.dup2(log_handle, 2)
    finally:
        os.close(log_handle)
    try:
        yield Terminal(out, err, err_is_log)
    finally:
        _flush()
        os.dup2(out.fileno(), 1)
        os.dup2(err.fileno(), 2)
        for stream in (out, err):
            with contextlib.suppress(OSError):
                stream.close()


@contextlib.contextmanager
def prints_to_stderr() -> Iterator[Terminal]:
    """Send file descriptor 1 to standard error; the yielded terminal has the real output."""
    _flush()
    out = _own_copy(1)
    os.dup2(2, 1)
    try:
        yield Terminal(out, sys.stderr)
    finally:
        _flush()
        os.dup2(out.fileno(), 1)
        out.close()


def _own_copy(handle: int) -> TextIO:
    """Return a text file on a copy of a descriptor, or on the null device when that is closed."""
    try:
        copy = os.dup(handle)
    except OSError:
        copy = os.open(os.devnull, os.O_WRONLY)
    return os.fdopen(copy, "w", encoding="utf-8", errors="replace", newline="\n", buffering=1)


def _write(stream: TextIO | None, text: str) -> bool:
    if stream is None:
        return False
    try:
        stream.write(printable(text) + "\n")
        stream.flush()
    except (OSError, ValueError):
        return False
    return True


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            with contextlib.suppress(OSError, ValueError):
                stream.flush()
