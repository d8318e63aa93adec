"""Films: pictures that are written one after another into a video file.

imageio writes them through ffmpeg, a program that the package imageio-ffmpeg brings along.
"""

import errno
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import UserError
from .atomic import write_atomic

if TYPE_CHECKING:
    import numpy as np

_BT_709 = (
    *(
        "-vf",
        "scale=out_color_matrix=bt709:out_range=tv",
        "-colorspace",
        "bt709",
    ),
    *("-color_primaries", "bt709", "-color_trc", "bt709", "-color_range", "tv"),
)
"""The colours that players expect; ffmpeg's own choice is that of old television."""

_FORMATS: dict[str, dict[str, Any]] = {
    ".mp4": {
        "codec": "libx264",
        "pixelformat": "yuv420p",  # the one that every player shows
        "output_params": ("-crf", "16", "-movflags", "+faststart", *_BT_709),
    },
    ".webm": {
        "codec": "libvpx-vp9",
        "pixelformat": "yuv420p",
        "output_params": ("-crf", "20", "-b:v", "0", "-cpu-used", "4", *_BT_709),
    },
}

FILM_SUFFIXES = tuple(_FORMATS)
"""File endings of films that can be written."""

OTHER_SUFFIXES = (".avi", ".gif", ".m4v", ".mkv", ".mov", ".mpeg", ".mpg", ".ogv", ".wmv")
"""File endings of films that cannot."""


def is_film(path: Path) -> bool:
    """Return whether a path names a film that can be written."""
    return path.suffix.lower() in FILM_SUFFIXES


def require_ffmpeg() -> None:
    """Raise UserError when there is no ffmpeg that could write films."""
    try:
        import imageio_ffmpeg

        imageio_ffmpeg.get_ffmpeg_exe()
    except (ImportError, RuntimeError) as error:
        raise UserError(
            "Films are written by ffmpeg, which comes with the package imageio-ffmpeg; install it "
            "in the engine's environment (pip install imageio-ffmpeg), or let --out name a folder "
            "for single pictures."
        ) from error


def write_film(path: Path, frames: Iterable["np.ndarray"], fps: float) -> int:
    """Write a film, atomically: under a temporary name, then renamed.

    Parameters
    ----------
    path : Path
        Its suffix, one of `FILM_SUFFIXES`, is the format: H.264 or VP9. Missing parent folders
        are made.
    frames : iterable of (H, W, 3) uint8 array
        sRGB, all of one size with even sides. An error that it raises leaves no part of the film.
    fps : float
        Frames per second.

    Returns
    -------
    int
        Number of frames.

    Raises
    ------
    UserError
        There is no ffmpeg, or the file cannot be written.
    """
    require_ffmpeg()
    count = 0

    def write(temporary: Path) -> None:
        nonlocal count
        count = _write(temporary, frames, fps)

    write_atomic(path, write)
    return count


def _write(path: Path, frames: Iterable["np.ndarray"], fps: float) -> int:
    import imageio.v2 as imageio
    import imageio_ffmpeg

    chosen = _FORMATS[path.suffix.lower()]
    options = chosen | {"output_params": list(chosen["output_params"])}
    writer = imageio.get_writer(
        path,
        format="FFMPEG",
        mode="I",
        fps=fps,
        macro_block_size=1,
        **options,  # type: ignore[arg-type]
    )
    count = 0
    with writer:
        for frame in frames:
            try:
                writer.append_data(frame)
            except OSError as error:
                raise _failed() from error
            count += 1
    # Nothing else tells that ffmpeg has failed at the end, as on a full disk.
    try:
        written, _ = imageio_ffmpeg.count_frames_and_secs(str(path))
    except RuntimeError as error:
        raise _failed() from error
    if written != count:
        raise _failed()
    return count


def _failed() -> OSError:
    return OSError(
        errno.EIO, "ffmpeg could not finish the film; make sure that the disk is not full"
    )
