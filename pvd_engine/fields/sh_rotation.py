"""Turning spherical-harmonics coefficients by a rotation or a reflection, exactly."""

import math

import torch
from torch import Tensor

from ..kernels.harmonics import spherical_harmonics

DIRECTIONS = 64
"""Directions on which the harmonics are compared; many more than the nine of band 4."""

ROUNDING = 1e-12
"""Distance from a whole number below which an entry is one: axes that swap stay exact."""


def band_matrices(rotation: Tensor, degree: int) -> list[Tensor]:
    """Return for each band the matrix that turns its coefficients.

    A function f(d) = sum of Y_i(d) c_i becomes f(rotation^T d), which looks as f does after its
    scene has been turned. The harmonics of a band at turned directions are a linear combination of
    those at the directions themselves, so a least-squares fit finds it to rounding.

    Parameters
    ----------
    rotation : (3, 3) tensor
        Orthogonal; with determinant -1 it reflects.
    degree : int
        0 to `HIGHEST_DEGREE`.

    Returns
    -------
    list of (2 l + 1, 2 l + 1) float64 tensors
        For l = 0 to `degree`, on the CPU; the new coefficients are ``matrix @ coefficients``.
    """
    directions = _spread_directions()
    plain = spherical_harmonics(directions, degree)
    turned = spherical_harmonics(directions @ rotation.double().cpu(), degree)
    matrices = []
    for band in range(degree + 1):
        columns = slice(band**2, (band + 1) ** 2)
        matrix = torch.linalg.lstsq(plain[:, columns], turned[:, columns]).solution
        whole = matrix.round()
        matrices.append(torch.where((matrix - whole).abs() < ROUNDING, whole, matrix))
    return matrices


def turned_coefficients(coefficients: Tensor, rotation: Tensor) -> Tensor:
    """Return coefficients (N, (degree + 1)**2, C) turned as in `band_matrices`."""
    degree = math.isqrt(coefficients.shape[1]) - 1
    turned = coefficients.clone()
    for band, matrix in enumerate(band_matrices(rotation, degree)):
        rows = slice(band**2, (band + 1) ** 2)
        turned[:, rows] = matrix.to(coefficients) @ coefficients[:, rows]
    return turned


def _spread_directions() -> Tensor:
    """Return unit vectors (DIRECTIONS, 3), float64, evenly over the sphere by a spiral."""
    index = torch.arange(DIRECTIONS, dtype=torch.float64) + 0.5
    z = 1 - 2 * index / DIRECTIONS
    angle = math.pi * (1 + 5**0.5) * index
    radius = (1 - z * z).sqrt()
    return torch.stack([radius * angle.cos(), radius * angle.sin(), z], dim=-1)
