"""Images that show nothing: transparent everywhere, or one flat colour."""

from collections.abc import Sequence

import numpy as np

from ...errors import UserError
from ..capture import View
from ..notes import counted
from .downscale import load_view

FLAT = 2 / 255
"""Largest difference between the values of a flat image, from 0 to 1: what JPEG adds."""

FLAT_BYTES, FLAT_BYTES_PER_PIXEL = 2000, 0.02
"""Size of a file above which a compressed image is not flat."""

MOST_READ = 200
"""Most images that are decoded to see whether they show anything."""


def shows_nothing(rgba: np.ndarray) -> bool:
    """Return whether an image, (H, W, 4) or (N, 4) of whole numbers, has nothing to be seen."""
    pixels = rgba.reshape(-1, 4)
    largest = int(np.iinfo(pixels.dtype).max)
    if not pixels[:, 3].any():
        return True
    # Nearly every image differs in its first few pixels, so that not all must be looked at.
    return all(
        int(np.ptp(part, axis=0).max()) <= FLAT * largest
        for part in (pixels[:: max(len(pixels) // 1000, 1)], pixels)
    )


def note_of_empty(names: Sequence[str], total: int) -> list[str]:
    """Return the note on images that show nothing, if there are any.

    Parameters
    ----------
    names : sequence of str
        Views whose images show nothing.
    total : int
        Number of images that were looked at.
    """
    if not names:
        return []
    return [
        f"{counted(len(names), 'images shows', 'images show', of=total)} nothing, being transparent"
        " or of one colour everywhere; fields learn from such images that nothing is there, so"
        f" leave them out if that is wrong. The first: {names[0]}."
    ]


def empty_images(views: Sequence[View]) -> list[str]:
    """Return the note on views whose images show nothing, from the small files alone.

    A flat image is a small file, so that only suspiciously small ones are decoded; files that are
    not compressed, and those that hide colours in transparent pixels, are found in training.
    """
    shown = [view for view in views if view.image_path is not None]
    small = [view for view in shown if _is_small(view)][:MOST_READ]
    return note_of_empty([view.name for view in small if _reads_as_nothing(view)], len(shown))


def _is_small(view: View) -> bool:
    assert view.image_path is not None
    width, height = view.stored_size or (view.camera.width, view.camera.height)
    try:
        size = view.image_path.stat().st_size
    except OSError:  # gone meanwhile: training says so
        return False
    return size <= FLAT_BYTES + FLAT_BYTES_PER_PIXEL * width * height


def _reads_as_nothing(view: View) -> bool:
    try:
        return shows_nothing(load_view(view))
    except UserError:  # broken: its reader or training says so
        return False
