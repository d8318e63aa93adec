"""Points of the dataset frame -> pixels of a camera, in numpy.

Written forwards from the lens models' definitions (OpenCV's ``calib3d`` documentation: pinhole
with distortion, fisheye; COLMAP's ``sensor/models.h``: FOV, both thin-prism fisheyes, division,
EUCM, equirectangular), apart from `pvd_engine.render.lenses`, so that each can check the other.
"""

from collections.abc import Callable

import numpy as np

from ..capture import Camera


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
        the lens cannot show: those behind a perspective camera, or exactly at a camera's position.

    Raises
    ------
    ValueError
        Unknown distortion model.
    """
    right_down_ahead = world_to_camera(camera, points)
    if camera.distortion_model in _WIDE:
        plane = _WIDE[camera.distortion_model](right_down_ahead, camera.distortion)
    elif camera.distortion_model in _PERSPECTIVE:
        depth = right_down_ahead[:, 2:]
        with np.errstate(divide="ignore", invalid="ignore"):
            plane = np.where(depth > 0, right_down_ahead[:, :2] / depth, np.nan)
        plane = _PERSPECTIVE[camera.distortion_model](plane, camera.distortion)
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
    r2 = (plane**2).sum(axis=1, keepdims=True)
    radial = 1 + k1 * r2 + k2 * r2**2 + k3 * r2**3 + k4 * r2**4
    return plane * radial + _tangential(plane, distortion)


def distort_full_opencv(plane: np.ndarray, distortion: dict[str, float]) -> np.ndarray:
    """OpenCV's rational model: k1, k2, k3 over k4, k5, k6, and p1, p2.

    Parameters
    ----------
    plane : (N, 2) array
        x / z, y / z in OpenCV axes.
    distortion : dict of str to float

    Returns
    -------
    (N, 2) float64 array
    """
    k1, k2, k3, k4, k5, k6 = (distortion.get(f"k{index}", 0.0) for index in range(1, 7))
    r2 = (plane**2).sum(axis=1, keepdims=True)
    radial = (1 + k1 * r2 + k2 * r2**2 + k3 * r2**3) / (1 + k4 * r2 + k5 * r2**2 + k6 * r2**3)
    return plane * radial + _tangential(plane, distortion)


def distort_fov(plane: np.ndarray, distortion: dict[str, float]) -> np.ndarray:
    """The FOV model of Devernay and Faugeras: r -> atan(2 r tan(omega / 2)) / omega.

    COLMAP replaces it by a series for an omega below 0.01; this is the model itself.

    Parameters
    ----------
    plane : (N, 2) array
        x / z, y / z in OpenCV axes.
    distortion : dict of str to float

    Returns
    -------
    (N, 2) float64 array
    """
    omega = abs(distortion.get("omega", 0.0))
    if omega < 1e-8:
        return plane
    radius = np.linalg.norm(plane, axis=1, keepdims=True)
    stretch = 2 * np.tan(omega / 2)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.arctan(radius * stretch) / (radius * omega)
    return plane * np.where(radius > 0, ratio, stretch / omega)


def _tangential(plane: np.ndarray, distortion: dict[str, float]) -> np.ndarray:
    p1, p2 = distortion.get("p1", 0.0), distortion.get("p2", 0.0)
    x, y = plane[:, 0], plane[:, 1]
    r2 = x**2 + y**2
    return np.stack(
        [2 * p1 * x * y + p2 * (r2 + 2 * x**2), p1 * (r2 + 2 * y**2) + 2 * p2 * x * y], axis=1
    )


def _fisheye(points: np.ndarray, distortion: dict[str, float]) -> np.ndarray:
    k1, k2, k3, k4 = (distortion.get(name, 0.0) for name in ("k1", "k2", "k3", "k4"))
    across = np.hypot(points[:, 0], points[:, 1])
    angle = np.arctan2(across, points[:, 2])
    distorted = angle * (1 + k1 * angle**2 + k2 * angle**4 + k3 * angle**6 + k4 * angle**8)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(across > 0, distorted / across, 1 / points[:, 2])
    return points[:, :2] * ratio[:, None]


def _thin_prism_fisheye(points: np.ndarray, distortion: dict[str, float]) -> np.ndarray:
    """An equidistant fisheye whose image OpenCV's polynomial and a thin prism then bend."""
    plane = _fisheye(points, {})
    prism = np.array([distortion.get("sx1", 0.0), distortion.get("sy1", 0.0)])
    return distort_opencv(plane, distortion) + prism * (plane**2).sum(axis=1, keepdims=True)


def _rad_tan_thin_prism_fisheye(points: np.ndarray, distortion: dict[str, float]) -> np.ndarray:
    """An equidistant fisheye, then its radial polynomial, then tangential and prism terms of it."""
    plane = _fisheye(points, {})
    r2 = (plane**2).sum(axis=1, keepdims=True)
    plane = plane * (1 + sum(distortion.get(f"k{i}", 0.0) * r2 ** (i + 1) for i in range(6)))
    r2 = (plane**2).sum(axis=1, keepdims=True)
    s0, s1, s2, s3 = (distortion.get(f"s{i}", 0.0) for i in range(4))
    # COLMAP's p0 and p1 are OpenCV's p2 and p1.
    p2, p1 = distortion.get("p0", 0.0), distortion.get("p1", 0.0)
    prism = np.array([s0, s2]) * r2 + np.array([s1, s3]) * r2**2
    return plane + _tangential(plane, {"p1": p1, "p2": p2}) + prism


def _division(points: np.ndarray, distortion: dict[str, float]) -> np.ndarray:
    """Fitzgibbon's division model: x (1 + k r²) is what a pinhole shows."""
    across2, ahead = (points[:, :2] ** 2).sum(axis=1), points[:, 2]
    with np.errstate(divide="ignore", invalid="ignore"):
        below = ahead + np.sqrt(ahead**2 - 4 * across2 * distortion.get("k", 0.0))
        return points[:, :2] * np.where(below > 0, 2 / below, np.nan)[:, None]


def _eucm(points: np.ndarray, distortion: dict[str, float]) -> np.ndarray:
    """The enhanced unified camera model of Khomutenko, Garcia and Martinet."""
    alpha, beta = distortion.get("alpha", 0.0), distortion.get("beta", 0.0)
    across2, ahead = (points[:, :2] ** 2).sum(axis=1), points[:, 2]
    with np.errstate(divide="ignore", invalid="ignore"):
        below = alpha * np.sqrt(beta * across2 + ahead**2) + (1 - alpha) * ahead
        return points[:, :2] * np.where(below > 0, 1 / below, np.nan)[:, None]


def _ftheta(points: np.ndarray, distortion: dict[str, float]) -> np.ndarray:
    """The distance from the axis at which instant-ngp's polynomial gives the point's angle."""
    a0, a2, a3, a4 = (distortion.get(name, 0.0) for name in ("a0", "a2", "a3", "a4"))
    across = np.hypot(points[:, 0], points[:, 1])
    angle = np.arctan2(across, points[:, 2])
    radius = angle - a0
    for _ in range(FTHETA_STEPS):
        value = a0 + radius * (1 + radius * (a2 + radius * (a3 + radius * a4)))
        slope = 1 + radius * (2 * a2 + radius * (3 * a3 + radius * 4 * a4))
        radius = radius - (value - angle) / np.where(np.abs(slope) < 1e-6, 1e-6, slope)
    with np.errstate(divide="ignore", invalid="ignore"):
        return points[:, :2] * np.where(across > 0, radius / across, 0.0)[:, None]


def _equirectangular(points: np.ndarray, _: dict[str, float]) -> np.ndarray:
    """Longitude to the right and latitude downwards, radians."""
    right, down, ahead = points.T
    latitude = np.arctan2(down, np.hypot(right, ahead))
    plane = np.stack([np.arctan2(right, ahead), latitude], axis=1)
    return np.where(np.any(points != 0, axis=1, keepdims=True), plane, np.nan)


FTHETA_STEPS = 20
"""Of Newton's method, which real lenses need 5 of."""

_Lens = Callable[[np.ndarray, dict[str, float]], np.ndarray]

_WIDE: dict[str, _Lens] = {
    "opencv_fisheye": _fisheye,
    "thin_prism_fisheye": _thin_prism_fisheye,
    "rad_tan_thin_prism_fisheye": _rad_tan_thin_prism_fisheye,
    "division": _division,
    "eucm": _eucm,
    "ftheta": _ftheta,
    "equirectangular": _equirectangular,
}
"""Where the lens models that may see more than half of the space show points in OpenCV's axes."""

_PERSPECTIVE: dict[str, _Lens] = {
    "none": lambda plane, _: plane,
    "opencv": distort_opencv,
    "full_opencv": distort_full_opencv,
    "fov": distort_fov,
}
"""How the lens models that see less than half of the space bend the plane at depth 1."""
