"""NeRF-Synthetic: ``transforms_train.json``, ``transforms_val.json``, ``transforms_test.json``."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..capture import SPLITS, Capture, Frame, View
from ..geometry.bounds import find_box
from ..images.finder import PictureFinder
from .camera_entries import entry_list, read_entry, shows_transparency, unique_names
from .entry_report import EntryReport
from .frame_fields import read_frame_fields
from .listed import Box
from .transforms_content import read_content

TRAIN_FILE = "transforms_train.json"


@dataclass(frozen=True)
class SplitFiles:
    """The content of the camera files of the splits.

    Attributes
    ----------
    views : list of View
    frame : Frame
        Frame of the train file.
    has_alpha : bool
    notes : list of str
    """

    views: list[View]
    frame: Frame
    has_alpha: bool
    notes: list[str]


def is_nerf_synthetic(folder: Path) -> bool:
    """Return whether a folder has one camera file per split."""
    return (folder / TRAIN_FILE).is_file()


def read_nerf_synthetic(folder: Path) -> Capture:
    """Read a folder with one camera file per split.

    The files may also have the keys of instant-ngp and nerfstudio.

    Parameters
    ----------
    folder : Path
        The folder, with at least ``transforms_train.json``.

    Raises
    ------
    UserError
        A file or camera entry is wrong, or no listed image exists.
    """
    files = read_split_files(folder)
    notes = files.notes
    if (folder / "transforms.json").is_file():
        notes = [
            *notes,
            "transforms.json was not read, because the files of the splits take precedence.",
        ]
    return split_capture(folder, "nerf_synthetic", files, notes)


def split_capture(
    folder: Path,
    capture_format: str,
    files: SplitFiles,
    notes: Sequence[str],
    stated_box: Box | None = None,
) -> Capture:
    """Return the capture that the files of the splits describe.

    Parameters
    ----------
    folder : Path
    capture_format : str
        As in `Capture.format`.
    files : SplitFiles
    notes : sequence of str
    stated_box : (box, source), optional
        Box that is stated to hold all that the images show; `find_box` by default.
    """
    cameras = [view.camera for view in files.views]
    box, box_source = stated_box or find_box(cameras, files.frame, files.has_alpha)
    return Capture(
        name=folder.absolute().name,
        root=folder,
        format=capture_format,
        views=tuple(files.views),
        box=box,
        box_source=box_source,
        frame=files.frame,
        has_alpha=files.has_alpha,
        bounded=stated_box is not None,
        notes=tuple(notes),
    )


def read_split_files(
    folder: Path, complete: Callable[[dict[str, Any]], dict[str, Any]] = dict
) -> SplitFiles:
    """Read ``transforms_train.json``, ``transforms_val.json`` and ``transforms_test.json``.

    Parameters
    ----------
    folder : Path
        The capture's folder; a missing file becomes a note.
    complete : callable
        ``complete(content)`` returns a file's content with missing keys added.

    Raises
    ------
    UserError
        A file or camera entry is wrong, or no listed image exists.
    """
    report, pictures = EntryReport(), PictureFinder(folder)
    notes: list[str] = []
    views: list[View] = []
    frame = Frame()
    for split in SPLITS:
        path = folder / f"transforms_{split}.json"
        if not path.is_file():
            notes.append(f"{path.name} is missing, so there are no {split} views.")
            continue
        content, more = read_content(path, "transforms_*.json")
        notes += [note for note in more if note not in notes]
        content = complete(content)
        if split == "train":
            frame = read_frame_fields(content, path)
        for index, entry in enumerate(entry_list(content, path)):
            view = read_entry(content, entry, index, path, split, report, pictures)
            if view is not None:
                views.append(view)
    if not views:
        raise report.without_views(folder)
    has_alpha = shows_transparency(report.transparent)
    return SplitFiles(unique_names(views), frame, has_alpha, notes + report.notes())
