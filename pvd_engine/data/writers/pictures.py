"""The images of a written capture: their paths, and copying them."""

import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from ...errors import UserError
from ...files.atomic import why_not_written
from ...files.images import SUFFIXES, read_header, write_png
from ..capture import View
from ..images.downscale import load_view
from ..images.masks import FOLDER as MASKS
from ..images.masks import load_mask

IMAGES = "images"
"""Name of the folder of images."""


@dataclass(frozen=True)
class PictureRules:
    """The requirements of a format for its images.

    Attributes
    ----------
    below_images : bool
        All images lie in the folder ``images``, not only those without another folder.
    only_png : bool
        Files name images without a suffix, and programs add ``.png``.
    spaces : bool
        Names may hold spaces.
    masks : bool
        Images may have masks.
    """

    below_images: bool = False
    only_png: bool = False
    spaces: bool = True
    masks: bool = True


@dataclass(frozen=True)
class Picture:
    """The image of a view, and its path in a written capture.

    Attributes
    ----------
    view : View
    path : PurePosixPath
        Relative to the written folder.
    copied : bool
        The file is copied unchanged; else the pixels, at the camera's size, are written as PNG.
    mask : PurePosixPath or None
        Path of its mask; None without one.
    """

    view: View
    path: PurePosixPath
    copied: bool
    mask: PurePosixPath | None = None


def place_pictures(views: Sequence[View], rules: PictureRules) -> list[Picture]:
    """Return a unique path for every view's image, as close to its name as the format allows.

    Parameters
    ----------
    views : sequence of View
    rules : PictureRules

    Returns
    -------
    list of Picture
        Images in the order of the views. No two paths are the same when the case of letters and
        the suffix are ignored.

    Raises
    ------
    UserError
        An image does not exist any more.
    """
    taken: set[str] = set()
    pictures = []
    for view in views:
        copied = _fits(view, rules)
        stem = _free(_stem(view.name, rules), taken)
        taken.add(stem.casefold())
        path = PurePosixPath(stem + _suffix(view, copied, rules))
        pictures.append(Picture(view, path, copied, _mask(view, path, rules)))
    return pictures


def write_picture(picture: Picture, folder: Path) -> None:
    """Write a view's image, and its mask, below a folder.

    Raises
    ------
    UserError
        The file cannot be read or written.
    ValueError
        The view has no image.
    """
    counts = None if picture.mask is None else load_mask(picture.view)
    if picture.mask is not None and counts is not None:
        write_png(folder.joinpath(*picture.mask.parts), counts * np.uint8(255))
    source, target = picture.view.image_path, folder.joinpath(*picture.path.parts)
    if source is None or not picture.copied:
        rgba = load_view(picture.view)
        opaque = bool((rgba[..., 3] == np.iinfo(rgba.dtype).max).all())
        write_png(target, np.ascontiguousarray(rgba[..., :3]) if opaque else rgba)
        return
    copy_file(source, target)


def copy_file(source: Path, target: Path) -> None:
    """Copy the bytes of a file; missing parent folders are made.

    Raises
    ------
    UserError
        The file cannot be read or written.
    """
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
    except OSError as error:
        raise UserError(f"{source} cannot be copied: {why_not_written(error)}.") from error


def _fits(view: View, rules: PictureRules) -> bool:
    """Return whether a view's image can be copied, because its stored pixels are the camera's."""
    if view.image_path is None or view.stored_size is not None or view.is_cut_out:
        return False
    if rules.only_png and view.image_path.suffix.lower() != ".png":
        return False
    # Other programs may not turn an image as EXIF asks.
    header = read_header(view.image_path)
    return (header.width, header.height) == (view.camera.width, view.camera.height)


def _mask(view: View, image: PurePosixPath, rules: PictureRules) -> PurePosixPath | None:
    """Return the path of a mask: below `MASKS`, as its image below the folder or its images."""
    if not view.is_masked or not rules.masks:
        return None
    below = image.relative_to(IMAGES) if rules.below_images else image
    return PurePosixPath(MASKS, below.parent, f"{below.name}.png")


def _stem(name: str, rules: PictureRules) -> str:
    if rules.below_images:
        stem = name if name.startswith(f"{IMAGES}/") else f"{IMAGES}/{name}"
    else:
        stem = name if "/" in name else f"{IMAGES}/{name}"
    if not rules.spaces:
        stem = re.sub(r"\s", "_", stem)
    path = PurePosixPath(stem)
    if rules.only_png and path.suffix.lower() in SUFFIXES:
        # Readers would take "a.jpg" for the complete name.
        stem = f"{stem[: -len(path.suffix)]}_{path.suffix[1:]}"
    return stem


def _free(stem: str, taken: set[str]) -> str:
    """Return the stem, with a number where it is taken."""
    free, count = stem, 1
    while free.casefold() in taken:
        count += 1
        free = f"{stem}_{count}"
    return free


def _suffix(view: View, copied: bool, rules: PictureRules) -> str:
    if view.image_path is None or not copied or rules.only_png:
        return ".png"
    suffix = view.image_path.suffix
    return suffix if suffix.lower() in SUFFIXES else ""
