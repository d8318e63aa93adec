"""Opening untrusted files: no waiting for a pipe, no reading beyond a limit."""

import contextlib
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from ..errors import UserError


@contextlib.contextmanager
def opened(path: Path, max_bytes: int | None = None) -> Iterator[BinaryIO]:
    """Open a regular file.

    Parameters
    ----------
    path : Path
    max_bytes : int, optional
        Largest size of the file; no limit by default.

    Raises
    ------
    UserError
        The file is missing, unreadable, too large, or not a regular file (a pipe, device or
        socket), or reading it fails within the ``with`` block.
    """
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise UserError(f"{path} is not a regular file; give the path of a file.")
        if max_bytes is not None and status.st_size > max_bytes:
            raise UserError(
                f"{path} has {size_text(status.st_size)}, more than the limit of "
                f"{size_text(max_bytes)}; check that it is the right file."
            )
        with path.open("rb") as file:
            yield file
    except FileNotFoundError as error:
        raise UserError(f"{path} cannot be read: it does not exist.") from error
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror or error}.") from error


def read_bytes(path: Path, max_bytes: int) -> bytes:
    """Return the content of a file.

    Raises
    ------
    UserError
        As `opened`.
    """
    with opened(path, max_bytes) as file:
        return file.read()


def size_text(count: int) -> str:
    """Return a number of bytes as readable text."""
    return f"{count / 1e6:.0f} MB" if count >= 1e7 else f"{count / 1e3:.0f} kB"
