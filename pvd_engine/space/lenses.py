"""Inverse lens models: points of the image plane -> directions in camera axes, on any device.

`pvd_engine.data.geometry.lens_models` has the formulas. Where an inverse has no closed form,
Newton's method solves the same formula, so a ray passes exactly through the pixel to which its
points project. Image-plane coordinates are in focal lengths from the principal point.

How many steps the method takes is found out once for a lens, by `newton_steps`, and not in each
batch, where a device would be waited for after every step.
"""

import itertools
from collections.abc import Callable, Iterator

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
"""Distance to the goal, in focal lengths, that is near enough: a millionth of a pixel for the
longest lens."""

MAX_FISHEYE_ANGLE = torch.pi
"""Angle from the axis, in radians, beyond which a fisheye polynomial has no meaning."""

MAX_FOV_ANGLE = 0.5 * torch.pi - 1e-6
"""Angle from the axis, in radians, to which image points of a FOV lens are clamped: a little less
than the quarter turn that lies at infinity."""

Lens = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
"""A function (points of the image plane, coefficients) -> directions, y up in both."""

Bend = Callable[..., Bent]
"""A lens that bends points (x, y, coefficients), y down."""


def lens_directions(
    model: int, plane: torch.Tensor, coefficients: torch.Tensor, steps: int = NEWTON_STEPS
) -> torch.Tensor:
    """Return directions for points of the image plane of cameras of one lens model.

    Parameters
    ----------
    model : int
        A number of `MODELS`.
    plane : (N, 2) float64 tensor
        x right, y up, in focal lengths.
    coefficients : (N, K) float64 tensor
        In the order of `COEFFICIENTS`; columns beyond the model's own are ignored.
    steps : int
        Steps of Newton's method, where the model's inverse has no closed form.

    Returns
    -------
    (N, 3) float64 tensor
        OpenGL camera axes (looking down -z), of any length.
    """
    name = _NAMES[model]
    coefficients = coefficients[:, : len(COEFFICIENTS[name])]
    if name in _BENDS:
        bend, ahead = _BENDS[name]
        return ahead(_unbent(bend, plane, coefficients, steps), coefficients)
    return _DIRECTIONS[name](plane, coefficients)


def newton_steps(model: int, plane: torch.Tensor, coefficients: torch.Tensor) -> int:
    """Return the steps after which points of the image plane are found to `TOLERANCE`.

    Parameters are those of `lens_directions`, at least one point, for one of `ITERATED`. It is
    `NEWTON_STEPS` where some points are not found.
    """
    name = _NAMES[model]
    bend, _ = _BENDS[name]
    turns = _newton(bend, plane, coefficients[:, : len(COEFFICIENTS[name])])
    for step, (_, residual) in enumerate(itertools.islice(turns, NEWTON_STEPS)):
        if float(residual.abs().max()) < TOLERANCE:
            return step
    return NEWTON_STEPS


def coefficient_rows(models: list[str], distortions: list[dict[str, float]]) -> list[list[float]]:
    """Return coefficients in the order of `COEFFICIENTS`, rows padded with zeros to one length."""
    width = max(len(COEFFICIENTS[model]) for model in models)
    rows = []
    for model, distortion in zip(models, distortions, strict=True):
        row = [float(distortion.get(name, 0.0)) for name in COEFFICIENTS[model]]
        rows.append(row + [0.0] * (width - len(row)))
    return rows


def _unbent(
    bend: Bend, distorted: torch.Tensor, coefficients: torch.Tensor, steps: int
) -> torch.Tensor:
    """Return the points (N, 2), y up, that a lens bends to `distorted`."""
    points, _ = next(itertools.islice(_newton(bend, distorted, coefficients), steps, None))
    return _flipped(points)


def _newton(
    bend: Bend, distorted: torch.Tensor, coefficients: torch.Tensor
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Yield points (N, 2), y down, that a lens bends to `distorted`, y up, and their errors (N, 2).

    Each is one damped Newton step from the last; the first is `distorted` itself. A point moves
    only when that reduces its error, so points beyond what the lens can show stay finite.
    """
    goal = _flipped(distorted)
    columns = coefficients.unbind(dim=1)

    def residual_at(points: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        bent = bend(*points.unbind(dim=1), *columns)
        return torch.stack([bent.x, bent.y], dim=1) - goal, torch.stack(bent[2:], dim=1)

    points = goal.clone()
    residual, jacobian = residual_at(points)
    damping = torch.ones_like(points[:, :1])
    while True:
        yield points, residual
        moved = points - damping * _solve_2x2(jacobian, residual)
        new_residual, new_jacobian = residual_at(moved)
        better = (new_residual.square().sum(1) < residual.square().sum(1))[:, None]
        points = torch.where(better, moved, points)
        residual = torch.where(better, new_residual, residual)
        jacobian = torch.where(better, new_jacobian, jacobian)
        damping = torch.where(better, 1.0, 0.25 * damping)


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


def _equidistant(plane: torch.Tensor, _: torch.Tensor) -> torch.Tensor:
    radius = torch.linalg.vector_norm(plane, dim=1)
    return _off_axis(plane, radius, radius.clamp(max=MAX_FISHEYE_ANGLE))


def _flipped(plane: torch.Tensor) -> torch.Tensor:
    """Return points with y up for points with y down, and the inverse."""
    return torch.stack([plane[:, 0], -plane[:, 1]], dim=1)


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
    "opencv_fisheye": _fisheye,
    "fov": _fov,
    "division": _division,
    "eucm": _eucm,
    "ftheta": _ftheta,
    "equirectangular": _equirectangular,
}
"""Directions (N, 3) for points (N, 2), y up in both, of each lens model with a closed inverse."""

_BENDS: dict[str, tuple[Bend, Lens]] = {
    "opencv": (bend_opencv, _pinhole),
    "full_opencv": (bend_full_opencv, _pinhole),
    "thin_prism_fisheye": (bend_thin_prism, _equidistant),
    "rad_tan_thin_prism_fisheye": (bend_rad_tan_thin_prism, _equidistant),
}
"""How each other model bends the image of another lens: of a pinhole, or an equidistant fisheye."""

ITERATED = frozenset(_BENDS)
"""The models that are inverted by Newton's method."""
