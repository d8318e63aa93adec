"""What takes long to make is made once for all processes that tests run in."""

import time
from collections.abc import Callable
from pathlib import Path

SECONDS = 120.0
"""For another process to make it."""


def once(folder: Path, make: Callable[[Path], object]) -> Path:
    """Return a folder that one process makes and fills, while the others wait for it.

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
        deadline = time.monotonic() + SECONDS
        while not done.exists():
            assert not failed.exists(), f"{folder.name} could not be made; see the test that tried"
            assert time.monotonic() < deadline, f"{folder.name} was not made in {SECONDS:.0f} s"
            time.sleep(0.05)
        return folder
    try:
        make(folder)
    except BaseException:
        failed.touch()
        raise
    done.touch()
    return folder
