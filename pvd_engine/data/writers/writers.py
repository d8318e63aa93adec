"""Writing captures in any format that can be written."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ...files.new_folder import new_folder
from ..capture import Capture
from . import colmap_text, nerf_synthetic, nerfstudio
from .pictures import Picture, PictureRules, place_pictures, write_picture


@dataclass(frozen=True)
class WrittenFormat:
    """A format that can be written.

    Attributes
    ----------
    rules : PictureRules
    write_cameras : callable
        ``write_cameras(capture, pictures, folder)`` writes all files except the images, and returns
        sentences about changes and omissions.
    """

    rules: PictureRules
    write_cameras: Callable[[Capture, Sequence[Picture], Path], list[str]]


FORMATS = {
    "nerf-synthetic": WrittenFormat(nerf_synthetic.RULES, nerf_synthetic.write_nerf_synthetic),
    "nerfstudio": WrittenFormat(nerfstudio.RULES, nerfstudio.write_nerfstudio),
    "colmap": WrittenFormat(colmap_text.RULES, colmap_text.write_colmap),
}
"""Formats by their names in ``--to``."""


def write_capture(
    capture: Capture,
    to: str,
    out: Path,
    images: bool = True,
    report: Callable[[float], None] = lambda fraction: None,
) -> list[str]:
    """Write a capture into a new folder, completely or not at all.

    Parameters
    ----------
    capture : Capture
    to : str
        A name of `FORMATS`.
    out : Path
        A path that does not exist, or an empty folder.
    images : bool
        Copy the images; the files name their paths in any case.
    report : callable, optional
        Function called with the done fraction of the images; an exception of it ends the work.

    Returns
    -------
    list of str
        Sentences about changes and omissions.

    Raises
    ------
    UserError
        The folder is not empty, the format cannot hold the capture exactly, or a file cannot be
        read or written.

    Examples
    --------
    >>> write_capture(open_capture("fox"), "colmap", Path("fox-colmap"))  # doctest: +SKIP
    """
    kind = FORMATS[to]
    pictures = place_pictures(capture.views, kind.rules)
    with new_folder(out) as folder:
        notes = kind.write_cameras(capture, pictures, folder)
        report(0.0)
        for index, picture in enumerate(pictures if images else (), 1):
            write_picture(picture, folder)
            report(index / len(pictures))
    return notes + _picture_notes(pictures, images)


def _picture_notes(pictures: Sequence[Picture], images: bool) -> list[str]:
    if not images:
        left = any(picture.view.image_path is not None for picture in pictures)
        return ["The images were not copied; put them at the paths in the files."] if left else []
    made = sum(not picture.copied for picture in pictures)
    return [f"{made} images were converted to PNG."] if made else []
