"""What takes time to make is made once a session, for all test files and processes."""

import time
from collections.abc import Callable
from pathlib import Path

SECONDS = 200.0
"""Time that another process may take to make a folder, at most."""


def once(folder: Path, make: Callable[[Path], object]) -> Path:
    """Return a folder that one process makes and fills while the others wait for it.

    Parameters
    ----------
    folder : Path
        Does not exist before.
    make : callable
        Fills the folder, which it is given.
    """
    done, failed = folder / ".done", folder / ".failed"
    try:
        folder.mkdir()
    except FileExistsError:
        end = time.monotonic() + SECONDS
        while not done.exists():
            assert not failed.exists(), f"{folder.name} could not be made; see the test that tried"
            assert time.monotonic() < end, f"{folder.name} was not made in {SECONDS:.0f} s"
            time.sleep(0.05)
        return folder
    try:
        make(folder)
    except BaseException:
        failed.touch()
        raise
    done.touch()
    return folder
