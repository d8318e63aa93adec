"""One engine at a time works on a folder."""

import contextlib
import errno
import logging
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from ..errors import UserError

log = logging.getLogger(__name__)

_HELD = (errno.EACCES, errno.EAGAIN, errno.EDEADLK, errno.EWOULDBLOCK)

_LOCKED_BYTE = 1 << 20
"""Windows locks bytes; this one lies beyond the file's text, which others may then read."""

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
    """Hold a lock file; the system lets go of it when the process ends, in whatever way.

    Parameters
    ----------
    path : Path
        The lock file; it stays, with the last holder's process id in it.

    Raises
    ------
    UserError
        Another process holds it.
    """
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        try:
            _take(handle)
        except OSError as error:
            if error.errno in _HELD:
                raise UserError(
                    f"Another engine (process {_holder(path)}) works on '{path.parent}'; "
                    "wait for it, cancel it, or give another --job."
                ) from error
            # Some network file systems have no locks; a job there is better than none.
            log.warning("the job folder cannot be locked here: %s", error)
        # A full disk must not keep a job from telling so in its own way.
        with contextlib.suppress(OSError):
            os.ftruncate(handle, 0)
            os.write(handle, f"{os.getpid()}\n".encode())
        yield
    finally:
        os.close(handle)


def is_abandoned(path: Path) -> bool:
    """Whether a lock file is there whose holder has ended without taking it away.

    Where there is no file yet, or no locks (some network file systems), nobody can tell: False.
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
