"""NeRF-Synthetic: ``transforms_train.json``, ``transforms_val.json``, ``transforms_test.json``."""

from pathlib import Path

from ..errors import UserError
from .bounds import find_box
from .capture import SPLITS, Capture, Frame, View
from .frame_fields import read_frame_fields
from .frames import FrameReport, frame_list, read_frame, shows_transparency, unique_names
from .json_input import read_json_object


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
    report = FrameReport()
    notes: list[str] = []
    views: list[View] = []
    frame = Frame()
    for split in SPLITS:
        path = folder / f"transforms_{split}.json"
        if not path.is_file():
            notes.append(f"{path.name} is missing: there are no {split} views.")
            continue
        content = read_json_object(path)
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
    if (folder / "transforms.json").is_file():
        notes.append("transforms.json was not read: the files of the splits come first.")
    has_alpha = shows_transparency(report.transparent)
    box, box_source = find_box([view.camera for view in views], frame, has_alpha)
    return Capture(
        name=folder.absolute().name,
        root=folder,
        format="nerf_synthetic",
        views=tuple(unique_names(views)),
        box=box,
        box_source=box_source,
        frame=frame,
        has_alpha=has_alpha,
        notes=tuple(notes + report.notes()),
    )
