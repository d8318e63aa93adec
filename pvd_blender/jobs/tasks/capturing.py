"""The task that reads a capture."""

from collections.abc import Sequence
from pathlib import Path

from ...scene.cameras import SPLITS
from .task import Task


def importing(
    path: Path,
    splits: Sequence[str] = SPLITS,
    downscale: int | None = None,
    points: bool = True,
) -> Task:
    """Return the task that reads a capture's files and imports the cameras of some splits."""
    name = path.stem if path.suffix == ".json" and path.stem != "transforms" else path.name
    name = path.parent.name if path.name.startswith("transforms") else name
    client = {"splits": list(splits), "downscale": downscale, "points": points}
    return Task(f"Import {name}", name, "info", {"path": str(path)}, client=client)
