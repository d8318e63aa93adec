"""Splits: the views that train a field and the held-out ones."""

from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from ..errors import UserError
from ..files.json_input import text_value
from ..files.text_input import read_text
from .capture import View
from .images.finder import path_parts

HOLD_EVERY = 8
"""Every Nth view is held out; 8, as in LLFF and mip-NeRF 360."""

MIN_FOR_HOLDING = 4
"""Fewest views of which some are held out."""

LIST_FILES = (
    ("train", "train_list.txt"),
    ("test", "test_list.txt"),
    ("val", "val_list.txt"),
    ("val", "validation_list.txt"),
)
"""Lists of images that nerfstudio's ``colmap_dataparser.py`` reads from a capture's folder."""

TEST_FILE = "test.txt"
"""List that the code of Gaussian splats reads from the folder of a model."""

_KEYS = {"train": "train_filenames", "val": "val_filenames", "test": "test_filenames"}


def evenly_spaced(views: Sequence[View], count: int) -> tuple[View, ...]:
    """Return at most `count` views, evenly spaced, the first one included."""
    if len(views) <= count:
        return tuple(views)
    return tuple(views[index * len(views) // count] for index in range(count))


def spread_order(count: int) -> list[int]:
    """Return the numbers below `count`, in an order whose every beginning is evenly spread.

    Each number halves one of the gaps that those before it leave.
    """
    bits = max(count - 1, 1).bit_length()
    halving = (int(f"{number:0{bits}b}"[::-1], 2) for number in range(1 << bits))
    return list(dict.fromkeys(number * count >> bits for number in halving))


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


class ListedSplits:
    """Splits by the paths of images.

    Parameters
    ----------
    splits : mapping
        Path as the file lists it -> split.
    folder : Path
        The folder that paths are relative to.
    """

    def __init__(self, splits: Mapping[str, str], folder: Path) -> None:
        self._folder = folder
        self._by_path: dict[str, str] = {}
        self._by_name: dict[str, set[str]] = {}
        for listed, split in splits.items():
            path, *names = self._names(listed)
            split = self._by_path.setdefault(path, split)
            for name in names:
                self._by_name.setdefault(name, set()).add(split)

    def split_of(self, listed: str) -> str | None:
        """Return the split of an image, by its path, else by its name; None where it has none."""
        path, *names = self._names(listed)
        if path in self._by_path:
            return self._by_path[path]
        for name in names:
            splits = self._by_name.get(name, set())
            if len(splits) == 1:
                return next(iter(splits))
        return None

    def _names(self, listed: str) -> list[str]:
        """Return the path of an image, its name, and its name without the ending."""
        parts, _ = path_parts(listed, self._folder)
        name = parts[-1] if parts else ""
        return ["/".join(parts), name, PurePosixPath(name).stem]


def listed_splits(content: Mapping[str, Any], path: Path) -> ListedSplits | None:
    """Return the splits of nerfstudio's ``train_filenames``, ``val_filenames``, ``test_filenames``.

    A path in several lists belongs to the first of train, test, val, so that no view both trains
    and tests.

    Returns
    -------
    ListedSplits or None
        None when the file has no such list.

    Raises
    ------
    UserError
        A list is not a list of paths.
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
            result.setdefault(text_value(name, "a path", f"{path.name}, {key}"), split)
    return ListedSplits(result, path.parent)


def splits_by_files(
    names: Sequence[str], folder: Path, model: Path
) -> tuple[list[str | None], str] | None:
    """Return the split of each image by the lists of a COLMAP capture, None where it has none.

    Parameters
    ----------
    names : sequence of str
        Paths of the images below the folder of images.
    folder, model : Path
        Folders of the capture and of its model.

    Returns
    -------
    (splits, note) or None
        None where there are no lists. Without a list of train images, all others are train.

    Raises
    ------
    UserError
        A list cannot be read, or the lists name none of the images.
    """
    files = [(split, folder / name) for split, name in LIST_FILES]
    files.append(("test", model / TEST_FILE))
    files = [(split, path) for split, path in files if path.is_file()]
    if not files:
        return None
    listed: dict[str, str] = {}
    for split, path in files:
        for line in read_text(path).splitlines():
            if line.strip():
                listed.setdefault(line.strip(), split)
    found = ListedSplits(listed, folder)
    splits = [found.split_of(name) for name in names]
    where = " and ".join(path.name for _, path in files)
    if not any(splits):
        raise UserError(f"{where} of {folder} names none of its images; correct or remove it.")
    rest = None if any(split == "train" for split, _ in files) else "train"
    return [split or rest for split in splits], f"The splits are those of {where}."
