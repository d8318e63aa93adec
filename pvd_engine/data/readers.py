"""Opening captures of any format that the engine can read."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import UserError
from .capture import Capture
from .formats import (
    colmap,
    donerf,
    dtu,
    llff,
    nsvf,
    polycam,
    realitycapture,
    transforms,
    transforms_keys,
)
from .formats.colmap import is_colmap, read_colmap, read_colmap_file
from .formats.donerf import is_donerf, read_donerf
from .formats.dtu import is_dtu, read_dtu
from .formats.keys import Keys
from .formats.llff import is_llff, read_llff
from .formats.nerf_synthetic import is_nerf_synthetic, read_nerf_synthetic
from .formats.nsvf import is_nsvf, read_nsvf
from .formats.other_files import other_file
from .formats.other_folders import capture_around, why_no_capture
from .formats.polycam import is_polycam, read_polycam
from .formats.realitycapture import is_realitycapture, read_realitycapture
from .formats.transforms import is_transforms, read_transforms
from .images.downscale import downscaled
from .images.linear_light import exposed

MIN_TRAIN_VIEWS = 2
"""Fewest train views with an image for training."""

_SPLIT_FILES = ("transforms_train.json", "transforms_val.json", "transforms_test.json")

_COLMAP_FILES = tuple(
    f"{name}{ending}" for name in ("cameras", "images", "points3D") for ending in (".bin", ".txt")
)


@dataclass(frozen=True)
class CaptureFormat:
    """A capture format: how to recognise and read it.

    Attributes
    ----------
    name : str
        Name in messages.
    holds : str
        Files or folders by which messages describe it.
    is_in : callable
        ``is_in(folder)`` returns whether a folder has this format, fast.
    read : callable
        ``read(folder)`` returns the capture in such a folder.
    files : tuple of str
        Names of the files that also open their capture.
    read_file : callable, optional
        ``read_file(file)`` returns the capture of such a file; that of its folder by default.
    keys : tuple of Keys
        What its files may state.
    """

    name: str
    holds: str
    is_in: Callable[[Path], bool]
    read: Callable[[Path], Capture]
    files: tuple[str, ...] = ()
    read_file: Callable[[Path], Capture] | None = None
    keys: tuple[Keys, ...] = ()


FORMATS = (
    CaptureFormat(
        "DONeRF",
        "dataset_info.json and transforms_train.json",
        is_donerf,
        read_donerf,
        (donerf.FILE,),
        keys=donerf.KEYS,
    ),
    CaptureFormat(
        "NeRF-Synthetic",
        "transforms_train.json",
        is_nerf_synthetic,
        read_nerf_synthetic,
        _SPLIT_FILES,
    ),
    CaptureFormat(
        "instant-ngp, nerfstudio",
        "transforms.json",
        is_transforms,
        read_transforms,
        (transforms.FILE,),
        keys=(*transforms_keys.KEYS, *transforms_keys.FILES),
    ),
    CaptureFormat("LLFF", "poses_bounds.npy", is_llff, read_llff, (llff.FILE,), keys=llff.KEYS),
    CaptureFormat(
        "NSVF, Tanks and Temples",
        "intrinsics.txt, pose and rgb",
        is_nsvf,
        read_nsvf,
        ("intrinsics.txt", "bbox.txt"),
        keys=nsvf.KEYS,
    ),
    CaptureFormat(
        "DTU, NeuS", "cameras_sphere.npz and image", is_dtu, read_dtu, dtu.FILES, keys=dtu.KEYS
    ),
    CaptureFormat("Polycam", "keyframes", is_polycam, read_polycam, keys=polycam.KEYS),
    CaptureFormat(
        "RealityCapture",
        "a .csv of cameras",
        is_realitycapture,
        read_realitycapture,
        keys=realitycapture.KEYS,
    ),
    CaptureFormat(
        "COLMAP",
        "sparse",
        is_colmap,
        read_colmap,
        _COLMAP_FILES,
        read_colmap_file,
        keys=colmap.KEYS,
    ),
)
"""Capture formats in the order in which they are tried: files prepared for training come before
their sources."""

_COMMON = ("NeRF-Synthetic", "instant-ngp, nerfstudio", "COLMAP")
"""Names of the formats that messages mention."""

_READABLE = (
    "a folder with "
    + ", ".join(f"{kind.holds} ({kind.name})" for kind in FORMATS if kind.name in _COMMON)
    + " or another format of docs/datasets.md"
)


def open_capture(path: str | Path, downscale: int = 1, exposure: float = 0.0) -> Capture:
    """Read a dataset; its format is found from its content.

    Parameters
    ----------
    path : str or Path
        A folder, read in the first of `FORMATS` that fits, or the file that lists its cameras.
    downscale : int
        Divide width and height of every image by this.
    exposure : float
        Stops by which images of linear light are brightened.

    Returns
    -------
    Capture
        The capture. Images are not decoded yet, except a few to check for
        transparency and bright light.

    Raises
    ------
    UserError
        The path holds no capture, or an invalid one.

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
    return downscaled(exposed(capture, exposure), downscale)


def require_trainable(capture: Capture) -> None:
    """Raise UserError when a capture has too few views to train a field.

    Raises
    ------
    UserError
        Fewer than `MIN_TRAIN_VIEWS` train views have an image.
    """
    count = sum(view.image_path is not None for view in capture.split("train"))
    if count >= MIN_TRAIN_VIEWS:
        return
    have = "no train view with an image" if count == 0 else "only one train view with an image"
    raise UserError(
        f"The capture {capture.name} has {have}; add images, because training needs at least "
        f"{MIN_TRAIN_VIEWS} views from different sides."
    )


def _open(path: Path) -> Capture:
    if path.is_file():
        return _open_file(path)
    if not path.exists():
        raise UserError(f"{path} does not exist; give {_READABLE}.")
    if not path.is_dir():
        raise UserError(f"{path} is neither a file nor a folder; give {_READABLE}.")
    for kind in FORMATS:
        if kind.is_in(path):
            return _read(kind.read, path, [path / name for name in kind.files])
    why = why_no_capture(path, _is_capture)
    raise UserError(why or f"{path} holds no capture that can be read; give {_READABLE}.")


def _open_file(path: Path) -> Capture:
    if path.name in _SPLIT_FILES:
        return _open(path.parent)
    for kind in FORMATS:
        if path.name in kind.files and kind.is_in(path.parent):
            if kind.read_file is not None:
                return _read(kind.read_file, path, [path])
            return _read(kind.read, path.parent, [path])
    if path.suffix.lower() == ".json":
        return _read(read_transforms, path, [path])
    if path.suffix.lower() == ".csv":
        return _read(read_realitycapture, path, [path])
    why = other_file(path) or f"{path} is not a capture; give {_READABLE}."
    around = capture_around(path, _is_capture)
    raise UserError(why if around is None else f"{why[:-1]} (it lies in the capture {around}).")


def _read(read: Callable[[Path], Capture], source: Path, files: Sequence[Path]) -> Capture:
    """Return what is read; where that fails because a file is something else, say what it is."""
    try:
        return read(source)
    except UserError as error:
        for file in files:
            other = other_file(file, expected=True)
            if other is not None:
                raise UserError(other) from error
        raise


def _is_capture(folder: Path) -> bool:
    return any(kind.is_in(folder) for kind in FORMATS)
