"""Frames of a camera file (NeRF-Synthetic, instant-ngp, nerfstudio) -> views of a capture."""

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

MAX_FRAMES = 100_000

IMAGE_FOLDERS = ("images", "images_2", "images_4", "images_8")
"""Of LLFF's and COLMAP's captures, the largest images first; the first that exists is taken."""

_LOOKED_AT = 4


@dataclass
class FrameReport:
    """What happened while the frames of a capture were read; becomes the capture's notes.

    Attributes
    ----------
    listed : int
        Frames in the files.
    missing : list of str
        Listed paths without an image.
    resized : dict
        (stated size, actual size) -> number of images.
    mended : list of str
        Clauses about matrices that were changed.
    masked : int
        Images that have a mask.
    missing_masks : list of str
        Listed paths without a mask.
    transparent : list of Path
        Images whose header has transparency.
    """

    listed: int = 0
    missing: list[str] = field(default_factory=list)
    resized: dict[tuple[tuple[int, int], tuple[int, int]], int] = field(default_factory=dict)
    mended: list[str] = field(default_factory=list)
    masked: int = 0
    missing_masks: list[str] = field(default_factory=list)
    transparent: list[Path] = field(default_factory=list)

    def notes(self) -> list[str]:
        """Return one sentence for each kind of thing that was guessed, changed or left out."""
        notes = []
        if self.missing:
            notes.append(
                f"{len(self.missing)} of {self.listed} listed images do not exist and were left "
                f"out (the first is {self.missing[0]})."
            )
        for (stated, actual), count in self.resized.items():
            notes.append(
                f"{count} images have {actual[0]} x {actual[1]} pixels where the file states "
                f"{stated[0]} x {stated[1]}; their intrinsics were rescaled."
            )
        if self.mended:
            more = f" (and {len(self.mended) - 1} more)" if len(self.mended) > 1 else ""
            notes.append(f"The matrix of {self.mended[0]}{more}; it was made a proper rotation.")
        if self.masked:
            notes.append(
                f"{self.masked} images have a mask: what is black there is neither learned from "
                "nor measured."
            )
        if self.missing_masks:
            notes.append(
                f"{len(self.missing_masks)} listed masks do not exist, so their images count whole "
                f"(the first is {self.missing_masks[0]})."
            )
        return notes


def frame_list(content: Mapping[str, Any], path: Path) -> list[dict[str, Any]]:
    """Return the frames of a camera file.

    Raises
    ------
    UserError
        There is no list of frames, it is empty or too long, or a frame is no object.
    """
    frames = content.get("frames")
    if not isinstance(frames, list):
        raise UserError(f"{path} has no list of frames, so it is not a camera file.")
    if not frames:
        raise UserError(f"{path} has an empty list of frames.")
    if len(frames) > MAX_FRAMES:
        raise UserError(f"{path} has {len(frames)} frames; at most {MAX_FRAMES} can be read.")
    for index, frame in enumerate(frames):
        if not isinstance(frame, dict):
            raise UserError(f"{path}, frame {index}: a frame must be a JSON object.")
    return frames


def read_frame(
    shared: Mapping[str, Any],
    frame: Mapping[str, Any],
    index: int,
    path: Path,
    split: str,
    report: FrameReport,
) -> View | None:
    """Read one frame.

    Parameters
    ----------
    shared : mapping
        The file's top level, for values that the frame does not give itself.
    frame : mapping
    index : int
        Position in the file, for messages.
    path : Path
        The file; images are looked up beside it.
    split : str
    report : FrameReport
        Is added to.

    Returns
    -------
    View or None
        None when the image does not exist.

    Raises
    ------
    UserError
        Anything else that is wrong with the frame or the header of its image.
    """
    report.listed += 1
    listed = text_value(frame.get("file_path"), "file_path", f"{path.name}, frame {index}")
    where = f"{path.name}, frame {index} ({shortened(listed)})"
    relative = inside_path(listed, path.parent, where)
    matrix, change = pose(frame.get("transform_matrix"), "transform_matrix", where)
    stated = stated_size(shared, frame, where)
    image_path = find_image(path.parent, relative)
    if image_path is None:
        report.missing.append(shortened(listed))
        return None
    header = read_header(image_path)
    actual = size_to_use(header, stated)
    intrinsics = read_intrinsics(shared, frame, stated, actual, where)
    if change is not None:
        report.mended.append(f"{where} {change}")
    mask_path = _find_mask(frame.get("mask_path"), path.parent, where, report)
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


def _find_mask(listed: Any, folder: Path, where: str, report: FrameReport) -> Path | None:
    """The existing mask of a frame that names one."""
    if listed is None:
        return None
    text = text_value(listed, "mask_path", where)
    path = folder.joinpath(*inside_path(text, folder, f"{where}, mask_path").parts)
    try:
        exists = path.is_file()
    except OSError:  # a name longer than the file system allows
        exists = False
    if not exists:
        report.missing_masks.append(text)
        return None
    report.masked += 1
    return path


def inside_path(listed: str, folder: Path, where: str) -> PurePosixPath:
    """Return the path of a file as one relative to the dataset's folder, without ``.`` and ``..``.

    Parameters
    ----------
    listed : str
        As the file names it; backslashes count as slashes, as in files made on Windows.
    folder : Path
        The dataset's folder.
    where : str
        Names file and frame in messages.

    Raises
    ------
    UserError
        The path leads out of the folder.
    """
    text = listed.replace("\\", "/")
    outside = UserError(
        f"{where}: the path leads out of the dataset's folder; "
        "move the images into it (or the JSON file up to a folder that holds them)."
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
        raise UserError(f"{where}: the path names no file.")
    return PurePosixPath(*parts)


def find_image(folder: Path, relative: PurePosixPath) -> Path | None:
    """Return the existing image for a listed path.

    A known ending may be written in capitals or not, whatever the path says; of a path without one
    all known endings are tried, and last those of images that cannot be read, so that `read_header`
    says so.
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
        except OSError:  # a name longer than the file system allows
            return None
    return None


def unique_names(views: list[View]) -> list[View]:
    """Return the views with a number added to every name that an earlier view has already."""
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
    """Whether images that have an alpha channel use it; a few evenly spaced ones are looked at.

    Many programs write an alpha channel that is opaque everywhere, which is no transparency.
    """
    step = max(1, len(paths) // _LOOKED_AT)
    looked_at = 0
    for path in paths[::step][:_LOOKED_AT]:
        try:
            if shows_through(path):
                return True
        except UserError:  # damaged pixels are reported when they are needed
            continue
        looked_at += 1
    return bool(paths) and looked_at == 0


def size_to_use(header: ImageHeader, stated: tuple[int, int] | None) -> tuple[int, int]:
    """Size of the stored pixels; turned as EXIF asks only where the file states that size."""
    if header.turned and stated == (header.height, header.width):
        return header.height, header.width
    return header.width, header.height


def view_name(relative: PurePosixPath) -> str:
    """Return an image's path without its ending, where that is one of an image."""
    text = relative.as_posix()
    stem, suffix = os.path.splitext(text)  # noqa: PTH122 (only known suffixes are cut)
    return stem if suffix.lower() in SUFFIXES and PurePosixPath(stem).name else text
