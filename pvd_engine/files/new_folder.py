"""New folders that are complete or absent: filled under a temporary name, then renamed."""

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
"""Name of the lock file in a temporary folder, held while the folder is filled."""


def require_new(path: Path) -> None:
    """Raise UserError when a path exists and is not an empty folder.

    Parameters
    ----------
    path : Path
        The folder to make.
    """
    try:
        taken = path.is_symlink() or (path.exists() and (not path.is_dir() or any(path.iterdir())))
    except OSError as error:
        raise UserError(f"'{path}' cannot be opened: {why_not_written(error)}.") from error
    if taken:
        raise UserError(f"'{path}' exists already and is not an empty folder; give a new folder.")


@contextlib.contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """Yield a temporary folder to fill, which is renamed at the end.

    Parameters
    ----------
    path : Path
        A path that does not exist, or an empty folder; missing parent folders are made.

    Yields
    ------
    Path
        The temporary folder, next to `path`. After any error it is removed with its content, and
        `path` is unchanged. Only a killed process leaves it; the next call for `path` removes it.

    Raises
    ------
    UserError
        The path exists and is not an empty folder, or the folder cannot be made.
    """
    require_new(path)
    _remove_abandoned(path)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}{PART}")
    try:
        with contextlib.ExitStack() as held:
            with _failures_reported(path):
                temporary.mkdir(parents=True)
                held.enter_context(hold_lock(temporary / LOCK))
            yield temporary
        with _failures_reported(path):
            (temporary / LOCK).unlink()
            if path.exists():
                path.rmdir()  # Windows cannot rename to an existing folder, even an empty one
            temporary.rename(path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _remove_abandoned(path: Path) -> None:
    """Remove temporary folders that killed processes left for this path."""
    for left in path.parent.glob(f".{glob.escape(path.name)}.*{PART}"):
        if is_abandoned(left / LOCK):
            shutil.rmtree(left, ignore_errors=True)


@contextlib.contextmanager
def _failures_reported(path: Path) -> Iterator[None]:
    """Turn a failure of the file system into a UserError."""
    try:
        yield
    except OSError as error:
        raise UserError(f"'{path}' cannot be made: {why_not_written(error)}.") from error
