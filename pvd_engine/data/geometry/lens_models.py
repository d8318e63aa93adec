"""Lens models: the image position at which a lens shows a direction, and all their formulas.

Sources: OpenCV's ``calib3d`` documentation (pinhole with distortion, fisheye), COLMAP's
``sensor/models.h`` (FOV, both thin-prism fisheyes, division, EUCM, equirectangular) and
instant-ngp's ``common_device.cuh`` (F-theta).

Points have OpenCV's axes: x right, y down, z ahead. Positions on the image plane have the same x
and y and are in focal lengths from the principal point. The polynomials (the `bend_...`
functions, `fisheye_radius`, `ftheta_angle`) use only operators, so they take numpy arrays and torch
tensors, with coefficients that are numbers or arrays; `space/lenses.py` inverts them to cast rays.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

Values = Any
"""A float64 numpy array or torch tensor of any shape, or a number."""

Plane = tuple[np.ndarray, np.ndarray]
"""Coordinates x and y on the image plane."""

FTHETA_STEPS = 20
"""Steps of Newton's method for an F-theta lens; real lenses need 5."""


class Bent(NamedTuple):
    """Points of a plane as a lens moves them, and the Jacobian of the movement.

    Attributes
    ----------
    x, y : array
        The moved points.
    xx, xy, yx, yy : array
        Derivatives of the moved x with respect to the point's x and y, then those of the moved y.
    """

    x: Values
    y: Values
    xx: Values
    xy: Values
    yx: Values
    yy: Values


@dataclass(frozen=True)
class LensModel:
    """A lens model.

    Attributes
    ----------
    coefficients : tuple of str
        Names of its distortion coefficients, in COLMAP's order.
    show : callable
        ``show(x, y, z, *coefficients)`` returns the image plane's x and y of points, arrays of one
        shape; NaN for points that the lens cannot show.
    """

    coefficients: tuple[str, ...]
    show: Callable[..., Plane]


def image_plane(
    model: str, distortion: Mapping[str, float], x: np.ndarray, y: np.ndarray, z: np.ndarray
) -> Plane:
    """Return the positions on the image plane at which a lens shows points.

    Parameters
    ----------
    model : str
        A name of `LENS_MODELS`.
    distortion : mapping of str to float
        Coefficients by name; missing ones are zero.
    x, y, z : float64 arrays of one shape
        OpenCV's camera axes, at any distance from the camera.

    Returns
    -------
    tuple of float64 arrays
        x and y in focal lengths from the principal point (radians of an equirectangular camera);
        NaN for points that the lens cannot show: those behind a perspective camera, or exactly at
        the camera's position.

    Raises
    ------
    ValueError
        The lens model is unknown.
    """
    if model not in LENS_MODELS:
        raise ValueError(f"unknown distortion model {model!r}")
    lens = LENS_MODELS[model]
    return lens.show(x, y, z, *(distortion.get(name, 0.0) for name in lens.coefficients))


def bend_opencv(
    x: Values, y: Values, k1: Values, k2: Values, p1: Values, p2: Values, k3: Values, k4: Values
) -> Bent:
    """Return points moved by OpenCV's radial and tangential distortion, with nerfstudio's k4 r⁸."""
    square = x * x + y * y
    radial = 1 + square * (k1 + square * (k2 + square * (k3 + square * k4)))
    slope = k1 + square * (2 * k2 + square * (3 * k3 + square * 4 * k4))
    return _bend(x, y, square, radial, slope, p1, p2)


def bend_full_opencv(
    x: Values, y: Values, k1: Values, k2: Values, p1: Values, p2: Values,
    k3: Values, k4: Values, k5: Values, k6: Values,
) -> Bent:  # fmt: skip
    """Return points moved by OpenCV's rational model: k1, k2, k3 over k4, k5, k6, and p1, p2."""
    square = x * x + y * y
    upper = 1 + square * (k1 + square * (k2 + square * k3))
    lower = 1 + square * (k4 + square * (k5 + square * k6))
    upper_slope = k1 + square * (2 * k2 + square * 3 * k3)
    lower_slope = k4 + square * (2 * k5 + square * 3 * k6)
    slope = (upper_slope * lower - upper * lower_slope) / (lower * lower)
    return _bend(x, y, square, upper / lower, slope, p1, p2)


def bend_thin_prism(
    x: Values, y: Values, k1: Values, k2: Values, p1: Values, p2: Values,
    k3: Values, k4: Values, sx1: Values, sy1: Values,
) -> Bent:  # fmt: skip
    """Return points moved by OpenCV's polynomial and a thin prism."""
    square = x * x + y * y
    bent = bend_opencv(x, y, k1, k2, p1, p2, k3, k4)
    return Bent(
        bent.x + sx1 * square,
        bent.y + sy1 * square,
        bent.xx + 2 * (sx1 * x),
        bent.xy + 2 * (sx1 * y),
        bent.yx + 2 * (sy1 * x),
        bent.yy + 2 * (sy1 * y),
    )


def bend_rad_tan_thin_prism(
    u: Values, v: Values, k0: Values, k1: Values, k2: Values, k3: Values, k4: Values, k5: Values,
    p0: Values, p1: Values, s0: Values, s1: Values, s2: Values, s3: Values,
) -> Bent:  # fmt: skip
    """Return points moved by a radial polynomial, then by tangential and prism terms.

    COLMAP's p0 and p1 are OpenCV's p2 and p1.
    """
    square = u * u + v * v
    radial, slope = 1, 0
    for power, k in enumerate((k0, k1, k2, k3, k4, k5), 1):
        radial = radial + k * square**power
        slope = slope + power * k * square ** (power - 1)
    uu, uv, vv = radial + 2 * u * u * slope, 2 * u * v * slope, radial + 2 * v * v * slope
    x, y = u * radial, v * radial
    r2 = x * x + y * y
    prism_x, prism_y = s0 + 2 * s1 * r2, s2 + 2 * s3 * r2  # slopes by r²
    xx = 1 + 2 * p1 * y + 6 * p0 * x + 2 * x * prism_x
    xy = 2 * p1 * x + 2 * p0 * y + 2 * y * prism_x
    yx = 2 * p0 * y + 2 * p1 * x + 2 * x * prism_y
    yy = 1 + 2 * p0 * x + 6 * p1 * y + 2 * y * prism_y
    return Bent(
        x + 2 * p1 * x * y + p0 * (r2 + 2 * x * x) + (s0 + s1 * r2) * r2,
        y + 2 * p0 * x * y + p1 * (r2 + 2 * y * y) + (s2 + s3 * r2) * r2,
        xx * uu + xy * uv,
        xx * uv + xy * vv,
        yx * uu + yy * uv,
        yx * uv + yy * vv,
    )


def fisheye_radius(
    angle: Values, k1: Values, k2: Values, k3: Values, k4: Values
) -> tuple[Values, Values]:
    """Return the radius at which OpenCV's fisheye shows an angle from the axis, and its slope.

    Parameters
    ----------
    angle : array
        Radians.
    k1, k2, k3, k4 : number or array
    """
    square = angle * angle
    radius = angle * (1 + square * (k1 + square * (k2 + square * (k3 + square * k4))))
    slope = 1 + square * (3 * k1 + square * (5 * k2 + square * (7 * k3 + square * 9 * k4)))
    return radius, slope


def ftheta_angle(
    radius: Values, a0: Values, a2: Values, a3: Values, a4: Values
) -> tuple[Values, Values]:
    """Return the angle from the axis that an F-theta lens shows at a radius, and its slope.

    Parameters
    ----------
    radius : array
        Focal lengths.
    a0, a2, a3, a4 : number or array
    """
    angle = a0 + radius * (1 + radius * (a2 + radius * (a3 + radius * a4)))
    slope = 1 + radius * (2 * a2 + radius * (3 * a3 + radius * 4 * a4))
    return angle, slope


def _bend(
    x: Values, y: Values, square: Values, radial: Values, slope: Values, p1: Values, p2: Values
) -> Bent:
    """Return points moved by a radial factor (with slope by r²) and OpenCV's tangential terms."""
    xy = 2 * x * y * slope + 2 * p1 * x + 2 * p2 * y
    return Bent(
        x * radial + 2 * p1 * x * y + p2 * (square + 2 * x * x),
        y * radial + 2 * p2 * x * y + p1 * (square + 2 * y * y),
        radial + 2 * x * x * slope + 2 * p1 * y + 6 * p2 * x,
        xy,
        xy,
        radial + 2 * y * y * slope + 2 * p2 * x + 6 * p1 * y,
    )


def _pinhole(x: np.ndarray, y: np.ndarray, z: np.ndarray) -> Plane:
    ahead = np.where(z > 0, z, np.nan)
    return x / ahead, y / ahead


def _perspective(bend: Callable[..., Bent]) -> Callable[..., Plane]:
    """Return a lens that bends the image of a pinhole."""

    def show(x: np.ndarray, y: np.ndarray, z: np.ndarray, *coefficients: float) -> Plane:
        return bend(*_pinhole(x, y, z), *coefficients)[:2]

    return show


def _bent_fisheye(bend: Callable[..., Bent]) -> Callable[..., Plane]:
    """Return a lens that bends the image of an equidistant fisheye."""

    def show(x: np.ndarray, y: np.ndarray, z: np.ndarray, *coefficients: float) -> Plane:
        return bend(*_fisheye(x, y, z, 0.0, 0.0, 0.0, 0.0), *coefficients)[:2]

    return show


def _fisheye(
    x: np.ndarray, y: np.ndarray, z: np.ndarray, k1: float, k2: float, k3: float, k4: float
) -> Plane:
    across = np.hypot(x, y)
    radius, _ = fisheye_radius(np.arctan2(across, z), k1, k2, k3, k4)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(across > 0, radius / across, 1 / z)
        return x * ratio, y * ratio


def _fov(x: np.ndarray, y: np.ndarray, z: np.ndarray, omega: float) -> Plane:
    """Return the model of Devernay and Faugeras: r -> atan(2 r tan(omega / 2)) / omega.

    COLMAP uses a series for an omega below 0.01; this is the exact model.
    """
    x, y = _pinhole(x, y, z)
    omega = abs(omega)
    if omega < 1e-8:
        return x, y
    radius, stretch = np.hypot(x, y), 2 * np.tan(omega / 2)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(
            radius > 0, np.arctan(radius * stretch) / (radius * omega), stretch / omega
        )
    return x * ratio, y * ratio


def _division(x: np.ndarray, y: np.ndarray, z: np.ndarray, k: float) -> Plane:
    """Return Fitzgibbon's division model, by which x / (1 + k r²) is the position of a pinhole."""
    with np.errstate(divide="ignore", invalid="ignore"):
        below = z + np.sqrt(z * z - 4 * k * (x * x + y * y))
        ratio = np.where(below > 0, 2 / below, np.nan)
    return x * ratio, y * ratio


def _eucm(x: np.ndarray, y: np.ndarray, z: np.ndarray, alpha: float, beta: float) -> Plane:
    """Return the enhanced unified camera model of Khomutenko, Garcia and Martinet."""
    with np.errstate(divide="ignore", invalid="ignore"):
        below = alpha * np.sqrt(beta * (x * x + y * y) + z * z) + (1 - alpha) * z
        ratio = np.where(below > 0, 1 / below, np.nan)
    return x * ratio, y * ratio


def _ftheta(
    x: np.ndarray, y: np.ndarray, z: np.ndarray, a0: float, a2: float, a3: float, a4: float
) -> Plane:
    """Return points at the radii where the polynomial equals their angle, by Newton's method."""
    across = np.hypot(x, y)
    angle = np.arctan2(across, z)
    radius = angle - a0
    for _ in range(FTHETA_STEPS):
        value, slope = ftheta_angle(radius, a0, a2, a3, a4)
        radius = radius - (value - angle) / np.where(np.abs(slope) < 1e-6, 1e-6, slope)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(across > 0, radius / across, 0.0)
    return x * ratio, y * ratio


def _equirectangular(x: np.ndarray, y: np.ndarray, z: np.ndarray) -> Plane:
    """Return longitude to the right and latitude downwards, in radians."""
    somewhere = (x != 0) | (y != 0) | (z != 0)
    longitude, latitude = np.arctan2(x, z), np.arctan2(y, np.hypot(x, z))
    return np.where(somewhere, longitude, np.nan), np.where(somewhere, latitude, np.nan)


LENS_MODELS = {
    "none": LensModel((), _pinhole),
    "opencv": LensModel(("k1", "k2", "p1", "p2", "k3", "k4"), _perspective(bend_opencv)),
    "opencv_fisheye": LensModel(("k1", "k2", "k3", "k4"), _fisheye),
    "full_opencv": LensModel(
        ("k1", "k2", "p1", "p2", "k3", "k4", "k5", "k6"), _perspective(bend_full_opencv)
    ),
    "fov": LensModel(("omega",), _fov),
    "thin_prism_fisheye": LensModel(
        ("k1", "k2", "p1", "p2", "k3", "k4", "sx1", "sy1"), _bent_fisheye(bend_thin_prism)
    ),
    "rad_tan_thin_prism_fisheye": LensModel(
        ("k0", "k1", "k2", "k3", "k4", "k5", "p0", "p1", "s0", "s1", "s2", "s3"),
        _bent_fisheye(bend_rad_tan_thin_prism),
    ),
    "division": LensModel(("k",), _division),
    "eucm": LensModel(("alpha", "beta"), _eucm),
    "ftheta": LensModel(("a0", "a2", "a3", "a4"), _ftheta),
    "equirectangular": LensModel((), _equirectangular),
}
"""Lens models by their `Camera.distortion_model`; rays number them in this order."""

COEFFICIENTS = {name: lens.coefficients for name, lens in LENS_MODELS.items()}
"""Distortion coefficients of each model, in COLMAP's order."""

COLMAP_LENSES = {
    "SIMPLE_PINHOLE": "none",
    "PINHOLE": "none",
    "SIMPLE_RADIAL": "opencv",
    "RADIAL": "opencv",
    "OPENCV": "opencv",
    "OPENCV_FISHEYE": "opencv_fisheye",
    "FULL_OPENCV": "full_opencv",
    "FOV": "fov",
    "SIMPLE_RADIAL_FISHEYE": "opencv_fisheye",
    "RADIAL_FISHEYE": "opencv_fisheye",
    "THIN_PRISM_FISHEYE": "thin_prism_fisheye",
    "RAD_TAN_THIN_PRISM_FISHEYE": "rad_tan_thin_prism_fisheye",
    "SIMPLE_DIVISION": "division",
    "DIVISION": "division",
    "SIMPLE_FISHEYE": "opencv_fisheye",
    "FISHEYE": "opencv_fisheye",
    "EUCM": "eucm",
    "EQUIRECTANGULAR": "equirectangular",
}
"""Lens models by the names of COLMAP's camera models."""

UNBENT = ("opencv", "full_opencv", "fov", "division")
"""Lens models that are a pinhole's without coefficients."""
