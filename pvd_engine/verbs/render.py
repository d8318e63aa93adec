"""Render a field as pictures or as a film."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from ..errors import UserError
from ..files.films import FILM_SUFFIXES, OTHER_SUFFIXES, is_film, require_ffmpeg
from ..jobs.job import Job
from ..jobs.verb import Verb
from .camera_moves import orbit_views, path_views
from .option_kinds import Between, Split
from .views import ViewArguments, open_views, picture_name

if TYPE_CHECKING:
    from ..data.capture import View
    from ..fields.base import Renderable
    from ..render.render import RenderedImage

PictureFormat = Literal["png", "png16", "exr"]
Color = tuple[float, float, float]

LARGEST_SIDE = 16384
"""Largest width or height that can be asked for, pixels; that of H.264."""

PREVIEW_SECONDS = 10.0
"""Seconds between two previews of a film."""


@dataclass(frozen=True, kw_only=True)
class RenderArguments(ViewArguments):
    """Render a field as pictures or as a film.

    The cameras come from a split of a capture or from a cameras.json, or they move: --orbit turns
    around the field, and --path goes through the capture's cameras. Each picture is an sRGB PNG
    with straight alpha, named like the capture's image: the view test/r_0 becomes
    OUT/test/r_0.png. A film has each as a frame; when it is stopped, nothing is written.

    Example: pvd render lego.safetensors --capture lego --split test --out pictures

    Example: pvd render lego.safetensors --orbit --out lego.mp4
    """

    out: Path
    """The folder for the pictures, or the film: a file that ends in .mp4 (H.264) or .webm (VP9)."""

    format: PictureFormat = "png"
    """Format of the pictures: png has 8 bits, png16 has 16, and exr holds linear light with
    premultiplied alpha, as compositing programs take it."""

    split: Split | None = None
    """Split of the capture whose views are used; when not given test, and train for --path and
    --orbit."""

    orbit: bool = False
    """Turn once around what the field's cameras looked at, at the middle of their distances and
    heights; or swing there and back, where they saw it from some sides only."""

    path: bool = False
    """Go smoothly through the cameras of the capture, or of --cameras, in their order; where that
    jumps about, from each to the nearest one. Among those of a forward-facing scene move in a
    spiral."""

    seconds: Annotated[float, Between(0.01, 3600)] = 8.0
    """Time that --orbit and --path take."""

    fps: Annotated[float, Between(1, 240)] = 24.0
    """Frames per second of a film, of --orbit and of --path."""

    size: tuple[int, int] | None = None
    """Width and height of the pictures in pixels. They show all that the cameras see, and more
    where their shape is another one. When not given, each camera's own."""

    background: Color = (1.0, 1.0, 1.0)
    """Red, green and blue behind the field in a film, from 0 to 1, sRGB."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.orbit and (self.path or self.cameras is not None):
            raise UserError("Give one of --orbit, --path and --cameras; an orbit needs no cameras.")
        if self.out.suffix.lower() in OTHER_SUFFIXES:
            raise UserError(
                f"Films are written as {' or '.join(FILM_SUFFIXES)}; change the end of --out "
                f"'{self.out}'."
            )
        if is_film(self.out) and self.format != "png":
            raise UserError("--format is for single pictures; let --out name a folder for them.")
        if self.size is not None and not all(2 <= side <= LARGEST_SIDE for side in self.size):
            raise UserError(f"--size must be two numbers of pixels from 2 to {LARGEST_SIDE}.")
        if not all(0 <= part <= 1 for part in self.background):
            raise UserError("--background must be three numbers from 0 to 1.")

    @property
    def needs_views(self) -> bool:
        """True where the cameras are those of views."""
        return not self.orbit

    @property
    def chosen_split(self) -> Split:
        """The split whose views are used."""
        return self.split or ("train" if self.path or self.orbit else "test")


def run(arguments: RenderArguments, job: Job) -> dict[str, Any]:
    """Render each view into one picture, or all into one film.

    Returns
    -------
    dict
        ``out``, the folder or the film; ``images``, the pictures' paths below the folder, in order
        of the views; of a film ``frames``, their number, ``seconds``, its length, and ``size``, its
        width and height; ``outside``, the names of the views that a light field was not taught for;
        and ``warnings``.
    """
    from ..fields.storage import load_any_field
    from ..jobs.device import choose_device
    from ..render.region import outside_warnings, views_outside

    if is_film(arguments.out):
        require_ffmpeg()
    device = choose_device(arguments.device)
    if not arguments.orbit:  # a wrong capture is noticed before a large field is read
        views = _views(arguments, device.type, job)
    field = load_any_field(arguments.field, device)
    if arguments.orbit:
        views = orbit_views(arguments, field, _count(arguments), job)
    views = _sized(views, arguments, job)
    outside = views_outside(field, views)
    job.warn(outside_warnings(outside, views))
    write = _write_film if is_film(arguments.out) else _write_pictures
    return {
        "out": str(arguments.out),
        **write(field, views, arguments, job),
        "outside": outside,
        "warnings": job.warnings,
    }


def _views(arguments: RenderArguments, device: str, job: Job) -> tuple["View", ...]:
    if arguments.path:
        return path_views(arguments, device, _count(arguments), arguments.seconds, job)
    return open_views(arguments, device, job)


def _count(arguments: RenderArguments) -> int:
    """Return the number of frames of a moving camera."""
    return max(round(arguments.seconds * arguments.fps), 1)


def _sized(views: Sequence["View"], arguments: RenderArguments, job: Job) -> list["View"]:
    """Return views of the size that is asked for; those of a film have one size, of even sides."""
    from ..data.geometry.picture_size import even, fitted

    cameras = [view.camera for view in views]
    if arguments.size is not None:
        cameras = [fitted(camera, *arguments.size) for camera in cameras]
    if is_film(arguments.out):
        sizes = {(camera.width, camera.height) for camera in cameras}
        if len(sizes) > 1:
            raise UserError(
                f"The cameras have pictures of {len(sizes)} sizes, but a film has one; give it "
                "with --size."
            )
        cameras = [even(camera) for camera in cameras]
        width, height = cameras[0].width, cameras[0].height
        if sizes != {(width, height)}:
            job.warn([f"The film has {width} x {height} pixels, since films have even sides."])
    return [replace(view, camera=one) for view, one in zip(views, cameras, strict=True)]


def _write_pictures(
    field: "Renderable", views: Sequence["View"], arguments: RenderArguments, job: Job
) -> dict[str, Any]:
    from ..render.view_loop import render_views

    images = []
    for view, image in render_views(field, views, job):
        images.append(picture_name(view, ".exr" if arguments.format == "exr" else ".png"))
        _write(image, arguments.out / images[-1], arguments.format)
    return {"images": images}


def _write(image: "RenderedImage", path: Path, picture_format: PictureFormat) -> None:
    from ..files.images import write_exr, write_png

    if picture_format == "exr":
        write_exr(path, image.color, image.alpha)
    else:
        write_png(path, image.to_uint16() if picture_format == "png16" else image.to_uint8())


def _write_film(
    field: "Renderable", views: Sequence["View"], arguments: RenderArguments, job: Job
) -> dict[str, Any]:
    import numpy as np

    from ..files.films import write_film
    from ..render.view_loop import render_views

    def frames() -> Iterator[np.ndarray]:
        previewed = -PREVIEW_SECONDS
        for _, image in render_views(field, views, job, unit="frame"):
            color = image.over(np.array(arguments.background, np.float32)).clip(0, 1)
            frame = (color * 255 + 0.5).astype(np.uint8)
            if time.monotonic() - previewed >= PREVIEW_SECONDS:
                job.preview("film", frame)
                previewed = time.monotonic()
            yield frame

    count = write_film(arguments.out, frames(), arguments.fps)
    camera = views[0].camera
    return {
        "frames": count,
        "seconds": count / arguments.fps,
        "size": [camera.width, camera.height],
    }


VERB = Verb("render", RenderArguments, run, makes_folder=True, file_suffixes=FILM_SUFFIXES)
