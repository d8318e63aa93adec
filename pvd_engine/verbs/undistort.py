"""Write an image without its lens distortion."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from tyro.conf import Positional, arg

from ..errors import UserError
from ..jobs.job import Job
from ..jobs.verb import Verb
from .option_kinds import check_suffix


@dataclass(frozen=True, kw_only=True)
class UndistortArguments:
    """Write an image as a pinhole camera would have seen it, without lens distortion.

    The picture has the size and the intrinsics of the image's camera. What the image does not show
    is transparent. This is how Blender, whose cameras are pinhole cameras, gets the image that it
    shows behind a camera.

    Example: pvd undistort fox/images/0001.jpg --camera camera.json --out 0001.png
    """

    image: Positional[Annotated[Path, arg(metavar="IMAGE")]]
    """The image file."""

    camera: Path
    """A JSON file with the image's camera: an entry of a cameras.json, or the camera of a view of
    pvd info --json."""

    out: Path
    """The file to write; ends in .png."""

    def __post_init__(self) -> None:
        check_suffix(self.out, ".png")


def run(arguments: UndistortArguments, job: Job) -> dict[str, Any]:
    """Read an image and write what a pinhole camera would have seen.

    Returns
    -------
    dict
        ``out``, the picture's path.

    Raises
    ------
    UserError
        The camera or the image cannot be read, no pinhole camera can show the image, or the picture
        cannot be written.
    """
    from ..data.formats.cameras_json import camera_from_dict
    from ..data.images.undistort import undistorted
    from ..files.images import load_image, write_png
    from ..files.json_input import read_json_object

    camera = camera_from_dict(read_json_object(arguments.camera), arguments.camera.name)
    if camera.distortion_model == "equirectangular":
        raise UserError(
            f"{arguments.camera}: no pinhole camera can show an equirectangular image; "
            "give the camera of another image."
        )
    write_png(arguments.out, undistorted(load_image(arguments.image), camera))
    return {"out": str(arguments.out)}


VERB = Verb("undistort", UndistortArguments, run)
