"""Open any capture that the engine can read."""

import os
from pathlib import Path

from ..errors import UserError
from .capture import Capture
from .downscale import downscaled
from .nerf_synthetic import read_nerf_synthetic
from .transforms import read_transforms

MIN_TRAIN_VIEWS = 2

_SPLIT_FILES = ("transforms_train.json", "transforms_val.json", "transforms_test.json")
_READABLE = (
    "a folder with transforms_train.json (NeRF-Synthetic) or transforms.json "
    "(instant-ngp, nerfstudio)"
)


def open_capture(path: str | Path, downscale: int = 1) -> Capture:
    """Read a dataset; what it is is found from its content.

    Parameters
    ----------
    path : str or Path
        A folder with ``transforms_train.json`` (and ``_val``, ``_test``), a folder with
        ``transforms.json``, or such a file itself. Where a folder has both, the split files
        come first.
    downscale : int
        Divide width and height of every image by this.

    Returns
    -------
    Capture
        Images are not decoded yet, save a few to see whether an alpha channel is in use.

    Raises
    ------
    UserError
        There is nothing to read, or what is there is wrong.

    Examples
    --------
    >>> capture = open_capture("lego")  # doctest: +SKIP
    >>> len(capture.split("train"))  # doctest: +SKIP
    100
    """
    try:
        capture = _open(Path(os.path.abspath(Path(path).expanduser())))  # noqa: PTH100
    except (OSError, RuntimeError, ValueError) as error:  # unreadable folder, no home, NUL in path
        raise UserError(f"{path} cannot be read: {error}.") from error
    return downscaled(capture, downscale)


def require_trainable(capture: Capture) -> None:
    """Raise UserError when a capture has too little to train a field from.

    Raises
    ------
    UserError
        No train view with an image, or only one.
    """
    count = sum(view.image_path is not None for view in capture.split("train"))
    if count >= MIN_TRAIN_VIEWS:
        return
    have = "no train view with an image" if count == 0 else "only one train view with an image"
    raise UserError(
        f"The capture {capture.name} has {have}; training needs at least {MIN_TRAIN_VIEWS}, "
        "from different sides."
    )


def _open(path: Path) -> Capture:
    if path.is_file():
        if path.name in _SPLIT_FILES:
            return _open(path.parent)
        if path.suffix.lower() == ".json":
            return read_transforms(path)
        raise UserError(f"{path} is not a capture; give {_READABLE}.")
    if not path.exists():
        raise UserError(f"{path} does not exist; give {_READABLE}.")
    if not path.is_dir():
        raise UserError(f"{path} is neither a file nor a folder; give {_READABLE}.")
    if (path / "transforms_train.json").is_file():
        return read_nerf_synthetic(path)
    if (path / "transforms.json").is_file():
        return read_transforms(path / "transforms.json")
    raise UserError(_why_not(path))


def _why_not(folder: Path) -> str:
    """Say what a folder that is no capture looks like, to help find the right one."""
    found = [name for name in _SPLIT_FILES if (folder / name).is_file()]
    if found:
        return f"{folder} has {found[0]} but no transforms_train.json, so nothing to learn from."
    inside = sorted(child.name for child in folder.iterdir() if _holds_capture(child))
    if inside:
        names = ", ".join(inside[:8])
        return f"{folder} is not a capture itself but holds some ({names}); give one of them."
    if (folder / "poses_bounds.npy").is_file():
        return f"{folder} is an LLFF capture, which cannot be read; give {_READABLE}."
    if (folder / "sparse").is_dir():
        return f"{folder} is a COLMAP model, which cannot be read; give {_READABLE}."
    return f"{folder} holds no transforms_train.json or transforms.json; give {_READABLE}."


def _holds_capture(folder: Path) -> bool:
    try:
        names = ("transforms_train.json", "transforms.json")
        return any((folder / name).is_file() for name in names)
    except OSError:  # a folder that may not be looked into
        return False
