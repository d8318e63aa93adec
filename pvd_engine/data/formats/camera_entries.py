"""Entries of a camera file (NeRF-Synthetic, instant-ngp, nerfstudio) -> views of a capture."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

from ...errors import UserError
from ...files.images import SUFFIXES, UNREAD_SUFFIXES, ImageHeader, read_header, shows_through
from ...files.json_input import pose, shortened, text_value
from ..capture import Camera, View
from ..geometry.intrinsics import read_intrinsics, stated_size
from ..notes import counted

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
    masked : int
        Number of images with a mask.
    missing_masks : list of str
        Listed masks that do not exist.
    transparent : list of Path
        Images whose header states transparency.
    """

    listed: int = 0
    missing: list[str] = field(default_factory=list)
    resized: dict[tuple[tuple[int, int], tuple[int, int]], int] = field(default_factory=dict)
    corrected: list[str] = field(default_factory=list)
    masked: int = 0
    missing_masks: list[str] = field(default_factory=list)
    transparent: list[Path] = field(default_factory=list)

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
        if self.masked:
            notes.append(
                f"{counted(self.masked, 'image has', 'images have')} a mask: its black pixels are "
                "used neither for training nor for measuring."
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
        The file; paths of images are relative to its folder.
    split : str
    report : EntryReport
        The report, to which the entry is added.

    Returns
    -------
    View or None
        None when the image does not exist.

    Raises
    ------
    UserError
        Anything else in the entry, or the header of its image, is wrong.
    """
    report.listed += 1
    listed = text_value(entry.get("file_path"), "file_path", f"{path.name}, camera entry {index}")
    where = f"{path.name}, camera entry {index} ({shortened(listed)})"
    relative = inside_path(listed, path.parent, where)
    matrix, change = pose(entry.get("transform_matrix"), "transform_matrix", where)
    stated = stated_size(shared, entry, where)
    image_path = find_image(path.parent, relative)
    if image_path is None:
        report.missing.append(shortened(listed))
        return None
    header = read_header(image_path)
    actual = size_to_use(header, stated)
    intrinsics = read_intrinsics(shared, entry, stated, actual, where)
    if change is not None:
        report.corrected.append(f"{where} {change}")
    mask_path = _find_mask(entry.get("mask_path"), path.parent, where, report)
    if stated is not None and stated != actual:
        report.resized[stated, actual] = report.resized.get((stated, actual), 0) + 1
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
    return View(view_name(relative), camera, split, image_path, mask_path=mask_path)


def _find_mask(listed: Any, folder: Path, where: str, report: EntryReport) -> Path | None:
    """Return the mask that an entry names, or None where it does not exist."""
    if listed is None:
        return None
    text = text_value(listed, "mask_path", where)
    path = folder.joinpath(*inside_path(text, folder, f"{where}, mask_path").parts)
    try:
        exists = path.is_file()
    except OSError:  # the name is too long for the file system
        exists = False
    if not exists:
        report.missing_masks.append(text)
        return None
    report.masked += 1
    return path


def inside_path(listed: str, folder: Path, where: str) -> PurePosixPath:
    """Return the path of a file relative to the dataset's folder, without ``.`` and ``..``.

    Parameters
    ----------
    listed : str
        Path as the file states it; backslashes count as slashes, as in files from Windows.
    folder : Path
        The dataset's folder.
    where : str
        File and camera entry in messages.

    Raises
    ------
    UserError
        The path leads out of the folder.
    """
    text = listed.replace("\\", "/")
    outside = UserError(
        f"{where}: the path leads out of the dataset's folder; move the images into the folder, "
        "or the JSON file into a folder that holds them."
    )
    if text.startswith("/") or PureWindowsPath(text).drive:
        base = folder.absolute().as_posix().rstrip("/") + "/"
        if not text.startswith(base):
            raise outside
        text = text[len(base) :]
    parts: list[str] = []
    for part in text.split("/"):
        if part == "..":
            if not parts:
                raise outside
            parts.pop()
        elif part not in ("", "."):
            parts.append(part)
    if not parts:
        raise UserError(f"{where}: the path names no file; correct it.")
    return PurePosixPath(*parts)


def find_image(folder: Path, relative: PurePosixPath) -> Path | None:
    """Return the existing image of a listed path, or None.

    A known ending may be in upper or lower case. For a path without a known ending all known
    endings are tried, and last those of images that cannot be read, so that `read_header` can
    raise the error.
    """
    candidate = folder.joinpath(*relative.parts)
    names = [candidate.name]
    if candidate.suffix.lower() in SUFFIXES:
        endings, bare = (candidate.suffix.lower(),), candidate.stem
    else:
        endings, bare = (*SUFFIXES, *UNREAD_SUFFIXES), candidate.name
    names += [bare + suffix for end in endings for suffix in (end, end.upper())]
    for name in names:
        path = candidate.parent / name
        try:
            if path.is_file():
                return path
        except OSError:  # the name is too long for the file system
            return None
    return None


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


def size_to_use(header: ImageHeader, stated: tuple[int, int] | None) -> tuple[int, int]:
    """Return the size of the stored pixels; turned by EXIF only where the file states that size."""
    if header.turned and stated == (header.height, header.width):
        return header.height, header.width
    return header.width, header.height


def view_name(relative: PurePosixPath) -> str:
    """Return an image's path without its ending, where the ending is one of an image."""
    text = relative.as_posix()
    stem, suffix = os.path.splitext(text)  # noqa: PTH122 (only known suffixes are cut)
    return stem if suffix.lower() in SUFFIXES and PurePosixPath(stem).name else text
