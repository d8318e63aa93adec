"""Atomic writes: a file is written in a temporary folder next to its place, then moved there."""

import contextlib
import errno
import glob
import json
import math
import os
import secrets
import shutil
import stat
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..errors import UserError

_PART = ".part"
_DISK_FULL = (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC))
_DISK_FULL_TEXT = ("os error 28", "os error 112", "os error 122", "No space left")
"""Texts by which libraries that are not written in Python report a full disk or quota."""


def write_atomic(path: Path, writer: Callable[[Path], object]) -> None:
    """Write a file so that its name always holds a complete file, the old one or the new one.

    Parameters
    ----------
    path : Path
        Missing parent folders are made.
    writer : callable
        ``writer(temporary)`` writes the file to a path with the same name in a folder of its own.

    Raises
    ------
    UserError
        The file cannot be written (disk full, no permission). No part of it remains, and an older
        file of that name is unchanged.
    """
    path = Path(path)
    # Libraries that put temporary files of their own next to the file leave them in this folder.
    folder = _temporary_folder(path)
    temporary = folder / path.name
    try:
        folder.mkdir(parents=True)
        temporary.touch()
        mode = stat.S_IMODE(temporary.stat().st_mode)
        writer(temporary)
        temporary.chmod(mode)  # the umask's: safetensors makes files that only their owner can read
        _flush_to_disk(temporary)
        temporary.replace(path)
    except Exception as error:
        if is_disk_full(error) or isinstance(error, OSError):
            raise UserError(f"'{path}' cannot be written: {why_not_written(error)}.") from error
        raise
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    _flush_folder(path.parent)


def write_bytes(path: Path, data: bytes) -> None:
    """Write bytes as `write_atomic` does."""
    write_atomic(path, lambda temporary: temporary.write_bytes(data))


def write_json(path: Path, data: Any) -> None:
    """Write JSON as `write_atomic` does; NaN and infinities become null."""
    write_bytes(path, (json_text(data, indent=2) + "\n").encode())


def json_text(data: Any, indent: int | None = None) -> str:
    """Return data as JSON text; NaN and infinities, which JSON does not have, become null.

    Paths become strings, and numpy's numbers plain numbers.
    """
    return json.dumps(_plain(data), indent=indent, allow_nan=False, ensure_ascii=False)


def require_writable(path: Path) -> None:
    """Raise UserError when a file or folder could not be written; leaves nothing behind.

    Parameters
    ----------
    path : Path
        Its folder may have to be made; then the nearest folder that exists is tried.
    """
    try:
        with contextlib.suppress(FileNotFoundError):
            _temporary_folder(path).lstat()  # fails where a name is too long, or below a file
        parent = next(folder for folder in path.absolute().parents if folder.exists())
        with tempfile.TemporaryFile(dir=parent):
            pass
    except OSError as error:
        raise UserError(f"'{path}' cannot be written: {why_not_written(error)}.") from error


def remove_leftovers(path: Path) -> None:
    """Remove what interrupted writes (power cut, ``kill -9``) left behind.

    Parameters
    ----------
    path : Path
        A folder, to remove all that was being written into it, or the file that was being written.
    """
    with contextlib.suppress(OSError):  # a name that is too long has left nothing
        is_folder = path.is_dir()
        folder = path if is_folder else path.parent
        name = "" if is_folder else f"{glob.escape(path.name)}."
        for leftover in folder.glob(f".{name}*{_PART}"):
            shutil.rmtree(leftover, ignore_errors=True)


def is_disk_full(error: BaseException) -> bool:
    """Return whether an error says that the disk or the user's quota is full."""
    if isinstance(error, OSError) and error.errno in _DISK_FULL:
        return True
    return any(text in str(error) for text in _DISK_FULL_TEXT)


def why_not_written(error: BaseException) -> str:
    """Return the reason for a failed write, as the end of a sentence."""
    if is_disk_full(error):
        return "the disk is full; free some space and run the same command again"
    reason = error.strerror if isinstance(error, OSError) else None
    return (reason or str(error)).rstrip(".")


def _plain(data: Any) -> Any:
    if isinstance(data, dict):
        return {str(key): _plain(value) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return [_plain(value) for value in data]
    if isinstance(data, Path):
        return str(data)
    if isinstance(data, bool | int | str) or data is None:
        return data
    if hasattr(data, "tolist"):
        return _plain(data.tolist())
    if isinstance(data, float):
        return data if math.isfinite(data) else None
    raise TypeError(f"{type(data).__name__} has no JSON form")


def _temporary_folder(path: Path) -> Path:
    return path.with_name(f".{path.name}.{secrets.token_hex(4)}{_PART}")


def _flush_to_disk(path: Path) -> None:
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def _flush_folder(folder: Path) -> None:
    """Make a rename survive a power cut where the system can (folders open on POSIX only)."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
