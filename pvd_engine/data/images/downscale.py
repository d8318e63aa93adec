"""Captures with images that are read at a fraction of their size."""

from dataclasses import replace

import numpy as np

from ...files.images import as_float, load_image
from ...files.resize import resized
from ..capture import Camera, Capture, View
from .cut_out import with_transparency


def downscaled(capture: Capture, factor: int) -> Capture:
    """Return a capture with images read at a fraction of their size, and cameras to match.

    Parameters
    ----------
    capture : Capture
    factor : int
        Divisor of width and height; 1 changes nothing.
    """
    if factor == 1:
        return capture
    views = tuple(_downscaled_view(view, factor) for view in capture.views)
    note = f"Images are read at 1/{factor} of their width and height."
    return replace(capture, views=views, notes=(*capture.notes, note), downscale=factor)


def scaled_camera(camera: Camera, width: int, height: int) -> Camera:
    """Return a camera with another number of pixels; its distortion does not depend on that."""
    x, y = width / camera.width, height / camera.height
    scaled = {"fx": camera.fx * x, "fy": camera.fy * y, "cx": camera.cx * x, "cy": camera.cy * y}
    return replace(camera, width=width, height=height, **scaled)


def load_view(view: View) -> np.ndarray:
    """Return a view's image at its camera's size, area-filtered where the file is larger.

    Returns
    -------
    (height, width, 4) uint8 or uint16 array
        sRGB with straight alpha; uint16 where the file has more than 8 bits.

    Raises
    ------
    UserError
        The image cannot be read, or its size differs from the capture's.
    ValueError
        The view has no image.
    """
    if view.image_path is None:
        raise ValueError(f"the view {view.name} has no image")
    size = (view.camera.width, view.camera.height)
    rgba = load_image(
        view.image_path, expected_size=view.stored_size or size, exposure=view.exposure
    )
    rgba = with_transparency(view, rgba)
    return rgba if view.stored_size is None else resized(rgba, size)


def view_on_white(view: View) -> np.ndarray:
    """Return a view's image, (H, W, 3) float32 in [0, 1], on a white background.

    Raises
    ------
    UserError, ValueError
        As `load_view`.
    """
    rgba = as_float(load_view(view))
    return rgba[..., :3] * rgba[..., 3:] + 1 - rgba[..., 3:]


def _downscaled_view(view: View, factor: int) -> View:
    camera = view.camera
    width, height = (max(1, round(side / factor)) for side in (camera.width, camera.height))
    return replace(
        view,
        camera=scaled_camera(camera, width, height),
        stored_size=view.stored_size or (camera.width, camera.height),
    )
