"""Entries of a camera file (NeRF-Synthetic, instant-ngp, nerfstudio) -> views of a capture."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any

from ...errors import UserError
from ...files.images import SUFFIXES, ImageHeader, read_header, shows_through
from ...files.json_input import pose, shortened, text_value
from ..capture import Camera, View
from ..geometry.intrinsics import read_intrinsics, stated_size
from ..images.finder import Found, PictureFinder
from ..images.masks import mask_that_hides
from ..notes import counted, left_out

MAX_ENTRIES = 100_000
"""Most camera entries of a capture."""

IMAGE_FOLDERS = ("images", "images_2", "images_4", "images_8")
"""Folders of images in LLFF's and COLMAP's captures, the largest images first; the first one that
exists is used."""

_TESTED_IMAGES = 4
"""Most images that are tested for transparency."""


@dataclass
class EntryReport:
    """Events while the camera entries of a capture are read; they become the capture's notes.

    Attributes
    ----------
    listed : int
        Camera entries in the files.
    missing : list of str
        Listed images that do not exist.
    resized : dict
        Number of images by (stated size, actual size).
    corrected : list of str
        Clauses about matrices that were changed.
    masked, hidden : int
        Number of images with a mask that is black, or white, where pixels do not count.
    missing_masks : list of str
        Listed masks that do not exist.
    transparent : list of Path
        Images whose header states transparency.
    moved : list of (str, str)
        Listed path and path of images that were found elsewhere in the folder.
    rounded : dict
        Number of entries by (stated size, size that is used), where a size is no whole number.
    faults : list of str
        Why entries were left out.
    """

    listed: int = 0
    missing: list[str] = field(default_factory=list)
    resized: dict[tuple[tuple[int, int], tuple[int, int]], int] = field(default_factory=dict)
    corrected: list[str] = field(default_factory=list)
    masked: int = 0
    hidden: int = 0
    missing_masks: list[str] = field(default_factory=list)
    transparent: list[Path] = field(default_factory=list)
    moved: list[tuple[str, str]] = field(default_factory=list)
    rounded: dict[tuple[tuple[float, float], tuple[int, int]], int] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)

    def without_views(self, source: object) -> UserError:
        """Return the error for a file or folder none of whose entries could be read."""
        if self.faults and not self.missing:
            more = f" (as {len(self.faults) - 1} more)" if len(self.faults) > 1 else ""
            return UserError(f"{self.faults[0].rstrip('.')}{more}.")
        first = f" (the first is {self.missing[0]})" if self.missing else ""
        return UserError(
            f"None of the {self.listed} images that {source} lists exists{first}; put the images "
            "at these paths."
        )

    def notes(self) -> list[str]:
        """Return a sentence for each kind of guess, change or omission."""
        notes = []
        if self.missing:
            gone = counted(
                len(self.missing),
                "listed images does not exist and was",
                "listed images do not exist and were",
                of=self.listed,
            )
            notes.append(f"{gone} left out (the first is {self.missing[0]}).")
        notes += left_out(self.faults, self.listed)
        if self.moved:
            listed, found = self.moved[0]
            here = counted(len(self.moved), "image was", "images were")
            notes.append(
                f"{here} found at another path than listed (the first is {found} for {listed})."
            )
        for (stated, used), count in self.rounded.items():
            notes.append(
                f"{counted(count, 'camera entry states', 'camera entries state')} a size of "
                f"{stated[0]:g} x {stated[1]:g} pixels, which was read as {used[0]} x {used[1]}."
            )
        for (stated, actual), count in self.resized.items():
            notes.append(
                f"{counted(count, 'image has', 'images have')} {actual[0]} x {actual[1]} pixels "
                f"where the file states {stated[0]} x {stated[1]}; the intrinsics were rescaled."
            )
        if self.corrected:
            more = f" (and {len(self.corrected) - 1} more)" if len(self.corrected) > 1 else ""
            notes.append(
                f"The matrix of {self.corrected[0]}{more}; it was changed to an exact rotation."
            )
        for count, kind, pixels in (
            (self.masked, "a mask", "black pixels are"),
            (self.hidden, "a dynamic_mask of instant-ngp", "pixels that are not black are"),
        ):
            if count:
                notes.append(
                    f"{counted(count, 'image has', 'images have')} {kind}: its {pixels} used "
                    "neither for training nor for measuring."
                )
        if self.missing_masks:
            gone = counted(
                len(self.missing_masks),
                "listed mask does not exist, so all pixels of its image",
                "listed masks do not exist, so all pixels of their images",
            )
            notes.append(f"{gone} count (the first is {self.missing_masks[0]}).")
        return notes


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
    matrix, change = pose(entry.get("transform_matrix"), "transform_matrix", where)
    stated = stated_size(shared, entry, where)
    found = find_listed(pictures, listed, report)
    if found is None:
        return None
    image_path = pictures.folder / found
    header = read_header(image_path)
    actual = size_to_use(header, stated, where)
    intrinsics = read_intrinsics(shared, entry, stated, actual, where)
    if change is not None:
        report.corrected.append(f"{where} {change}")
    mask_path = _find_mask(entry.get("mask_path"), pictures, where, report)
    hiding = mask_that_hides(image_path) if mask_path is None else None
    report.hidden += hiding is not None
    if stated is not None and stated != actual:
        report.resized[stated, actual] = report.resized.get((stated, actual), 0) + 1
    if stated is not None:
        exact = float(entry.get("w", shared.get("w"))), float(entry.get("h", shared.get("h")))
        if exact != stated:
            report.rounded[exact, stated] = report.rounded.get((exact, stated), 0) + 1
    if header.has_alpha:
        report.transparent.append(image_path)
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
    return View(
        view_name(found),
        camera,
        split,
        image_path,
        mask_path=mask_path or hiding,
        mask_hides=hiding is not None,
    )


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


def shows_transparency(paths: list[Path]) -> bool:
    """Return whether images with an alpha channel use it; a few evenly spaced ones are tested.

    Many programs write an alpha channel that is opaque everywhere, which is not transparency.
    """
    step = max(1, len(paths) // _TESTED_IMAGES)
    tested = 0
    for path in paths[::step][:_TESTED_IMAGES]:
        try:
            if shows_through(path):
                return True
        except UserError:  # damaged pixels are reported when the image is used
            continue
        tested += 1
    return bool(paths) and tested == 0


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
