"""Writing ``.npz`` files."""

from pathlib import Path
from typing import Any

import numpy as np

from .atomic import write_atomic


def write_npz(path: Path, arrays: dict[str, Any]) -> None:
    """Write compressed arrays by name, as `write_atomic` does."""

    def write(temporary: Path) -> None:
        with temporary.open("wb") as file:
            np.savez_compressed(file, **arrays)

    write_atomic(path, write)
