"""Temporary folders that do not outlive their process, even when it is killed.

Each holds a lock file for as long as its process lives. A folder whose lock nobody holds was left
by a process that was killed; the next run removes it. The add-on does the same with folders of its
own.
"""

import contextlib
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

from ..errors import UserError
from .lock import hold_lock, is_abandoned

PREFIX = "pvd-"
OWNER = "owner.lock"


@contextlib.contextmanager
def temporary_folder() -> Iterator[Path]:
    """Give a new temporary folder, which belongs to this process meanwhile.

    It stays afterwards: the caller removes it, or keeps it for the user.

    Raises
    ------
    OSError
        When no folder can be made.
    """
    while True:
        folder = Path(tempfile.mkdtemp(prefix=PREFIX))
        with contextlib.ExitStack() as stack:
            try:
                stack.enter_context(hold_lock(folder / OWNER))
            except UserError:  # another run takes the new folder for one that was left
                continue
            if not (folder / OWNER).exists():
                continue
            try:
                yield folder
            finally:
                with contextlib.suppress(OSError):
                    (folder / OWNER).unlink()
            return


def remove_left_folders() -> None:
    """Remove this user's temporary folders whose processes are gone; links are not followed."""
    with contextlib.suppress(OSError):
        for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
            with contextlib.suppress(OSError, UserError):
                if _is_own(folder) and is_abandoned(folder / OWNER):
                    # Held meanwhile, so that a process that has just made it makes another.
                    with hold_lock(folder / OWNER):
                        shutil.rmtree(folder, ignore_errors=True)
                    shutil.rmtree(folder, ignore_errors=True)  # Windows keeps an open file


def _is_own(folder: Path) -> bool:
    """Return whether a path is a folder, and no link, of this user."""
    found = folder.lstat()
    user = os.getuid() if hasattr(os, "getuid") else found.st_uid
    return stat.S_ISDIR(found.st_mode) and found.st_uid == user
