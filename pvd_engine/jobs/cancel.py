"""Cancelling a job: asking it to stop, and ending it when it does not."""

import contextlib
import faulthandler
import logging
import os
import signal
import stat
import sys
import threading
from collections.abc import Callable, Iterator
from typing import IO

log = logging.getLogger(__name__)

SECONDS_AFTER_CANCEL = 12.0
"""Seconds to write a checkpoint while the parent or the user waits."""

SECONDS_AFTER_PARENT_DIED = 3.0
"""Seconds to write a checkpoint when nobody waits any more; a later start of the job must not find
this process still working."""

SECONDS_OF_LAST_RESORT = 1.0
"""Seconds after the deadline at which the process ends even if Python's lock is held."""

STANDARD_ERROR = 2
"""File descriptor of standard error."""

EXIT_CANCELLED = 130
"""Exit code of a shell for Ctrl-C."""


class Cancellation:
    """A flag that the job should stop, with a deadline after which the process ends.

    Work checks `requested`. A cancelled process that still runs at the deadline is ended at once.
    Its files are written atomically, so only the newest steps are lost.

    Parameters
    ----------
    last_words : callable, optional
        Function called in a thread of its own just before the process is ended at once.
    """

    def __init__(self, last_words: Callable[[], None] | None = None) -> None:
        self._flag = threading.Event()
        # Reentrant: a signal may arrive while the main thread holds the lock.
        self._lock = threading.RLock()
        self._timer: threading.Timer | None = None
        self._disarmed = False
        self._last_words = last_words

    @property
    def requested(self) -> bool:
        """True when the job should stop."""
        return self._flag.is_set()

    def request(self, grace: float | None = None) -> None:
        """Ask the job to stop; it may be called again, and the last deadline counts.

        Parameters
        ----------
        grace : float, optional
            Seconds after which the process is ended at once; never by default.
        """
        self._flag.set()
        if grace is None:
            return
        with self._lock:
            if self._disarmed:
                return
            if self._timer is not None:
                self._timer.cancel()
            self._timer = threading.Timer(grace, self._end_at_once)
            self._timer.daemon = True
            self._timer.start()
            # A timer needs Python's lock, which a call into C may hold; faulthandler does not.
            with contextlib.suppress(OSError, ValueError, RuntimeError):
                last = grace + SECONDS_OF_LAST_RESORT
                faulthandler.dump_traceback_later(last, exit=True, file=STANDARD_ERROR)

    def disarm(self) -> None:
        """Withdraw the deadline, because the work has ended."""
        with self._lock:
            self._disarmed = True
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
                faulthandler.cancel_dump_traceback_later()

    def _end_at_once(self) -> None:
        with self._lock:
            if self._disarmed:
                return
            try:
                if self._last_words is not None:
                    self._last_words()
            finally:
                os._exit(EXIT_CANCELLED)


def listen_to_parent(cancellation: Cancellation, stream: IO[bytes]) -> threading.Thread:
    """Watch a stream; a line ``cancel``, or the end of the stream, cancels the job.

    Parameters
    ----------
    cancellation : Cancellation
    stream : binary file
        The read end of a pipe whose other end the parent holds while it runs.
    """

    def watch() -> None:
        with contextlib.suppress(OSError, ValueError):
            for line in stream:
                if line.strip() == b"cancel":
                    log.info("cancelled by the parent")
                    cancellation.request(SECONDS_AFTER_CANCEL)
        log.info("standard input has ended")
        cancellation.request(SECONDS_AFTER_PARENT_DIED)

    thread = threading.Thread(target=watch, name="parent", daemon=True)
    thread.start()
    return thread


def parent_pipe() -> IO[bytes] | None:
    """Return standard input when it is a pipe or socket that a parent holds, else None.

    A terminal, ``/dev/null``, a file or a closed input does not show whether a parent runs.
    """
    try:
        mode = os.fstat(0).st_mode
    except OSError:
        return None
    if not (stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)):
        return None
    # A separate file object: at its end, Python waits for the lock of sys.stdin's buffer, which a
    # thread that blocks in a read would hold for ever.
    return open(0, "rb", buffering=0, closefd=False)


@contextlib.contextmanager
def interrupts_cancel(cancellation: Cancellation, say: Callable[[str], None]) -> Iterator[None]:
    """Let Ctrl-C, termination and a closed terminal cancel the job; a second Ctrl-C ends it.

    Does nothing outside the main thread, where signals cannot be handled.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def handle(number: int, _frame: object) -> None:
        if cancellation.requested and number == signal.SIGINT:
            os._exit(EXIT_CANCELLED)
        cancellation.request(SECONDS_AFTER_CANCEL)
        if number == signal.SIGINT:
            say("Stopping; press Ctrl-C again to stop at once.")

    numbers = [signal.SIGINT, signal.SIGTERM]
    if sys.platform == "win32":
        numbers.append(signal.SIGBREAK)
    elif signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # ignored under nohup
        numbers.append(signal.SIGHUP)
    previous = {number: signal.signal(number, handle) for number in numbers}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
