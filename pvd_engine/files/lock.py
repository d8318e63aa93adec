"""Lock files: only one engine works on a folder at a time."""

import contextlib
import errno
import logging
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from ..errors import UserError

log = logging.getLogger(__name__)

_HELD_ERRORS = (errno.EACCES, errno.EAGAIN, errno.EDEADLK, errno.EWOULDBLOCK)

_LOCKED_BYTE = 1 << 20
"""Position of the byte that is locked on Windows; the text before it stays readable."""

if sys.platform == "win32":
    import msvcrt

    def _take(handle: int) -> None:
        os.lseek(handle, _LOCKED_BYTE, os.SEEK_SET)
        msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        os.lseek(handle, 0, os.SEEK_SET)

else:
    import fcntl

    def _take(handle: int) -> None:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)


@contextlib.contextmanager
def hold_lock(path: Path) -> Iterator[None]:
    """Hold a lock file; the system releases it when the process ends, however it ends.

    Parameters
    ----------
    path : Path
        The lock file; it stays and holds the process id of its last holder.

    Raises
    ------
    UserError
        Another process holds the lock.
    """
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        try:
            _take(handle)
        except OSError as error:
            if error.errno in _HELD_ERRORS:
                raise UserError(
                    f"Another engine (process {_holder(path)}) works on '{path.parent}'; "
                    "wait for it, cancel it, or give another --job."
                ) from error
            # Some network file systems have no locks; a job without a lock is better than none.
            log.warning("the job folder cannot be locked here: %s", error)
        # On a full disk the job must still start, because it reports that itself.
        with contextlib.suppress(OSError):
            os.ftruncate(handle, 0)
            os.write(handle, f"{os.getpid()}\n".encode())
        yield
    finally:
        os.close(handle)


def is_abandoned(path: Path) -> bool:
    """Return whether a lock file exists whose holder has ended without removing it.

    Return False where there is no file yet, or no locks (some network file systems).
    """
    try:
        handle = os.open(path, os.O_RDWR)
    except OSError:
        return False
    try:
        _take(handle)
    except OSError:
        return False
    finally:
        os.close(handle)
    return True


def _holder(path: Path) -> str:
    with contextlib.suppress(OSError):
        text = path.read_text(encoding="ascii", errors="replace").strip()
        if text.isdigit():
            return text
    return "unknown"
