"""The size of a camera's picture, changed without losing what it shows."""

from dataclasses import replace

from ..capture import Camera
from .bounds import see_all_round


def fitted(camera: Camera, width: int, height: int) -> Camera:
    """Return a camera with a picture of another size, which holds all of the first.

    Where the shape differs, it shows more on two sides; a panorama is stretched instead.

    Parameters
    ----------
    camera : Camera
    width, height : int
        Pixels.
    """
    x, y = width / camera.width, height / camera.height
    if not see_all_round([camera]):
        x = y = min(x, y)
    return replace(
        camera,
        width=width,
        height=height,
        fx=camera.fx * x,
        fy=camera.fy * y,
        cx=width / 2 + (camera.cx - camera.width / 2) * x,
        cy=height / 2 + (camera.cy - camera.height / 2) * y,
    )


def even(camera: Camera) -> Camera:
    """Return a camera without its last column and row of pixels where their number is odd."""
    return replace(
        camera,
        width=max(camera.width - camera.width % 2, 2),
        height=max(camera.height - camera.height % 2, 2),
    )
