"""Captures looked at smaller than their images are."""

from dataclasses import replace

import numpy as np
from PIL import Image

from ...files.images import load_image
from ..capture import Camera, Capture, View


def downscaled(capture: Capture, factor: int) -> Capture:
    """A capture whose images are read at a fraction of their size, with cameras that fit.

    Parameters
    ----------
    capture : Capture
    factor : int
        2 halves width and height; 1 changes nothing.
    """
    if factor == 1:
        return capture
    views = tuple(_downscaled_view(view, factor) for view in capture.views)
    note = f"Images are read at 1/{factor} of their width and height."
    return replace(capture, views=views, notes=(*capture.notes, note), downscale=factor)


def scaled_camera(camera: Camera, width: int, height: int) -> Camera:
    """The same camera with another number of pixels; lens distortion does not depend on it."""
    x, y = width / camera.width, height / camera.height
    scaled = {"fx": camera.fx * x, "fy": camera.fy * y, "cx": camera.cx * x, "cy": camera.cy * y}
    return replace(camera, width=width, height=height, **scaled)


def load_view(view: View) -> np.ndarray:
    """A view's image at its camera's size, area-filtered where the file is larger.

    Returns
    -------
    (height, width, 4) uint8 array
        sRGB with straight alpha.

    Raises
    ------
    UserError
        It cannot be read, or has another size than the capture says.
    ValueError
        The view has no image.
    """
    if view.image_path is None:
        raise ValueError(f"the view {view.name} has no image")
    size = (view.camera.width, view.camera.height)
    rgba = load_image(view.image_path, expected_size=view.stored_size or size)
    if view.stored_size is None:
        return rgba
    # Pillow weighs colours with alpha here, so that none bleeds in from transparent pixels.
    return np.array(Image.fromarray(rgba).resize(size, Image.Resampling.BOX))


def view_on_white(view: View) -> np.ndarray:
    """A view's image, (H, W, 3) float32 in [0, 1], laid on white where it is transparent.

    Raises
    ------
    UserError, ValueError
        As `load_view`.
    """
    rgba = load_view(view).astype(np.float32) / 255
    return rgba[..., :3] * rgba[..., 3:] + 1 - rgba[..., 3:]


def _downscaled_view(view: View, factor: int) -> View:
    camera = view.camera
    width, height = (max(1, round(side / factor)) for side in (camera.width, camera.height))
    return replace(
        view,
        camera=scaled_camera(camera, width, height),
        stored_size=view.stored_size or (camera.width, camera.height),
    )
