"""Lens models backwards: points of the image plane -> directions in camera axes, on any device.

Each lens is written forwards in `pvd_engine.data.projection`; here it is inverted, by Newton's
method where there is no closed form, so a ray starts exactly where the projection would put its
points. Image-plane coordinates are in focal lengths from the principal point.
"""

from collections.abc import Callable

import torch

from ..data.geometry.intrinsics import COEFFICIENTS

MODELS = {name: number for number, name in enumerate(COEFFICIENTS)}
"""Number of each `Camera.distortion_model` in tensors."""

NONE = MODELS["none"]

NEWTON_STEPS = 12
"""Real lenses need 4 to 6 (convergence is quadratic); the rest serves corners of strong ones."""

TOLERANCE = 1e-10
"""In focal lengths: a millionth of a pixel for the longest lens."""

MAX_FISHEYE_ANGLE = torch.pi
"""Beyond this angle from the axis a fisheye polynomial has no meaning."""

MAX_FOV_ANGLE = 0.5 * torch.pi - 1e-6
"""A FOV lens shows a quarter turn at infinity; image points beyond it look along that circle."""

Lens = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
"""(points of the image plane, coefficients) -> undistorted points, or directions."""

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
    name = _NAMES[model]
    return _DIRECTIONS[name](plane, coefficients[:, : len(COEFFICIENTS[name])])


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


def undistort_rad_tan_thin_prism(
    distorted: torch.Tensor, coefficients: torch.Tensor
) -> torch.Tensor:
    """Invert the polynomials of COLMAP's RAD_TAN_THIN_PRISM_FISHEYE by damped Newton steps.

    Parameters
    ----------
    distorted : (N, 2) float64 tensor
        Image plane coordinates, OpenCV axes (y down).
    coefficients : (N, 12) float64 tensor
        k0 to k5, p0, p1, s0 to s3.

    Returns
    -------
    (N, 2) float64 tensor
        Of the ideal equidistant fisheye: their length is the angle from the axis in radians.
    """
    return _newton(_rad_tan_thin_prism_residual, distorted, coefficients)


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


def _rad_tan_thin_prism_residual(
    points: torch.Tensor, distorted: torch.Tensor, coefficients: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """As the model has it: first the radial polynomial, then what follows in its points."""
    u, v = points.unbind(dim=1)
    square = u * u + v * v
    radial, slope = torch.ones_like(u), torch.zeros_like(u)
    for power, k in enumerate(coefficients[:, :6].unbind(dim=1), 1):
        radial = radial + k * square**power
        slope = slope + power * k * square ** (power - 1)
    uu, uv, vv = radial + 2 * u * u * slope, 2 * u * v * slope, radial + 2 * v * v * slope
    p0, p1, s0, s1, s2, s3 = coefficients[:, 6:].unbind(dim=1)
    x, y = u * radial, v * radial
    r2 = x * x + y * y
    prism_x, prism_y = s0 + 2 * s1 * r2, s2 + 2 * s3 * r2  # slopes by r²
    residual_x = x + 2 * p1 * x * y + p0 * (r2 + 2 * x * x) + (s0 + s1 * r2) * r2 - distorted[:, 0]
    residual_y = y + 2 * p0 * x * y + p1 * (r2 + 2 * y * y) + (s2 + s3 * r2) * r2 - distorted[:, 1]
    xx = 1 + 2 * p1 * y + 6 * p0 * x + 2 * x * prism_x
    xy = 2 * p1 * x + 2 * p0 * y + 2 * y * prism_x
    yx = 2 * p0 * y + 2 * p1 * x + 2 * x * prism_y
    yy = 1 + 2 * p0 * x + 6 * p1 * y + 2 * y * prism_y
    jacobian = [xx * uu + xy * uv, xx * uv + xy * vv, yx * uu + yy * uv, yx * uv + yy * vv]
    return torch.stack([residual_x, residual_y], dim=1), torch.stack(jacobian, dim=1)


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


def _pinhole(plane: torch.Tensor, _: torch.Tensor) -> torch.Tensor:
    return torch.cat([plane, -torch.ones_like(plane[:, :1])], dim=1)


def _fisheye(plane: torch.Tensor, coefficients: torch.Tensor) -> torch.Tensor:
    radius = torch.linalg.vector_norm(plane, dim=1)
    return _off_axis(plane, radius, undistort_fisheye(radius, coefficients))


def _ftheta(plane: torch.Tensor, coefficients: torch.Tensor) -> torch.Tensor:
    a0, a2, a3, a4 = coefficients.unbind(dim=1)
    radius = torch.linalg.vector_norm(plane, dim=1)
    angle = a0 + radius * (1 + radius * (a2 + radius * (a3 + radius * a4)))
    return _off_axis(plane, radius, angle.clamp(0, MAX_FISHEYE_ANGLE))


def _division(plane: torch.Tensor, coefficients: torch.Tensor) -> torch.Tensor:
    ahead = 1 + coefficients * plane.square().sum(dim=1, keepdim=True)
    return torch.cat([plane, -ahead], dim=1)


def _eucm(plane: torch.Tensor, coefficients: torch.Tensor) -> torch.Tensor:
    alpha, beta = coefficients[:, :1], coefficients[:, 1:]
    square = beta * plane.square().sum(dim=1, keepdim=True)
    # Below zero beyond what the lens can show, which then looks along that circle.
    root = (1 - (2 * alpha - 1) * square).clamp(min=0).sqrt()
    ahead = (1 - alpha * alpha * square) / (alpha * root + 1 - alpha).clamp(min=1e-9)
    return torch.cat([plane, -ahead], dim=1)


def _equirectangular(plane: torch.Tensor, _: torch.Tensor) -> torch.Tensor:
    longitude, latitude = plane.unbind(dim=1)
    across = torch.cos(latitude)
    return torch.stack(
        [torch.sin(longitude) * across, torch.sin(latitude), -torch.cos(longitude) * across], dim=1
    )


def _perspective(undistort: Lens) -> Lens:
    """A lens that bends the plane at depth 1, in OpenCV's axes."""

    def directions(plane: torch.Tensor, coefficients: torch.Tensor) -> torch.Tensor:
        return _pinhole(_flipped(undistort(_flipped(plane), coefficients)), coefficients)

    return directions


def _equidistant(undistort: Lens) -> Lens:
    """A lens that bends the image of an equidistant fisheye, in OpenCV's axes."""

    def directions(plane: torch.Tensor, coefficients: torch.Tensor) -> torch.Tensor:
        ideal = _flipped(undistort(_flipped(plane), coefficients))
        radius = torch.linalg.vector_norm(ideal, dim=1)
        return _off_axis(ideal, radius, radius.clamp(max=MAX_FISHEYE_ANGLE))

    return directions


def _flipped(plane: torch.Tensor) -> torch.Tensor:
    """Points with y up for points with y down, and back."""
    return plane * plane.new_tensor([1.0, -1.0])


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


_NAMES = tuple(MODELS)
_DIRECTIONS: dict[str, Lens] = {
    "none": _pinhole,
    "opencv": _perspective(undistort_opencv),
    "opencv_fisheye": _fisheye,
    "full_opencv": _perspective(undistort_full_opencv),
    "fov": _perspective(lambda plane, omega: undistort_fov(plane, omega[:, 0])),
    "thin_prism_fisheye": _equidistant(undistort_thin_prism),
    "rad_tan_thin_prism_fisheye": _equidistant(undistort_rad_tan_thin_prism),
    "division": _division,
    "eucm": _eucm,
    "ftheta": _ftheta,
    "equirectangular": _equirectangular,
}
"""Directions (N, 3) for points (N, 2), y up in both, of each lens model."""
