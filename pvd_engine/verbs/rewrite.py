"""The verb ``rewrite``: any capture, or cameras alone, as files of another format."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..data.capture import SPLITS, Capture
from ..data.formats.cameras_json import read_cameras_as_capture
from ..data.images.downscale import downscaled
from ..data.readers import open_capture
from ..data.writers import colmap_text, nerf_synthetic, nerfstudio
from ..data.writers.pictures import Picture, PictureRules, place_pictures, write_picture
from ..files.new_folder import new_folder, require_new
from ..jobs.fraction import fraction_reporter
from ..jobs.job import Job
from .arguments import RewriteArguments


@dataclass(frozen=True)
class WrittenFormat:
    """A kind of dataset that can be written.

    Attributes
    ----------
    rules : PictureRules
    write_cameras : callable
        Given a capture, its pictures and a folder, writes all but the images and returns sentences
        about what is not as it was.
    """

    rules: PictureRules
    write_cameras: Callable[[Capture, Sequence[Picture], Path], list[str]]


FORMATS = {
    "nerf-synthetic": WrittenFormat(nerf_synthetic.RULES, nerf_synthetic.write_nerf_synthetic),
    "nerfstudio": WrittenFormat(nerfstudio.RULES, nerfstudio.write_nerfstudio),
    "colmap": WrittenFormat(colmap_text.RULES, colmap_text.write_colmap),
}
"""By the names that ``--to`` takes."""


def run(arguments: RewriteArguments, job: Job) -> dict[str, Any]:
    """Read a capture and write it into a new folder.

    Returns
    -------
    dict
        ``out``, the folder; ``format``; ``counts``, number of views by split; ``images``, how many
        were written; ``notes``, sentences about what is not as it was; of cameras alone also
        ``pictures``, the path below the folder at which each camera's picture is missing, in their
        order.
    """
    require_new(arguments.out)
    if arguments.cameras is not None:
        return _write_cameras(arguments, job)
    assert arguments.capture is not None
    capture = open_capture(arguments.capture, arguments.downscale)
    notes = write_capture(
        capture, arguments.to, arguments.out, arguments.images, fraction_reporter(job)
    )
    images = len(capture.views) if arguments.images else 0
    return _answer(arguments, capture, images, notes)


def _write_cameras(arguments: RewriteArguments, job: Job) -> dict[str, Any]:
    assert arguments.cameras is not None
    capture = downscaled(read_cameras_as_capture(arguments.cameras), arguments.downscale)
    notes = write_capture(
        capture, arguments.to, arguments.out, images=False, report=fraction_reporter(job)
    )
    pictures = place_pictures(capture.views, FORMATS[arguments.to].rules)
    paths = [str(picture.path) for picture in pictures]
    return {**_answer(arguments, capture, 0, notes), "pictures": paths}


def _answer(
    arguments: RewriteArguments, capture: Capture, images: int, notes: list[str]
) -> dict[str, Any]:
    return {
        "out": str(arguments.out),
        "format": arguments.to,
        "counts": {split: len(capture.split(split)) for split in SPLITS},
        "images": images,
        "notes": notes,
    }


def write_capture(
    capture: Capture,
    to: str,
    out: Path,
    images: bool = True,
    report: Callable[[float], None] = lambda fraction: None,
) -> list[str]:
    """Write a capture into a new folder, whole or not at all.

    Parameters
    ----------
    capture : Capture
    to : str
        A name of `FORMATS`.
    out : Path
        Does not exist, or is an empty folder.
    images : bool
        Copy the images; their places are in the files in any case.
    report : callable, optional
        Called with the share of the images that is done; what it raises ends the work.

    Returns
    -------
    list of str
        Sentences about what is not as it was.

    Raises
    ------
    UserError
        The folder is taken, the format cannot hold the capture exactly, or something cannot be read
        or written.

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
        return ["The images were not copied; put them where the files say."] if left else []
    made = sum(not picture.copied for picture in pictures)
    return [f"{made} images were written anew as PNG."] if made else []
