"""Inverse lens models: points of the image plane -> directions in camera axes, on any device.

`pvd_engine.data.geometry.lens_models` has the formulas. Where an inverse has no closed form,
Newton's method solves the same formula, so a ray passes exactly through the pixel to which its
points project. Image-plane coordinates are in focal lengths from the principal point.
"""

from collections.abc import Callable

import torch

from ..data.geometry.lens_models import (
    COEFFICIENTS,
    Bent,
    bend_full_opencv,
    bend_opencv,
    bend_rad_tan_thin_prism,
    bend_thin_prism,
    fisheye_radius,
    ftheta_angle,
)

MODELS = {name: number for number, name in enumerate(COEFFICIENTS)}
"""Number of each `Camera.distortion_model` in tensors."""

NONE = MODELS["none"]

NEWTON_STEPS = 12
"""Steps of Newton's method, upper bound. Real lenses need 4 to 6 (convergence is quadratic); the
corners of strong lenses need more."""

TOLERANCE = 1e-10
"""Distance to the goal, in focal lengths, at which the method stops: a millionth of a pixel for the
longest lens."""

MAX_FISHEYE_ANGLE = torch.pi
"""Angle from the axis, in radians, beyond which a fisheye polynomial has no meaning."""

MAX_FOV_ANGLE = 0.5 * torch.pi - 1e-6
"""Angle from the axis, in radians, to which image points of a FOV lens are clamped: a little less
than the quarter turn that lies at infinity."""

Lens = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
"""A function (points of the image plane, coefficients) -> directions, y up in both."""


def lens_directions(model: int, plane: torch.Tensor, coefficients: torch.Tensor) -> torch.Tensor:
    """Return directions for points of the image plane of cameras of one lens model.

    Parameters
    ----------
    model : int
        A number of `MODELS`.
    plane : (N, 2) float64 tensor
        x right, y up, in focal lengths.
    coefficients : (N, K) float64 tensor
        In the order of `COEFFICIENTS`; columns beyond the model's own are ignored.

    Returns
    -------
    (N, 3) float64 tensor
        OpenGL camera axes (looking down -z), of any length.
    """
    name = _NAMES[model]
    return _DIRECTIONS[name](plane, coefficients[:, : len(COEFFICIENTS[name])])


def coefficient_rows(models: list[str], distortions: list[dict[str, float]]) -> list[list[float]]:
    """Return coefficients in the order of `COEFFICIENTS`, rows padded with zeros to one length."""
    width = max(len(COEFFICIENTS[model]) for model in models)
    rows = []
    for model, distortion in zip(models, distortions, strict=True):
        row = [float(distortion.get(name, 0.0)) for name in COEFFICIENTS[model]]
        rows.append(row + [0.0] * (width - len(row)))
    return rows


def _unbent(
    bend: Callable[..., Bent], distorted: torch.Tensor, coefficients: torch.Tensor
) -> torch.Tensor:
    """Return the points (N, 2), y up, that a lens bends to `distorted`, by damped Newton steps.

    A point moves only when that reduces its error, so points beyond what the lens can show stay
    finite.
    """
    goal = _flipped(distorted)
    columns = coefficients.unbind(dim=1)

    def residual_at(points: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        bent = bend(*points.unbind(dim=1), *columns)
        return torch.stack([bent.x, bent.y], dim=1) - goal, torch.stack(bent[2:], dim=1)

    points = goal.clone()
    residual, jacobian = residual_at(points)
    damping = torch.ones_like(points[:, :1])
    for _ in range(NEWTON_STEPS):
        if points.numel() == 0 or float(residual.abs().max()) < TOLERANCE:
            break
        moved = points - damping * _solve_2x2(jacobian, residual)
        new_residual, new_jacobian = residual_at(moved)
        better = (new_residual.square().sum(1) < residual.square().sum(1))[:, None]
        points = torch.where(better, moved, points)
        residual = torch.where(better, new_residual, residual)
        jacobian = torch.where(better, new_jacobian, jacobian)
        damping = torch.where(better, 1.0, 0.25 * damping)
    return _flipped(points)


def _pinhole(plane: torch.Tensor, _: torch.Tensor) -> torch.Tensor:
    return torch.cat([plane, -torch.ones_like(plane[:, :1])], dim=1)


def _fov(plane: torch.Tensor, coefficients: torch.Tensor) -> torch.Tensor:
    omega = coefficients[:, 0].abs()
    radius = torch.linalg.vector_norm(plane, dim=1)
    angle = (radius * omega).clamp(max=MAX_FOV_ANGLE)
    stretch = 2 * torch.tan(0.5 * omega) * radius
    # tan(radius omega) / (2 tan(omega / 2) radius) tends to 1 with omega, and at the centre to
    # omega / (2 tan(omega / 2)).
    center = torch.where(omega > 1e-8, omega / (2 * torch.tan(0.5 * omega)), 1.0)
    ratio = torch.where(stretch.abs() > 1e-12, torch.tan(angle) / stretch, center)
    return _pinhole(plane * ratio[:, None], coefficients)


def _fisheye(plane: torch.Tensor, coefficients: torch.Tensor) -> torch.Tensor:
    radius = torch.linalg.vector_norm(plane, dim=1)
    columns = coefficients.unbind(dim=1)
    angle = radius.clamp(max=MAX_FISHEYE_ANGLE)
    for _ in range(NEWTON_STEPS):
        value, slope = fisheye_radius(angle, *columns)
        step = (value - radius) / torch.where(slope.abs() < 1e-6, 1e-6, slope)
        angle = (angle - step.clamp(-0.5, 0.5)).clamp(0, MAX_FISHEYE_ANGLE)
    return _off_axis(plane, radius, angle)


def _ftheta(plane: torch.Tensor, coefficients: torch.Tensor) -> torch.Tensor:
    radius = torch.linalg.vector_norm(plane, dim=1)
    angle, _ = ftheta_angle(radius, *coefficients.unbind(dim=1))
    return _off_axis(plane, radius, angle.clamp(0, MAX_FISHEYE_ANGLE))


def _division(plane: torch.Tensor, coefficients: torch.Tensor) -> torch.Tensor:
    ahead = 1 + coefficients * plane.square().sum(dim=1, keepdim=True)
    return torch.cat([plane, -ahead], dim=1)


def _eucm(plane: torch.Tensor, coefficients: torch.Tensor) -> torch.Tensor:
    alpha, beta = coefficients[:, :1], coefficients[:, 1:]
    square = beta * plane.square().sum(dim=1, keepdim=True)
    # Below zero beyond what the lens can show; such points get the direction of its last circle.
    root = (1 - (2 * alpha - 1) * square).clamp(min=0).sqrt()
    ahead = (1 - alpha * alpha * square) / (alpha * root + 1 - alpha).clamp(min=1e-9)
    return torch.cat([plane, -ahead], dim=1)


def _equirectangular(plane: torch.Tensor, _: torch.Tensor) -> torch.Tensor:
    longitude, latitude = plane.unbind(dim=1)
    across = torch.cos(latitude)
    return torch.stack(
        [torch.sin(longitude) * across, torch.sin(latitude), -torch.cos(longitude) * across], dim=1
    )


def _perspective(bend: Callable[..., Bent]) -> Lens:
    """Return a lens that bends the plane at depth 1."""

    def directions(plane: torch.Tensor, coefficients: torch.Tensor) -> torch.Tensor:
        return _pinhole(_unbent(bend, plane, coefficients), coefficients)

    return directions


def _equidistant(bend: Callable[..., Bent]) -> Lens:
    """Return a lens that bends the image of an equidistant fisheye."""

    def directions(plane: torch.Tensor, coefficients: torch.Tensor) -> torch.Tensor:
        ideal = _unbent(bend, plane, coefficients)
        radius = torch.linalg.vector_norm(ideal, dim=1)
        return _off_axis(ideal, radius, radius.clamp(max=MAX_FISHEYE_ANGLE))

    return directions


def _flipped(plane: torch.Tensor) -> torch.Tensor:
    """Return points with y up for points with y down, and the inverse."""
    return plane * plane.new_tensor([1.0, -1.0])


def _off_axis(plane: torch.Tensor, radius: torch.Tensor, angle: torch.Tensor) -> torch.Tensor:
    """Return directions (N, 3) at angles (N,) from the axis, to points (N, 2) at radii (N,)."""
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
    "opencv": _perspective(bend_opencv),
    "opencv_fisheye": _fisheye,
    "full_opencv": _perspective(bend_full_opencv),
    "fov": _fov,
    "thin_prism_fisheye": _equidistant(bend_thin_prism),
    "rad_tan_thin_prism_fisheye": _equidistant(bend_rad_tan_thin_prism),
    "division": _division,
    "eucm": _eucm,
    "ftheta": _ftheta,
    "equirectangular": _equirectangular,
}
"""Directions (N, 3) for points (N, 2), y up in both, of each lens model."""
