"""Points of the dataset frame -> pixels of a camera, in numpy.

Written forwards from the lens models' definitions (OpenCV's ``calib3d`` documentation: pinhole
with distortion, fisheye), apart from `pvd_engine.render.rays`, so that each can check the other.
"""

import numpy as np

from .capture import Camera


def project(camera: Camera, points: np.ndarray) -> np.ndarray:
    """Project points into a camera's image.

    Parameters
    ----------
    camera : Camera
    points : (N, 3) array
        Dataset frame.

    Returns
    -------
    (N, 2) float64 array
        Image coordinates, corner origin, y down; also outside of the image. NaN for points that
        a perspective camera has behind it (or a fisheye exactly at its position).

    Raises
    ------
    ValueError
        Unknown distortion model.
    """
    right_down_ahead = world_to_camera(camera, points)
    if camera.distortion_model == "opencv_fisheye":
        plane = _fisheye(right_down_ahead, camera.distortion)
    elif camera.distortion_model in ("none", "opencv"):
        depth = right_down_ahead[:, 2:]
        with np.errstate(divide="ignore", invalid="ignore"):
            plane = np.where(depth > 0, right_down_ahead[:, :2] / depth, np.nan)
        if camera.distortion_model == "opencv":
            plane = distort_opencv(plane, camera.distortion)
    else:
        raise ValueError(f"unknown distortion model {camera.distortion_model!r}")
    return plane * (camera.fx, camera.fy) + (camera.cx, camera.cy)


def world_to_camera(camera: Camera, points: np.ndarray) -> np.ndarray:
    """Points in the camera's OpenCV axes (x right, y down, z ahead), (N, 3) float64."""
    points = np.asarray(points, dtype=np.float64)
    homogeneous = np.concatenate([points, np.ones((len(points), 1))], axis=1)
    in_camera = homogeneous @ np.linalg.inv(camera.camera_to_world).T
    return in_camera[:, :3] * (1.0, -1.0, -1.0)


def distort_opencv(plane: np.ndarray, distortion: dict[str, float]) -> np.ndarray:
    """OpenCV's radial and tangential distortion, with nerfstudio's k4 as the r⁸ term.

    Parameters
    ----------
    plane : (N, 2) array
        x / z, y / z in OpenCV axes.
    distortion : dict of str to float

    Returns
    -------
    (N, 2) float64 array
    """
    k1, k2, k3, k4 = (distortion.get(name, 0.0) for name in ("k1", "k2", "k3", "k4"))
    p1, p2 = distortion.get("p1", 0.0), distortion.get("p2", 0.0)
    x, y = plane[:, 0], plane[:, 1]
    r2 = x**2 + y**2
    radial = 1 + k1 * r2 + k2 * r2**2 + k3 * r2**3 + k4 * r2**4
    return np.stack(
        [
            x * radial + 2 * p1 * x * y + p2 * (r2 + 2 * x**2),
            y * radial + p1 * (r2 + 2 * y**2) + 2 * p2 * x * y,
        ],
        axis=1,
    )


def _fisheye(points: np.ndarray, distortion: dict[str, float]) -> np.ndarray:
    k1, k2, k3, k4 = (distortion.get(name, 0.0) for name in ("k1", "k2", "k3", "k4"))
    across = np.hypot(points[:, 0], points[:, 1])
    angle = np.arctan2(across, points[:, 2])
    distorted = angle * (1 + k1 * angle**2 + k2 * angle**4 + k3 * angle**6 + k4 * angle**8)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(across > 0, distorted / across, 1 / points[:, 2])
    return points[:, :2] * ratio[:, None]
