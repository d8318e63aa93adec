"""Views that fields are rendered from: arguments, cameras and the names of pictures."""

from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from ..errors import UserError
from ..jobs.job import Job
from .option_kinds import CapturePath, Downscale, FieldArguments, Split

if TYPE_CHECKING:
    from ..data.capture import Capture, View


@dataclass(frozen=True, kw_only=True)
class ViewArguments(FieldArguments):
    """A field and the cameras that it is rendered from."""

    capture: CapturePath | None = None
    """The dataset whose cameras are used."""

    split: Split | None = None
    """Split of the capture whose views are used; test when not given."""

    downscale: Downscale | None = None
    """Divide width and height of the capture's images by this, averaging their pixels; when not
    given, by what the field's training divided them by."""

    cameras: Path | None = None
    """A cameras.json instead of a capture."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.needs_views and (self.capture is None) == (self.cameras is None):
            raise UserError("Give either --capture or --cameras to say from where to render.")

    @property
    def needs_views(self) -> bool:
        """True where the cameras are those of views."""
        return True

    @property
    def chosen_split(self) -> Split:
        """The split whose views are used."""
        return self.split or "test"


def open_views(arguments: ViewArguments, device: str, job: Job) -> tuple["View", ...]:
    """Read the views of a capture's split, or of a cameras.json.

    Parameters
    ----------
    arguments : ViewArguments
    device : str
        Its type, such as ``"cpu"``.
    job : Job
        Receives a warning where views are made smaller.

    Raises
    ------
    UserError
        There are none.
    """
    from ..data.formats.cameras_json import read_cameras

    if arguments.capture is None:
        assert arguments.cameras is not None
        return read_cameras(arguments.cameras)
    return views_of(open_viewed(arguments, arguments.capture, device, job), arguments.chosen_split)


def open_viewed(arguments: ViewArguments, path: Path, device: str, job: Job) -> "Capture":
    """Read the capture whose cameras are used; the other parameters are those of `open_views`."""
    from ..data.images.image_size import open_at_size
    from ..fields.header import read_header

    provenance = read_header(arguments.field).get("provenance")
    return open_at_size(path, arguments.downscale, device, job, provenance)


def views_of(capture: "Capture", split: Split) -> "tuple[View, ...]":
    """Return the views of a capture's split.

    Raises
    ------
    UserError
        There are none.
    """
    views = capture.split(split)
    if not views:
        raise UserError(f"The capture {capture.name} has no {split} views; choose another --split.")
    return views


def picture_name(view: "View", suffix: str = ".png") -> str:
    """Return the path of a view's picture below the output folder, such as ``"test/r_0.png"``.

    A name that would lead out of that folder is kept within it.
    """
    name = view.name.replace("\\", "/").replace(":", "_")
    parts = [part for part in PurePosixPath(name).parts if part not in ("/", ".", "..")]
    return "/".join(parts) + suffix
