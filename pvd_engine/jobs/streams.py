"""Standard output and error of a running job.

Libraries print where they like. While a job runs, what they print goes to ``engine.log``, so that
standard output holds nothing but what the engine means to say, and the terminal nothing but the
progress bar.
"""

import contextlib
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO


@dataclass
class Terminal:
    """Where the engine speaks to whoever started it.

    Attributes
    ----------
    out, err : text file
    err_is_log : bool
        Standard error already is the job's log, as when the add-on starts the engine.
    """

    out: TextIO
    err: TextIO
    err_is_log: bool = False

    def print(self, text: str) -> bool:
        """Write a line to standard output; False when nobody reads it any more."""
        return _write(self.out, text)

    def say(self, text: str) -> None:
        """Write a line to standard error."""
        _write(self.err, text)


@contextlib.contextmanager
def prints_to_log(log: Path) -> Iterator[Terminal]:
    """Within, file descriptors 1 and 2 are the log; the yielded terminal has the real ones.

    Parameters
    ----------
    log : Path
        Appended to.
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
    """Within, file descriptor 1 is standard error; the yielded terminal has the real output."""
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
    """A text file on a copy of a descriptor; on the null device when that is closed."""
    try:
        copy = os.dup(handle)
    except OSError:
        copy = os.open(os.devnull, os.O_WRONLY)
    return os.fdopen(copy, "w", encoding="utf-8", errors="replace", newline="\n", buffering=1)


def _write(stream: TextIO | None, text: str) -> bool:
    if stream is None:
        return False
    try:
        stream.write(text + "\n")
        stream.flush()
    except (OSError, ValueError):
        return False
    return True


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            with contextlib.suppress(OSError, ValueError):
                stream.flush()
