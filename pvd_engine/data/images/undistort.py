"""Images without lens distortion, as a pinhole camera would see."""

import numpy as np

from ...files.images import as_float
from ..capture import Camera
from ..geometry.projection import pixels_of

PIXELS_AT_ONCE = 1 << 16
"""Pixels that are computed together; they fit the caches of any processor."""


def undistorted(image: np.ndarray, camera: Camera) -> np.ndarray:
    """Return a camera's image as a pinhole camera of the same intrinsics would see it.

    Colours are interpolated linearly between the image's pixels, weighted by alpha. A pixel that
    the image does not show is transparent.

    Parameters
    ----------
    image : (H, W, 4) uint8 or uint16 array
        sRGB with straight alpha; an image of another size is stretched to the camera's.
    camera : Camera
        The camera, with any lens except an equirectangular one.

    Returns
    -------
    (height, width, 4) array
        Of the same type, at the camera's size, sRGB with straight alpha.

    Raises
    ------
    ValueError
        The lens model is unknown.
    """
    x = (np.arange(camera.width) + 0.5 - camera.cx) / camera.fx
    y = (np.arange(camera.height) + 0.5 - camera.cy) / camera.fy
    stretch_x, stretch_y = image.shape[1] / camera.width, image.shape[0] / camera.height
    result = np.empty((camera.height, camera.width, 4), dtype=image.dtype)
    most = np.iinfo(image.dtype).max
    rows = max(1, PIXELS_AT_ONCE // camera.width)
    for start in range(0, camera.height, rows):
        plane = np.meshgrid(x, y[start : start + rows])
        u, v = pixels_of(camera, *plane, np.ones_like(plane[0]))
        colors = sample_bilinear(image, u * stretch_x, v * stretch_y)
        result[start : start + rows] = colors * most + 0.5
    return result


def sample_bilinear(image: np.ndarray, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Return an image interpolated between its pixels.

    Parameters
    ----------
    image : (H, W, 4) uint8 or uint16 array
        Straight alpha.
    u, v : (h, w) float64 arrays
        Positions in pixels, corner origin, y down; NaN is outside.

    Returns
    -------
    (h, w, 4) float32 array
        In [0, 1], straight alpha; transparent black outside of the image.
    """
    height, width = image.shape[:2]
    inside = (u >= 0) & (u <= width) & (v >= 0) & (v <= height)
    x = np.clip(np.where(inside, u, 0.0) - 0.5, 0, width - 1)
    y = np.clip(np.where(inside, v, 0.0) - 0.5, 0, height - 1)
    x0 = np.minimum(x.astype(np.int64), max(width - 2, 0))
    y0 = np.minimum(y.astype(np.int64), max(height - 2, 0))
    x1, y1 = np.minimum(x0 + 1, width - 1), np.minimum(y0 + 1, height - 1)
    right, down = (x - x0).astype(np.float32)[..., None], (y - y0).astype(np.float32)[..., None]

    def premultiplied(rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        # A transparent pixel's colour must not bleed in.
        pixels = as_float(image[rows, columns])
        pixels[..., :3] *= pixels[..., 3:]
        return pixels

    top = premultiplied(y0, x0) * (1 - right) + premultiplied(y0, x1) * right
    bottom = premultiplied(y1, x0) * (1 - right) + premultiplied(y1, x1) * right
    colors = (top * (1 - down) + bottom * down) * inside[..., None]
    colors[..., :3] /= np.maximum(colors[..., 3:], 1e-6)
    return np.minimum(colors, 1)
