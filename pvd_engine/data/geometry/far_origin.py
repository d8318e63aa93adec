"""Captures that stand far from the origin of their frame, as georeferenced ones do.

Whatever keeps positions as float32, such as Blender and the engine's kernels, loses the digits that
tell cameras apart there: at 5,600 km a step is half a metre. The files' own numbers stay as they
are; a field counts positions from another origin, around which Blender shows them as well.
"""

import math
from collections.abc import Sequence

import numpy as np

from ..capture import Camera, Capture

FAR = 10
"""Distance from the origin, in sizes of a capture, from which it counts as far: there a step of
float32 is a thousandth of a pixel in large images."""


def capture_origin(capture: Capture) -> np.ndarray:
    """Return the `far_origin` of a capture."""
    return far_origin([view.camera for view in capture.views], capture.box)


def far_origin(cameras: Sequence[Camera], box: np.ndarray) -> np.ndarray:
    """Return a point with few digits amid a capture that stands far from the origin, else zero.

    Parameters
    ----------
    cameras : sequence of Camera
        May be none.
    box : (2, 3) array
        The scene's box, dataset frame.

    Returns
    -------
    (3,) float64 array
        Dataset frame; each coordinate is a multiple of the power of ten below the capture's size.
    """
    positions = [camera.camera_to_world[:3, 3] for camera in cameras]
    points = np.concatenate((np.asarray(positions, np.float64).reshape(-1, 3), np.asarray(box)))
    low, high = points.min(axis=0), points.max(axis=0)
    size, center = float(np.linalg.norm(high - low)), (low + high) / 2
    if size == 0 or not np.linalg.norm(center) > FAR * size:
        return np.zeros(3)
    step = 10.0 ** math.floor(math.log10(size))
    return np.round(center / step) * step
