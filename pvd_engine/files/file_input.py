"""Opening files that others wrote: no pipe is waited for, and nothing is read beyond a limit."""

import contextlib
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from ..errors import UserError


@contextlib.contextmanager
def opened(path: Path, max_bytes: int | None = None) -> Iterator[BinaryIO]:
    """Open an ordinary file.

    Parameters
    ----------
    path : Path
    max_bytes : int, optional
        Most bytes that the file may have; any number when not given.

    Raises
    ------
    UserError
        It is missing, unreadable, too large, or no ordinary file but a pipe, device or socket;
        also when reading it fails within the ``with`` block.
    """
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise UserError(f"{path} is no file that can be read; put the right one in its place.")
        if max_bytes is not None and status.st_size > max_bytes:
            raise UserError(
                f"{path} has {size_text(status.st_size)}, more than the {size_text(max_bytes)} "
                "that such a file may have; check that it is the right file."
            )
        with path.open("rb") as file:
            yield file
    except FileNotFoundError as error:
        raise UserError(f"{path} cannot be read: it does not exist.") from error
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror or error}.") from error


def read_bytes(path: Path, max_bytes: int) -> bytes:
    """The whole content of a file.

    Raises
    ------
    UserError
        As `opened`.
    """
    with opened(path, max_bytes) as file:
        return file.read()


def size_text(count: int) -> str:
    """A number of bytes for people."""
    return f"{count / 1e6:.0f} MB" if count >= 1e7 else f"{count / 1e3:.0f} kB"
