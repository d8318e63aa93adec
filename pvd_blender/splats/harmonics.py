"""Real spherical harmonics up to degree 4, and turning their coefficients by a rotation.

Ordering and signs are those of 3DGS, of the engine and of Blender's splat objects.
"""

import math

import numpy as np

HIGHEST_DEGREE = 4
SH_0 = 0.28209479177387814
"""Harmonic of degree 0, the same in all directions: 1 / (2 sqrt(pi))."""

DIRECTIONS = 64
"""Directions on which the harmonics are compared; many more than the nine of band 4."""

ROUNDING = 1e-12
"""Distance from a whole number below which an entry is one: axes that swap stay exact."""


def spherical_harmonics(directions: np.ndarray, degree: int) -> np.ndarray:
    """Return the real spherical harmonics of unit directions.

    Parameters
    ----------
    directions : (N, 3) array
        Unit vectors.
    degree : int
        0 to `HIGHEST_DEGREE`.

    Returns
    -------
    (N, (degree + 1)**2) array
    """
    x, y, z = np.asarray(directions).T
    xx, yy, zz, xy, yz, xz = x * x, y * y, z * z, x * y, y * z, x * z
    across = xx + yy
    c = 0.4886025119029199
    bands = [
        [np.full_like(x, SH_0)],
        [-c * y, c * z, -c * x],
        [
            1.0925484305920792 * xy,
            -1.0925484305920792 * yz,
            0.31539156525252005 * (2 * zz - across),
            -1.0925484305920792 * xz,
            0.5462742152960396 * (xx - yy),
        ],
        [
            -0.5900435899266435 * y * (3 * xx - yy),
            2.890611442640554 * xy * z,
            -0.4570457994644658 * y * (4 * zz - across),
            0.3731763325901154 * z * (2 * zz - 3 * across),
            -0.4570457994644658 * x * (4 * zz - across),
            1.445305721320277 * z * (xx - yy),
            -0.5900435899266435 * x * (xx - 3 * yy),
        ],
        [
            2.5033429417967046 * xy * (xx - yy),
            -1.7701307697799304 * yz * (3 * xx - yy),
            0.9461746957575601 * xy * (6 * zz - across),
            -0.6690465435572892 * yz * (4 * zz - 3 * across),
            0.10578554691520431 * (8 * zz * zz - 24 * zz * across + 3 * across * across),
            -0.6690465435572892 * xz * (4 * zz - 3 * across),
            0.47308734787878004 * (xx - yy) * (6 * zz - across),
            -1.7701307697799304 * xz * (xx - 3 * yy),
            0.6258357354491761 * (xx * (xx - 3 * yy) - yy * (3 * xx - yy)),
        ],
    ]
    return np.stack([values for band in bands[: degree + 1] for values in band], axis=-1)


def degree_of(coefficients: np.ndarray) -> int:
    """Return the degree of coefficients (N, (degree + 1)**2, C)."""
    return math.isqrt(coefficients.shape[1]) - 1


def band_matrices(rotation: np.ndarray, degree: int) -> list[np.ndarray]:
    """Return for each band the matrix that turns its coefficients.

    A function f(d) = sum of Y_i(d) c_i becomes f(rotation^T d), which looks as f does after its
    scene has been turned. The harmonics of a band at turned directions are a linear combination of
    those at the directions themselves, so a least-squares fit finds it to rounding.

    Parameters
    ----------
    rotation : (3, 3) array
        Orthogonal; with determinant -1 it reflects.
    degree : int
        0 to `HIGHEST_DEGREE`.

    Returns
    -------
    list of (2 l + 1, 2 l + 1) float64 arrays
        For l = 0 to `degree`; the new coefficients are ``matrix @ coefficients``.
    """
    directions = _spread_directions()
    plain = spherical_harmonics(directions, degree)
    turned = spherical_harmonics(directions @ np.asarray(rotation, np.float64), degree)
    matrices = []
    for band in range(degree + 1):
        columns = slice(band**2, (band + 1) ** 2)
        matrix = np.linalg.lstsq(plain[:, columns], turned[:, columns], rcond=None)[0]
        whole = matrix.round()
        matrices.append(np.where(np.abs(matrix - whole) < ROUNDING, whole, matrix))
    return matrices


def turned_coefficients(coefficients: np.ndarray, rotation: np.ndarray) -> np.ndarray:
    """Return coefficients (N, (degree + 1)**2, C) float32 turned as in `band_matrices`."""
    turned = coefficients.copy()
    for band, matrix in enumerate(band_matrices(rotation, degree_of(coefficients))):
        rows = slice(band**2, (band + 1) ** 2)
        turned[:, rows] = matrix.astype(np.float32) @ coefficients[:, rows]
    return turned


def _spread_directions() -> np.ndarray:
    """Return unit vectors (DIRECTIONS, 3), float64, evenly over the sphere by a spiral."""
    index = np.arange(DIRECTIONS) + 0.5
    z = 1 - 2 * index / DIRECTIONS
    angle = math.pi * (1 + 5**0.5) * index
    radius = np.sqrt(1 - z * z)
    return np.stack([radius * np.cos(angle), radius * np.sin(angle), z], axis=-1)
