"""NeRF-Synthetic: ``transforms_train.json``, ``transforms_val.json``, ``transforms_test.json``."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...errors import UserError
from ...files.json_input import read_json_object
from ..capture import SPLITS, Capture, Frame, View
from ..geometry.bounds import find_box
from .camera_entries import FrameReport, frame_list, read_frame, shows_transparency, unique_names
from .frame_fields import read_frame_fields
from .listed import Box

TRAIN_FILE = "transforms_train.json"


@dataclass(frozen=True)
class SplitFiles:
    """What the camera files of the splits hold.

    Attributes
    ----------
    views : list of View
    frame : Frame
        From the train file.
    has_alpha : bool
    notes : list of str
    """

    views: list[View]
    frame: Frame
    has_alpha: bool
    notes: list[str]


def is_nerf_synthetic(folder: Path) -> bool:
    """Whether a folder has one camera file per split."""
    return (folder / TRAIN_FILE).is_file()


def read_nerf_synthetic(folder: Path) -> Capture:
    """Read a folder with one camera file per split.

    Any of the keys of instant-ngp's and nerfstudio's files may stand in them as well.

    Parameters
    ----------
    folder : Path
        Holds at least ``transforms_train.json``.

    Raises
    ------
    UserError
        A file or frame is wrong, or no listed image exists.
    """
    files = read_split_files(folder)
    notes = files.notes
    if (folder / "transforms.json").is_file():
        notes = [*notes, "transforms.json was not read: the files of the splits come first."]
    return split_capture(folder, "nerf_synthetic", files, notes)


def split_capture(
    folder: Path,
    capture_format: str,
    files: SplitFiles,
    notes: Sequence[str],
    stated_box: Box | None = None,
) -> Capture:
    """The capture that the files of the splits describe.

    Parameters
    ----------
    folder : Path
    capture_format : str
        As `Capture.format`.
    files : SplitFiles
    notes : sequence of str
    stated_box : (box, source), optional
        What is said to hold everything; `find_box` finds a box when not given.
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
        Missing files become notes.
    complete : callable
        Given a file's content, returns it with what it lacks.

    Raises
    ------
    UserError
        A file or frame is wrong, or no listed image exists.
    """
    report = FrameReport()
    notes: list[str] = []
    views: list[View] = []
    frame = Frame()
    for split in SPLITS:
        path = folder / f"transforms_{split}.json"
        if not path.is_file():
            notes.append(f"{path.name} is missing: there are no {split} views.")
            continue
        content = complete(read_json_object(path))
        if split == "train":
            frame = read_frame_fields(content, path)
        for index, entry in enumerate(frame_list(content, path)):
            view = read_frame(content, entry, index, path, split, report)
            if view is not None:
                views.append(view)
    if not views:
        raise UserError(
            f"None of the {report.listed} images listed in {folder} exists "
            f"(the first is {report.missing[0]}); put the images beside the JSON files."
        )
    has_alpha = shows_transparency(report.transparent)
    return SplitFiles(unique_names(views), frame, has_alpha, notes + report.notes())
