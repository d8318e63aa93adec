"""Points of the dataset frame -> pixels of a camera, in numpy."""

import numpy as np

from ..capture import Camera
from .lens_models import image_plane


def project(camera: Camera, points: np.ndarray) -> np.ndarray:
    """Return the pixels at which a camera shows points.

    Parameters
    ----------
    camera : Camera
    points : (N, 3) array
        Dataset frame.

    Returns
    -------
    (N, 2) float64 array
        Image coordinates, corner origin, y down; they may lie outside the image. NaN for points
        that the lens cannot show: those behind a perspective camera, or exactly at its position.

    Raises
    ------
    ValueError
        The distortion model is unknown.
    """
    points = np.asarray(points, dtype=np.float64)
    homogeneous = np.concatenate([points, np.ones((len(points), 1))], axis=1)
    x, y, z, _ = np.linalg.inv(camera.camera_to_world) @ homogeneous.T
    return np.stack(pixels_of(camera, x, -y, -z), axis=1)


def pixels_of(
    camera: Camera, x: np.ndarray, y: np.ndarray, z: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the pixels at which a camera shows points in its own axes.

    Parameters
    ----------
    camera : Camera
    x, y, z : float64 arrays of one shape
        OpenCV's axes: x right, y down, z ahead.

    Returns
    -------
    tuple of float64 arrays
        x and y in pixels, as in `project`.

    Raises
    ------
    ValueError
        The distortion model is unknown.
    """
    across, down = image_plane(camera.distortion_model, camera.distortion, x, y, z)
    return across * camera.fx + camera.cx, down * camera.fy + camera.cy
