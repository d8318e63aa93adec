"""The one-file ``transforms.json`` of instant-ngp and nerfstudio."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import UserError
from ...files.json_input import shortened, text_value
from ..capture import SPLITS, Capture, View
from ..geometry.point_bounds import find_box_with_points
from ..geometry.points import read_points
from ..images.finder import PictureFinder
from ..notes import counted
from ..splits import every_eighth, listed_splits
from .camera_entries import (
    entry_list,
    read_entry,
    shows_transparency,
    unique_names,
)
from .entry_report import EntryReport
from .frame_fields import read_frame_fields
from .transforms_content import read_content

FILE = "transforms.json"


def is_transforms(folder: Path) -> bool:
    """Return whether a folder has a ``transforms.json``."""
    return (folder / FILE).is_file()


def read_transforms(path: Path) -> Capture:
    """Read a ``transforms.json``.

    Parameters
    ----------
    path : Path
        The file, or its folder; paths of images are relative to the folder.

    Raises
    ------
    UserError
        The file or a camera entry is wrong, or no listed image exists.
    """
    path = path / FILE if path.is_dir() else path
    content, content_notes = read_content(path)
    frame = read_frame_fields(content, path)
    report = EntryReport()
    pictures = PictureFinder(path.parent)
    views, split_notes = _views(content, path, report, pictures)
    if not views:
        raise report.without_views(path)
    has_alpha = shows_transparency(report.transparent)
    points_path, positions, point_notes = _points(content, path, pictures)
    cameras = [view.camera for view in views]
    box, box_source = find_box_with_points(cameras, frame, has_alpha, positions, None)
    return Capture(
        name=path.parent.absolute().name,
        root=path.parent,
        format="transforms",
        views=tuple(unique_names(views)),
        box=box,
        box_source=box_source,
        frame=frame,
        has_alpha=has_alpha,
        notes=tuple([*report.notes(), *content_notes, *split_notes, *point_notes]),
        points_path=points_path,
    )


def _points(
    content: dict[str, Any], path: Path, pictures: PictureFinder
) -> tuple[Path | None, np.ndarray, list[str]]:
    """Return the file of nerfstudio's sparse points and their positions, or notes on why not."""
    none = np.empty((0, 3))
    listed = content.get("ply_file_path")
    if listed is None:
        return None, none, []
    listed = text_value(listed, "ply_file_path", path.name)
    found = pictures.find(listed)
    if found is None or found.relative.suffix.lower() != ".ply":
        missing = shortened(listed)
        return None, none, [f"The sparse points {missing} do not exist and were left out."]
    points = path.parent / found.relative
    notes = [f"The sparse points were found in {found.relative}."] if found.moved else []
    try:
        return points, read_points(points).positions, notes
    except UserError as error:
        return None, none, [f"The sparse points were left out: {error}"]


def _views(
    content: dict[str, Any], path: Path, report: EntryReport, pictures: PictureFinder
) -> tuple[list[View], list[str]]:
    splits = listed_splits(content, path)
    views: list[View] = []
    own: list[str | None] = []
    unlisted = 0
    for index, entry in enumerate(entry_list(content, path)):
        view = read_entry(content, entry, index, path, "train", report, pictures)
        if view is None:
            continue
        split = entry.get("split") if entry.get("split") in SPLITS else None
        if splits is not None:
            split = splits.split_of(entry["file_path"])
            if split is None:
                unlisted += 1
                continue
        views.append(view if split is None else replace(view, split=split))
        own.append(split)
    if unlisted and not views:
        raise UserError(
            f"{path}: its lists of train, val and test images name none of its images; correct "
            "the lists, or remove them."
        )
    if unlisted:
        return views, [
            f"{counted(unlisted, 'camera entry is', 'camera entries are')} in none of the file's "
            "split lists and left out."
        ]
    if splits is not None or any(split is not None for split in own):
        return views, []
    found, note = every_eighth([view.name for view in views])
    return [replace(v, split=s) for v, s in zip(views, found, strict=True)], [note]
