"""Captures of formats that list cameras in their own way, brought to ``transforms.json``'s words.

A reader turns what its files say into entries such as the frames of a ``transforms.json`` have
(``file_path``, ``transform_matrix``, ``fl_x``, ``cx``, ``w``, ``k1``, ...). They are then read as
those frames are, with the same checks of poses, lenses, sizes and paths.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import UserError
from ...files.images import SUFFIXES
from ..capture import Camera, Capture, Frame
from ..geometry.bounds import find_box
from ..splits import every_eighth
from .camera_entries import MAX_FRAMES, FrameReport, read_frame, shows_transparency, unique_names

Box = tuple[np.ndarray, str]
"""A box, (2, 3) float64 in the dataset frame, and the sentence that says where it comes from."""


def image_files(folder: Path) -> list[Path]:
    """Return a folder's images in the order of their names, without those of hidden files.

    Raises
    ------
    UserError
        There are more than a capture may have.
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
    if count > MAX_FRAMES:
        raise UserError(f"{where} has {count} cameras or images; at most {MAX_FRAMES} can be read.")


def listed_capture(
    source: Path,
    capture_format: str,
    entries: Sequence[Mapping[str, Any]],
    splits: Sequence[str] | None = None,
    box_of: Callable[[Sequence[Camera]], Box] | None = None,
    frame: Frame | None = None,
    notes: Sequence[str] = (),
    bounded: bool = False,
    nearest: float | None = None,
) -> Capture:
    """Make the capture of a list of frames.

    Parameters
    ----------
    source : Path
        The file or folder that lists the cameras: messages name it, images are looked up beside
        it, and the folder it lies in gives the capture its name.
    capture_format : str
        As `Capture.format`.
    entries : sequence of mapping
        Frames as in a ``transforms.json``; poses in the dataset frame, OpenGL axes.
    splits : sequence of str, optional
        One for each entry; every 8th view is held out when not given.
    box_of : callable, optional
        Given the cameras, in the order of the entries, returns the box and where it comes from;
        `find_box` when not given.
    frame : Frame, optional
    notes : sequence of str
    bounded : bool
    nearest : float, optional
        As `Capture` has them.

    Raises
    ------
    UserError
        An entry is wrong, there are too many, or none has an image.
    """
    check_count(len(entries), str(source))
    report = FrameReport()
    views = []
    for index, entry in enumerate(entries):
        split = "train" if splits is None else splits[index]
        view = read_frame({}, entry, index, source, split, report)
        if view is not None:
            views.append(view)
    if not views:
        first = f" (the first is {report.missing[0]})" if report.missing else ""
        raise UserError(
            f"None of the {report.listed} images that {source} lists exists{first}; "
            "put the images where it says."
        )
    all_notes = [*report.notes(), *notes]
    if splits is None:
        found, note = every_eighth([view.name for view in views])
        views = [replace(view, split=split) for view, split in zip(views, found, strict=True)]
        all_notes.append(note)
    has_alpha = shows_transparency(report.transparent)
    frame = Frame() if frame is None else frame
    cameras = [view.camera for view in views]
    box, box_source = box_of(cameras) if box_of else find_box(cameras, frame, has_alpha)
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
