"""Folders that are whole or not there: filled under a temporary name, then renamed."""

import contextlib
import glob
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

from ..errors import UserError
from .atomic import why_not_written
from .lock import hold_lock, is_abandoned

PART = ".part"
LOCK = ".lock"
"""Held within a temporary folder while it is filled."""


def require_new(path: Path) -> None:
    """Raise UserError when a path is taken by anything but an empty folder.

    Parameters
    ----------
    path : Path
        Of a folder that is to be made.
    """
    try:
        taken = path.is_symlink() or (path.exists() and (not path.is_dir() or any(path.iterdir())))
    except OSError as error:
        raise UserError(f"'{path}' cannot be looked into: {why_not_written(error)}.") from error
    if taken:
        raise UserError(f"'{path}' exists already and is not an empty folder; give a new one.")


@contextlib.contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """Within, fill a temporary folder, which gets its name at the end.

    Parameters
    ----------
    path : Path
        Does not exist, or is an empty folder; missing parent folders are made.

    Yields
    ------
    Path
        The temporary folder, beside `path`. Whatever goes wrong within, it goes with all that is in
        it, and `path` is as it was. Only what is killed leaves it; the next that fills a folder for
        `path` takes it away.

    Raises
    ------
    UserError
        The path is taken, or the folder cannot be made.
    """
    require_new(path)
    _remove_abandoned(path)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}{PART}")
    try:
        with contextlib.ExitStack() as held:
            with _told(path):
                temporary.mkdir(parents=True)
                held.enter_context(hold_lock(temporary / LOCK))
            yield temporary
        with _told(path):
            (temporary / LOCK).unlink()
            if path.exists():
                path.rmdir()  # Windows renames onto no folder, not even an empty one
            temporary.rename(path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _remove_abandoned(path: Path) -> None:
    """Remove what killed processes left of earlier folders of this name."""
    for left in path.parent.glob(f".{glob.escape(path.name)}.*{PART}"):
        if is_abandoned(left / LOCK):
            shutil.rmtree(left, ignore_errors=True)


@contextlib.contextmanager
def _told(path: Path) -> Iterator[None]:
    """Turn a failure of the file system into a sentence."""
    try:
        yield
    except OSError as error:
        raise UserError(f"'{path}' cannot be made: {why_not_written(error)}.") from error
