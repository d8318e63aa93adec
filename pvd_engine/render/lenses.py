"""Lens models backwards: points of the image plane -> directions in camera axes, on any device.

Each lens is written forwards in `pvd_engine.data.projection`; here it is inverted, by Newton's
method where there is no closed form, so a ray starts exactly where the projection would put its
points. Image-plane coordinates are in focal lengths from the principal point.
"""

from collections.abc import Callable

import torch

from ..data.intrinsics import COEFFICIENTS

NONE, OPENCV, FISHEYE, FULL_OPENCV, FOV, THIN_PRISM = range(6)
MODELS = {
    "none": NONE,
    "opencv": OPENCV,
    "opencv_fisheye": FISHEYE,
    "full_opencv": FULL_OPENCV,
    "fov": FOV,
    "thin_prism_fisheye": THIN_PRISM,
}
"""Number of each `Camera.distortion_model` in tensors."""

NEWTON_STEPS = 12
"""Real lenses need 4 to 6 (convergence is quadratic); the rest serves corners of strong ones."""

TOLERANCE = 1e-10
"""In focal lengths: a millionth of a pixel for the longest lens."""

MAX_FISHEYE_ANGLE = torch.pi
"""Beyond this angle from the axis a fisheye polynomial has no meaning."""

MAX_FOV_ANGLE = 0.5 * torch.pi - 1e-6
"""A FOV lens shows a quarter turn at infinity; image points beyond it look along that circle."""

Residual = Callable[[torch.Tensor, torch.Tensor, torch.Tensor], tuple[torch.Tensor, torch.Tensor]]
"""(points, goal, coefficients) -> distorted points minus goal, and the Jacobian xx, xy, yx, yy."""


def lens_directions(model: int, plane: torch.Tensor, coefficients: torch.Tensor) -> torch.Tensor:
    """Directions for points of the image plane of cameras of one lens model.

    Parameters
    ----------
    model : int
        Of `MODELS`.
    plane : (N, 2) float64 tensor
        x right, y up, in focal lengths.
    coefficients : (N, K) float64 tensor
        In the order of `COEFFICIENTS`; columns beyond the model's own are not looked at.

    Returns
    -------
    (N, 3) float64 tensor
        OpenGL camera axes (looking down -z), of any length.
    """
    ahead = -torch.ones_like(plane[:, :1])
    if model == NONE:
        return torch.cat([plane, ahead], dim=1)
    if model == FISHEYE:
        return _fisheye_direction(plane, coefficients[:, :4])
    flip = plane.new_tensor([1.0, -1.0])
    down = plane * flip
    if model == THIN_PRISM:
        return _thin_prism_direction(undistort_thin_prism(down, coefficients[:, :8]) * flip)
    if model == OPENCV:
        straight = undistort_opencv(down, coefficients[:, :6])
    elif model == FULL_OPENCV:
        straight = undistort_full_opencv(down, coefficients[:, :8])
    else:
        straight = undistort_fov(down, coefficients[:, 0])
    return torch.cat([straight * flip, ahead], dim=1)


def undistort_opencv(distorted: torch.Tensor, coefficients: torch.Tensor) -> torch.Tensor:
    """Invert the OpenCV lens model (with nerfstudio's k4 r⁸ term) by damped Newton steps.

    Parameters
    ----------
    distorted : (N, 2) float64 tensor
        Image plane coordinates, OpenCV axes (y down).
    coefficients : (N, 6) float64 tensor
        k1, k2, p1, p2, k3, k4.

    Returns
    -------
    (N, 2) float64 tensor
    """
    return _newton(_opencv_residual, distorted, coefficients)


def undistort_full_opencv(distorted: torch.Tensor, coefficients: torch.Tensor) -> torch.Tensor:
    """Invert OpenCV's rational lens model by damped Newton steps.

    Parameters
    ----------
    distorted : (N, 2) float64 tensor
        Image plane coordinates, OpenCV axes (y down).
    coefficients : (N, 8) float64 tensor
        k1, k2, p1, p2, k3, k4, k5, k6.

    Returns
    -------
    (N, 2) float64 tensor
    """
    return _newton(_full_opencv_residual, distorted, coefficients)


def undistort_thin_prism(distorted: torch.Tensor, coefficients: torch.Tensor) -> torch.Tensor:
    """Invert the polynomial of the thin-prism fisheye by damped Newton steps.

    Parameters
    ----------
    distorted : (N, 2) float64 tensor
        Image plane coordinates, OpenCV axes (y down).
    coefficients : (N, 8) float64 tensor
        k1, k2, p1, p2, k3, k4, sx1, sy1.

    Returns
    -------
    (N, 2) float64 tensor
        Of the ideal equidistant fisheye: their length is the angle from the axis in radians.
    """
    return _newton(_thin_prism_residual, distorted, coefficients)


def undistort_fov(distorted: torch.Tensor, omega: torch.Tensor) -> torch.Tensor:
    """Invert the FOV lens model (Devernay and Faugeras), which has a closed form.

    Parameters
    ----------
    distorted : (N, 2) float64 tensor
        Image plane coordinates.
    omega : (N,) float64 tensor
        The lens's field of view in radians; 0 is a pinhole.

    Returns
    -------
    (N, 2) float64 tensor
        At depth 1.
    """
    omega = omega.abs()
    radius = torch.linalg.vector_norm(distorted, dim=1)
    angle = (radius * omega).clamp(max=MAX_FOV_ANGLE)
    stretch = 2 * torch.tan(0.5 * omega) * radius
    # tan(radius omega) / (2 tan(omega / 2) radius) tends to 1 with omega, and at the centre to
    # omega / (2 tan(omega / 2)).
    center = torch.where(omega > 1e-8, omega / (2 * torch.tan(0.5 * omega)), 1.0)
    ratio = torch.where(stretch.abs() > 1e-12, torch.tan(angle) / stretch, center)
    return distorted * ratio[:, None]


def undistort_fisheye(radius: torch.Tensor, coefficients: torch.Tensor) -> torch.Tensor:
    """Angle from the optical axis at a distance from the image's centre (OpenCV's fisheye model).

    Parameters
    ----------
    radius : (N,) float64 tensor
        Distance on the image plane in focal lengths.
    coefficients : (N, 4) float64 tensor
        k1 to k4.

    Returns
    -------
    (N,) float64 tensor
        Radians, at most `MAX_FISHEYE_ANGLE`.
    """
    k1, k2, k3, k4 = coefficients.unbind(dim=1)
    angle = radius.clamp(max=MAX_FISHEYE_ANGLE)
    for _ in range(NEWTON_STEPS):
        square = angle * angle
        value = angle * (1 + square * (k1 + square * (k2 + square * (k3 + square * k4))))
        slope = 1 + square * (3 * k1 + square * (5 * k2 + square * (7 * k3 + square * 9 * k4)))
        step = (value - radius) / torch.where(slope.abs() < 1e-6, 1e-6, slope)
        angle = (angle - step.clamp(-0.5, 0.5)).clamp(0, MAX_FISHEYE_ANGLE)
    return angle


def coefficient_rows(models: list[str], distortions: list[dict[str, float]]) -> list[list[float]]:
    """Coefficients in the order of `COEFFICIENTS`, padded with zeros to rows of one length."""
    width = max(len(COEFFICIENTS[model]) for model in models)
    rows = []
    for model, distortion in zip(models, distortions, strict=True):
        row = [float(distortion.get(name, 0.0)) for name in COEFFICIENTS[model]]
        rows.append(row + [0.0] * (width - len(row)))
    return rows


def _newton(
    residual_at: Residual, distorted: torch.Tensor, coefficients: torch.Tensor
) -> torch.Tensor:
    """Find the points that a lens moves to `distorted`.

    A point moves only where that brings it nearer to its goal, so points beyond what the lens
    can show stay finite.
    """
    points = distorted.clone()
    residual, jacobian = residual_at(points, distorted, coefficients)
    damping = torch.ones_like(points[:, :1])
    for _ in range(NEWTON_STEPS):
        if points.numel() == 0 or float(residual.abs().max()) < TOLERANCE:
            break
        moved = points - damping * _solve_2x2(jacobian, residual)
        new_residual, new_jacobian = residual_at(moved, distorted, coefficients)
        better = (new_residual.square().sum(1) < residual.square().sum(1))[:, None]
        points = torch.where(better, moved, points)
        residual = torch.where(better, new_residual, residual)
        jacobian = torch.where(better, new_jacobian, jacobian)
        damping = torch.where(better, 1.0, 0.25 * damping)
    return points


def _opencv_residual(
    points: torch.Tensor, distorted: torch.Tensor, coefficients: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    k1, k2, p1, p2, k3, k4 = coefficients.unbind(dim=1)
    x, y = points.unbind(dim=1)
    square = x * x + y * y
    radial = 1 + square * (k1 + square * (k2 + square * (k3 + square * k4)))
    slope = k1 + square * (2 * k2 + square * (3 * k3 + square * 4 * k4))
    return _bent(x, y, square, radial, slope, p1, p2, distorted)


def _full_opencv_residual(
    points: torch.Tensor, distorted: torch.Tensor, coefficients: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    k1, k2, p1, p2, k3, k4, k5, k6 = coefficients.unbind(dim=1)
    x, y = points.unbind(dim=1)
    square = x * x + y * y
    upper = 1 + square * (k1 + square * (k2 + square * k3))
    lower = 1 + square * (k4 + square * (k5 + square * k6))
    upper_slope = k1 + square * (2 * k2 + square * 3 * k3)
    lower_slope = k4 + square * (2 * k5 + square * 3 * k6)
    slope = (upper_slope * lower - upper * lower_slope) / lower.square()
    return _bent(x, y, square, upper / lower, slope, p1, p2, distorted)


def _thin_prism_residual(
    points: torch.Tensor, distorted: torch.Tensor, coefficients: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    sx1, sy1 = coefficients[:, 6:].unbind(dim=1)
    x, y = points.unbind(dim=1)
    prism = torch.stack([sx1, sy1], dim=1) * points.square().sum(1, keepdim=True)
    residual, jacobian = _opencv_residual(points, distorted, coefficients[:, :6])
    slope = 2 * torch.stack([sx1 * x, sx1 * y, sy1 * x, sy1 * y], dim=1)
    return residual + prism, jacobian + slope


def _bent(
    x: torch.Tensor,
    y: torch.Tensor,
    square: torch.Tensor,
    radial: torch.Tensor,
    slope: torch.Tensor,
    p1: torch.Tensor,
    p2: torch.Tensor,
    distorted: torch.Tensor,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Residual and Jacobian of a radial factor, its slope by r², and tangential distortion."""
    residual_x = x * radial + 2 * p1 * x * y + p2 * (square + 2 * x * x) - distorted[:, 0]
    residual_y = y * radial + 2 * p2 * x * y + p1 * (square + 2 * y * y) - distorted[:, 1]
    xx = radial + 2 * x * x * slope + 2 * p1 * y + 6 * p2 * x
    xy = 2 * x * y * slope + 2 * p1 * x + 2 * p2 * y
    yy = radial + 2 * y * y * slope + 2 * p2 * x + 6 * p1 * y
    return torch.stack([residual_x, residual_y], dim=1), torch.stack([xx, xy, xy, yy], dim=1)


def _fisheye_direction(plane: torch.Tensor, coefficients: torch.Tensor) -> torch.Tensor:
    radius = torch.linalg.vector_norm(plane, dim=1)
    return _off_axis(plane, radius, undistort_fisheye(radius, coefficients))


def _thin_prism_direction(ideal: torch.Tensor) -> torch.Tensor:
    """Directions (y up) for points (y up) of an equidistant fisheye."""
    radius = torch.linalg.vector_norm(ideal, dim=1)
    return _off_axis(ideal, radius, radius.clamp(max=MAX_FISHEYE_ANGLE))


def _off_axis(plane: torch.Tensor, radius: torch.Tensor, angle: torch.Tensor) -> torch.Tensor:
    """Directions (N, 3) at angles (N,) from the axis, towards points (N, 2) at radii (N,)."""
    # sin(angle) / radius tends to 1 at the centre.
    sine = torch.where(radius > 1e-12, torch.sin(angle) / radius.clamp(min=1e-12), 1.0)
    return torch.cat([plane * sine[:, None], -torch.cos(angle)[:, None]], dim=1)


def _solve_2x2(matrix: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
    a, b, c, d = matrix.unbind(dim=1)
    determinant = a * d - b * c
    determinant = torch.where(determinant.abs() < 1e-9, 1e-9, determinant)
    x = (d * right[:, 0] - b * right[:, 1]) / determinant
    y = (a * right[:, 1] - c * right[:, 0]) / determinant
    return torch.stack([x, y], dim=1)
