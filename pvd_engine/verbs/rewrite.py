"""Write a capture, or cameras alone, as files of another format."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from tyro.conf import Positional

from ..errors import UserError
from ..jobs.job import Job
from ..jobs.verb import Verb
from .option_kinds import CapturePath, CheckedArguments, Downscale


@dataclass(frozen=True, kw_only=True)
class RewriteArguments(CheckedArguments):
    """Write a capture in another format, into a new folder.

    nerf-synthetic: transforms_train.json, _val and _test. nerfstudio: a transforms.json, which
    instant-ngp reads, too. colmap: a sparse model in text. What the format cannot state exactly is
    refused; images are copied.

    Example: pvd rewrite fox --to colmap --out fox-colmap
    """

    capture: Positional[CapturePath | None] = None
    """The dataset to read."""

    cameras: Path | None = None
    """A cameras.json instead of a capture: the images are missing then, and the answer has the
    names under which to put them there."""

    to: Literal["nerf-synthetic", "nerfstudio", "colmap"]
    """The format to write."""

    out: Path
    """The folder to make; one that exists must be empty."""

    downscale: Downscale = 1
    """Divide width and height of the capture's images by this, averaging their pixels."""

    images: bool = True
    """Copy the images; without them only the cameras and points are written."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if (self.capture is None) == (self.cameras is None):
            raise UserError("Give either a capture or --cameras to say what to write.")


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
    from ..data.capture import SPLITS
    from ..data.formats.cameras_json import read_cameras_as_capture
    from ..data.images.downscale import downscaled
    from ..data.readers import open_capture
    from ..data.writers.pictures import place_pictures
    from ..data.writers.writers import FORMATS, write_capture
    from ..files.new_folder import require_new
    from ..jobs.fraction import fraction_reporter

    require_new(arguments.out)
    if arguments.cameras is not None:
        capture = downscaled(read_cameras_as_capture(arguments.cameras), arguments.downscale)
    else:
        assert arguments.capture is not None
        capture = open_capture(arguments.capture, arguments.downscale)
    images = arguments.images and arguments.cameras is None
    notes = write_capture(capture, arguments.to, arguments.out, images, fraction_reporter(job))
    answer = {
        "out": str(arguments.out),
        "format": arguments.to,
        "counts": {split: len(capture.split(split)) for split in SPLITS},
        "images": len(capture.views) if images else 0,
        "notes": notes,
    }
    if arguments.cameras is not None:
        pictures = place_pictures(capture.views, FORMATS[arguments.to].rules)
        answer["pictures"] = [str(picture.path) for picture in pictures]
    return answer


VERB = Verb("rewrite", RewriteArguments, run, makes_folder=True)
