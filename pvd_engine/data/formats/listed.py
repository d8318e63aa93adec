"""Captures of other formats, read through the camera entries of a ``transforms.json``.

The reader of a format converts its cameras to camera entries as in a ``transforms.json``
(``file_path``, ``transform_matrix``, ``fl_x``, ``cx``, ``w``, ``k1``, ...). All entries are then
read in the same way, with the same checks of poses, lenses, sizes and paths.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from ...errors import UserError
from ...files.images import SUFFIXES
from ..capture import Camera, Capture, Frame
from ..geometry.bounds import find_box
from ..images.finder import PictureFinder
from ..notes import left_out
from ..splits import every_eighth
from .camera_entries import MAX_ENTRIES, read_entry, shows_transparency, unique_names
from .entry_report import EntryReport

Item = TypeVar("Item")

Box = tuple[np.ndarray, str]
"""A box, (2, 3) float64 in the dataset frame, and the sentence about its origin."""


def image_files(folder: Path) -> list[Path]:
    """Return a folder's images in the order of their names, without hidden files.

    Raises
    ------
    UserError
        There are more images than a capture may have.
    OSError
        The folder cannot be read.
    """
    paths = sorted(
        path
        for path in folder.iterdir()
        if path.suffix.lower() in SUFFIXES and not path.name.startswith(".")
    )
    check_count(len(paths), str(folder))
    return paths


def check_count(count: int, where: str) -> None:
    """Raise UserError when there are more cameras or images than a capture may have."""
    if count > MAX_ENTRIES:
        raise UserError(
            f"{where} has {count} cameras or images; at most {MAX_ENTRIES} can be read."
        )


def entries_of(
    items: Iterable[Item], read: Callable[[Item], dict[str, Any]]
) -> tuple[list[dict[str, Any]], list[str]]:
    """Return the camera entries of what can be read, and the note about the rest.

    Raises
    ------
    UserError
        Nothing can be read; the first error.
    """
    entries, faults = [], []
    for item in items:
        try:
            entries.append(read(item))
        except UserError as error:
            faults.append(error)
    if faults and not entries:
        raise faults[0]
    return entries, left_out(faults, len(entries) + len(faults))


def listed_capture(
    source: Path,
    capture_format: str,
    entries: Sequence[Mapping[str, Any]],
    splits: Sequence[str] | None = None,
    box_of: Callable[[Sequence[Camera], Sequence[int]], Box] | None = None,
    frame: Frame | None = None,
    notes: Sequence[str] = (),
    bounded: bool = False,
    nearest: float | None = None,
) -> Capture:
    """Return the capture of a list of camera entries.

    Parameters
    ----------
    source : Path
        The file or folder that lists the cameras. Messages name it, paths of images are relative
        to the folder around it, and this folder gives the capture its name.
    capture_format : str
        As in `Capture.format`.
    entries : sequence of mapping
        Camera entries as in a ``transforms.json``; poses in the dataset frame, OpenGL axes.
    splits : sequence of str, optional
        Split of each entry; by default every 8th view is held out.
    box_of : callable, optional
        ``box_of(cameras, kept)``, with the cameras and the index of the entry of each, in the order
        of the entries, returns the box and its origin; `find_box` by default.
    frame : Frame, optional
    notes : sequence of str
    bounded : bool
    nearest : float, optional
        As in `Capture`.

    Raises
    ------
    UserError
        An entry is wrong, there are too many entries, or none has an image.
    """
    check_count(len(entries), str(source))
    report, pictures = EntryReport(), PictureFinder(source.parent)
    views, kept = [], []
    for index, entry in enumerate(entries):
        split = "train" if splits is None else splits[index]
        view = read_entry({}, entry, index, source, split, report, pictures)
        if view is not None:
            views.append(view)
            kept.append(index)
    if not views:
        raise report.without_views(source)
    all_notes = [*report.notes(), *notes]
    if splits is None:
        found, note = every_eighth([view.name for view in views])
        views = [replace(view, split=split) for view, split in zip(views, found, strict=True)]
        all_notes.append(note)
    has_alpha = shows_transparency(report.transparent)
    frame = Frame() if frame is None else frame
    cameras = [view.camera for view in views]
    box, box_source = box_of(cameras, kept) if box_of else find_box(cameras, frame, has_alpha)
    folder = source.parent.absolute()
    return Capture(
        name=folder.name,
        root=folder,
        format=capture_format,
        views=tuple(unique_names(views)),
        box=box,
        box_source=box_source,
        frame=frame,
        has_alpha=has_alpha,
        bounded=bounded,
        nearest=nearest,
        notes=tuple(all_notes),
    )
