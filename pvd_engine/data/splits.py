"""Splits: the views that train a field and the held-out ones."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import UserError
from ..files.json_input import text_value
from .capture import View
from .formats.camera_entries import inside_path

HOLD_EVERY = 8
"""Every Nth view is held out; 8, as in LLFF and mip-NeRF 360."""

MIN_FOR_HOLDING = 4
"""Fewest views of which some are held out."""

_KEYS = {"train": "train_filenames", "val": "val_filenames", "test": "test_filenames"}


def evenly_spaced(views: Sequence[View], count: int) -> tuple[View, ...]:
    """Return at most `count` views, evenly spaced, the first one included."""
    if len(views) <= count:
        return tuple(views)
    return tuple(views[index * len(views) // count] for index in range(count))


def every_eighth(names: Sequence[str]) -> tuple[list[str], str]:
    """Hold out every 8th view (0, 8, 16, ... in order of their names) as test.

    Returns
    -------
    splits : list of str
        In the order of `names`.
    note : str
        The rule, one sentence.
    """
    splits = ["train"] * len(names)
    if len(names) < MIN_FOR_HOLDING:
        return (
            splits,
            "The file has no splits and too few views to hold any out: all views are train.",
        )
    order = sorted(range(len(names)), key=lambda index: names[index])
    for index in order[::HOLD_EVERY]:
        splits[index] = "test"
    return splits, (
        "The file has no splits: every 8th view in order of the names (0, 8, 16, ...) is test."
    )


def listed_splits(content: Mapping[str, Any], path: Path) -> dict[str, str] | None:
    """Return the splits of nerfstudio's ``train_filenames``, ``val_filenames``, ``test_filenames``.

    A path in several lists belongs to the first of train, test, val, so that no view both trains
    and tests.

    Returns
    -------
    dict or None
        Path relative to the folder -> split; None when the file has no such list.

    Raises
    ------
    UserError
        A list is not a list of paths inside the folder.
    """
    if all(content.get(key) is None for key in _KEYS.values()):
        return None
    result: dict[str, str] = {}
    for split in ("train", "test", "val"):
        key = _KEYS[split]
        names = content.get(key)
        if names is None:
            continue
        if not isinstance(names, list):
            raise UserError(f"{path.name}: {key} must be a list of paths.")
        for name in names:
            where = f"{path.name}, {key}"
            relative = inside_path(text_value(name, "a path", where), path.parent, where)
            result.setdefault(relative.as_posix(), split)
    return result
