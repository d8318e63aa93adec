"""Entries of a camera file (NeRF-Synthetic, instant-ngp, nerfstudio) -> views of a capture."""

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

from ...errors import UserError
from ...files.images import SUFFIXES, ImageHeader, read_header
from ...files.json_input import positive_number, shortened, text_value
from ..capture import Camera, View
from ..geometry.intrinsics import Intrinsics, read_intrinsics, stated_size
from ..images.cut_out import alpha_next_to, shows_through_cut_out
from ..images.finder import Found, PictureFinder
from ..images.masks import mask_that_hides
from .entry_report import EntryReport
from .keys import refuse_keys
from .pose_values import pose
from .transforms_keys import KEYS

MAX_ENTRIES = 100_000
"""Most camera entries of a capture."""

IMAGE_FOLDERS = ("images", "images_2", "images_4", "images_8")
"""Folders of images in LLFF's and COLMAP's captures, the largest images first; the first one that
exists is used."""

_CLEAR = {"white_transparent": 1, "black_transparent": 0}
"""Keys of instant-ngp about transparent pixels, and the level of grey of these."""

_TESTED_IMAGES = 4
"""Most images that are tested for transparency."""


def entry_list(content: Mapping[str, Any], path: Path) -> list[dict[str, Any]]:
    """Return the camera entries of a file.

    Raises
    ------
    UserError
        There is no list ``frames``, it is empty or too long, or an entry is not an object.
    """
    entries = content.get("frames")
    if not isinstance(entries, list):
        raise UserError(
            f'{path} has no list "frames", so it is not a camera file; give the right file.'
        )
    if not entries:
        raise UserError(f'{path} has no camera entries: its list "frames" is empty; add some.')
    if len(entries) > MAX_ENTRIES:
        raise UserError(
            f"{path} has {len(entries)} camera entries; at most {MAX_ENTRIES} can be read."
        )
    for index, entry in enumerate(entries):
        if not isinstance(entry, dict):
            raise UserError(f"{path}, camera entry {index}: it must be a JSON object.")
    return entries


def read_entry(
    shared: Mapping[str, Any],
    entry: Mapping[str, Any],
    index: int,
    path: Path,
    split: str,
    report: EntryReport,
    pictures: PictureFinder,
) -> View | None:
    """Return the view of a camera entry.

    Parameters
    ----------
    shared : mapping
        The file's top level, for values that the entry does not have itself.
    entry : mapping
        The camera entry.
    index : int
        Index in the file, for messages.
    path : Path
        The file, for messages.
    split : str
    report : EntryReport
        The report, to which the entry is added.
    pictures : PictureFinder
        Finds the images.

    Returns
    -------
    View or None
        None when the image does not exist, or the entry or its image cannot be read.
    """
    report.listed += 1
    try:
        return _view(shared, entry, f"{path.name}, camera entry {index}", split, report, pictures)
    except UserError as error:
        report.faults.append(str(error))
        return None


def _view(
    shared: Mapping[str, Any],
    entry: Mapping[str, Any],
    where: str,
    split: str,
    report: EntryReport,
    pictures: PictureFinder,
) -> View | None:
    listed = text_value(entry.get("file_path"), "file_path", where)
    where = f"{where} ({shortened(listed)})"
    refuse_keys(entry, KEYS, where)
    matrix, change = pose(entry.get("transform_matrix"), "transform_matrix", where)
    found = find_listed(pictures, listed, report)
    if found is None:
        return None
    image_path = pictures.folder / found
    header = read_header(image_path)
    stated = stated_size(shared, entry, (header.width, header.height), where)
    actual = size_to_use(header, stated, where)
    intrinsics = read_intrinsics(shared, entry, stated, actual, where)
    radius = _circle(shared, entry, intrinsics, stated or actual, where)
    if change is not None:
        report.corrected.append(f"{where} {change}")
    listed_mask = entry.get("mask_path", shared.get("mask_path"))
    mask_path = _find_mask(listed_mask, pictures, where, report)
    hiding = mask_that_hides(image_path) if mask_path is None else None
    if stated is not None:
        _report_size(shared, entry, stated, actual, report)
    camera = Camera(
        camera_to_world=matrix,
        width=actual[0],
        height=actual[1],
        fx=intrinsics.fx,
        fy=intrinsics.fy,
        cx=intrinsics.cx,
        cy=intrinsics.cy,
        distortion_model=intrinsics.distortion_model,
        distortion=intrinsics.distortion,
    )
    view = View(
        view_name(found),
        camera,
        split,
        image_path,
        mask_path=mask_path or hiding,
        mask_hides=hiding is not None,
        mask_radius=radius,
        alpha_path=alpha_next_to(image_path),
        clear_levels=tuple(level for key, level in _CLEAR.items() if shared.get(key)),
    )
    report.hidden += hiding is not None
    report.circled += radius is not None
    report.cut_out += view.is_cut_out
    if shared.get("enable_ray_loading", True):
        report.rays += image_path.with_name(f"rays_{image_path.stem}.dat").is_file()
    if header.has_alpha or view.is_cut_out:
        report.transparent.append(view)
    return view


def _circle(
    shared: Mapping[str, Any],
    entry: Mapping[str, Any],
    intrinsics: Intrinsics,
    size: tuple[int, int],
    where: str,
) -> float | None:
    """Return the radius of the circle that counts, in widths of the image; of fisheyes only."""
    radius = entry.get("fisheye_crop_radius", shared.get("fisheye_crop_radius"))
    if radius is None or "fisheye" not in intrinsics.distortion_model:
        return None
    return positive_number(radius, "fisheye_crop_radius", where) / size[0]


def _report_size(
    shared: Mapping[str, Any],
    entry: Mapping[str, Any],
    stated: tuple[int, int],
    actual: tuple[int, int],
    report: EntryReport,
) -> None:
    if stated != actual:
        report.resized[stated, actual] = report.resized.get((stated, actual), 0) + 1
    sides = [entry.get(key, shared.get(key)) for key in ("w", "h")]
    if None in sides:
        report.completed += 1
        return
    exact = float(sides[0]), float(sides[1])
    if exact != stated:
        report.rounded[exact, stated] = report.rounded.get((exact, stated), 0) + 1


def find_listed(pictures: PictureFinder, listed: str, report: EntryReport) -> PurePosixPath | None:
    """Return the path of a listed image in its folder, and report where it is another or none."""
    found = pictures.find(listed)
    if found is None:
        report.missing.append(shortened(listed))
        return None
    _report_moved(listed, found, report)
    return found.relative


def _report_moved(listed: str, found: Found, report: EntryReport) -> None:
    if found.moved:
        report.moved.append((shortened(listed), shortened(found.relative.as_posix())))


def _find_mask(
    listed: Any, pictures: PictureFinder, where: str, report: EntryReport
) -> Path | None:
    """Return the mask that an entry names, or None where it does not exist."""
    if listed is None:
        return None
    text = text_value(listed, "mask_path", where)
    found = pictures.find(text)
    if found is None:
        report.missing_masks.append(text)
        return None
    _report_moved(text, found, report)
    report.masked += 1
    return pictures.folder / found.relative


def unique_names(views: list[View]) -> list[View]:
    """Return the views, with a number added to every name that an earlier view has."""
    seen: set[str] = set()
    result = []
    for view in views:
        name, count = view.name, 1
        while name in seen:
            count += 1
            name = f"{view.name}_{count}"
        seen.add(name)
        result.append(replace(view, name=name))
    return result


def shows_transparency(views: list[View]) -> bool:
    """Return whether images that may have transparency show it; a few evenly spaced are tested.

    Many programs write an alpha channel that is opaque everywhere, which is not transparency.
    """
    step = max(1, len(views) // _TESTED_IMAGES)
    tested = 0
    for view in views[::step][:_TESTED_IMAGES]:
        try:
            if shows_through_cut_out(view):
                return True
        except UserError:  # damaged pixels are reported when the image is used
            continue
        tested += 1
    return bool(views) and tested == 0


def size_to_use(header: ImageHeader, stated: tuple[int, int] | None, where: str) -> tuple[int, int]:
    """Return the size of the stored pixels; turned by EXIF only where the file states that size.

    Raises
    ------
    UserError
        The image has another shape than the file states, which no change of size explains.
    """
    actual = header.width, header.height
    if stated is None:
        return actual
    if header.turned and stated == (header.height, header.width):
        return stated
    # A pixel of rounding on each side.
    if abs(actual[0] * stated[1] - actual[1] * stated[0]) > sum(stated):
        what = "turned" if actual == stated[::-1] else "turned or cropped"
        raise UserError(
            f"{where}: the image has {actual[0]} x {actual[1]} pixels where the file states "
            f"{stated[0]} x {stated[1]}, so it was {what}; store it as the camera saw it."
        )
    return actual


def view_name(relative: PurePosixPath) -> str:
    """Return an image's path without its ending, where the ending is one of an image."""
    text = relative.as_posix()
    stem, suffix = os.path.splitext(text)  # noqa: PTH122 (only known suffixes are cut)
    return stem if suffix.lower() in SUFFIXES and PurePosixPath(stem).name else text
