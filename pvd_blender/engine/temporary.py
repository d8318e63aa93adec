"""Temporary folders that do not outlive Blender, even when it is killed.

Each holds a lock file for as long as its Blender lives. A folder whose lock nobody holds was left
by a Blender that was killed; the next one removes it. The engine does the same with folders of its
own.
"""

import contextlib
import errno
import os
import shutil
import stat
import sys
import tempfile
from pathlib import Path
from types import TracebackType

PREFIX = "convert-field-"
OWNER = "owner.lock"

HELD = (errno.EACCES, errno.EAGAIN, errno.EDEADLK, errno.EWOULDBLOCK)
"""Errors that tell that another process holds a lock."""

if sys.platform == "win32":
    import msvcrt

    def _take(handle: int) -> None:
        msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _take(handle: int) -> None:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)


class TemporaryFolder:
    """A new temporary folder; as a context it is removed at its end.

    Attributes
    ----------
    path : Path

    Raises
    ------
    OSError
        When no folder can be made.
    """

    def __init__(self) -> None:
        self._lock: int | None = None
        while self._lock is None:  # another Blender can take the new folder for one that was left
            self.path = Path(tempfile.mkdtemp(prefix=PREFIX))
            self._lock = _made(self.path / OWNER)

    def close(self) -> None:
        """Remove the folder."""
        if self._lock is not None:
            shutil.rmtree(self.path, ignore_errors=True)
            os.close(self._lock)
            self._lock = None
            shutil.rmtree(self.path, ignore_errors=True)  # Windows keeps an open file

    def __enter__(self) -> Path:
        return self.path

    def __exit__(
        self, kind: type | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def remove_left_folders() -> None:
    """Remove this user's temporary folders whose Blender is gone; links are not followed."""
    with contextlib.suppress(OSError):
        for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
            with contextlib.suppress(OSError):
                if _is_own(folder) and (lock := _held(folder / OWNER)) is not None:
                    shutil.rmtree(folder, ignore_errors=True)
                    os.close(lock)
                    shutil.rmtree(folder, ignore_errors=True)


def _made(path: Path) -> int | None:
    """Return the handle of a new lock file that is held from now on; None if another took it."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        _take(handle)
    except OSError as error:
        if error.errno in HELD:
            os.close(handle)
            return None
        # Some network file systems have no locks; then nobody takes the folder for a left one.
    if path.exists():
        return handle
    os.close(handle)
    return None


def _held(path: Path) -> int | None:
    """Return the handle of a lock file that is held from now on, or None if it cannot be."""
    handle = os.open(path, os.O_RDWR)
    try:
        _take(handle)
    except OSError:
        os.close(handle)
        return None
    return handle


def _is_own(folder: Path) -> bool:
    """Return whether a path is a folder, and no link, of this user."""
    found = folder.lstat()
    user = os.getuid() if hasattr(os, "getuid") else found.st_uid
    return stat.S_ISDIR(found.st_mode) and found.st_uid == user
