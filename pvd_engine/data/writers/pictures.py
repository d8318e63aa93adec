"""The images of a capture that is written: where each goes, and how it gets there."""

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


@dataclass(frozen=True)
class PictureRules:
    """What a format asks of its images.

    Attributes
    ----------
    below_images : bool
        All of them lie in the folder ``images``, not only those that lie in no other.
    only_png : bool
        Its files name images without a suffix, and programs add ``.png``.
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
    """Where the image of a view is written.

    Attributes
    ----------
    view : View
    path : PurePosixPath
        Relative to the written folder.
    copied : bool
        Byte for byte; else its pixels, as the view's camera sees them, become a PNG.
    mask : PurePosixPath or None
        Where its mask is written; None without one.
    """

    view: View
    path: PurePosixPath
    copied: bool
    mask: PurePosixPath | None = None


def place_pictures(views: Sequence[View], rules: PictureRules) -> list[Picture]:
    """Give every view's image a path of its own, as near to the view's name as a format lets it.

    Parameters
    ----------
    views : sequence of View
    rules : PictureRules

    Returns
    -------
    list of Picture
        In the order of the views. No two paths are the same, not even where upper and lower case
        are, and none differ only in the suffix.

    Raises
    ------
    UserError
        An image is not there any more.
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
        It cannot be read or written.
    ValueError
        The view has no image.
    """
    counts = None if picture.mask is None else load_mask(picture.view)
    if picture.mask is not None and counts is not None:
        write_png(folder.joinpath(*picture.mask.parts), counts * np.uint8(255))
    source, target = picture.view.image_path, folder.joinpath(*picture.path.parts)
    if source is None or not picture.copied:
        rgba = load_view(picture.view)
        opaque = bool((rgba[..., 3] == 255).all())
        write_png(target, np.ascontiguousarray(rgba[..., :3]) if opaque else rgba)
        return
    copy_file(source, target)


def copy_file(source: Path, target: Path) -> None:
    """Copy the bytes of a file; missing parent folders are made.

    Raises
    ------
    UserError
        It cannot be read or written.
    """
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
    except OSError as error:
        raise UserError(f"{source} cannot be copied: {why_not_written(error)}.") from error


def _fits(view: View, rules: PictureRules) -> bool:
    """Whether a view's image can be copied: its stored pixels are those of the camera."""
    if view.image_path is None or view.stored_size is not None:
        return False
    if rules.only_png and view.image_path.suffix.lower() != ".png":
        return False
    # Where EXIF turns an image to what the camera sees, other programs may not.
    header = read_header(view.image_path)
    return (header.width, header.height) == (view.camera.width, view.camera.height)


def _mask(view: View, image: PurePosixPath, rules: PictureRules) -> PurePosixPath | None:
    """Where a mask goes: below `MASKS` as its image below the folder, or below its images."""
    if view.mask_path is None or not rules.masks:
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
        # Whoever reads "a.jpg" would take it for the whole name.
        stem = f"{stem[: -len(path.suffix)]}_{path.suffix[1:]}"
    return stem


def _free(stem: str, taken: set[str]) -> str:
    """The stem, with a number where it is taken."""
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
