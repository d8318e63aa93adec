"""Matrices of untrusted files: shape, numbers and rotation are checked before use."""

from typing import Any

import numpy as np

from ...errors import UserError
from ...files.json_input import finite_number

ORTHOGONALITY_TOLERANCE = 1e-2
"""Largest element of RᵀR/s² − I for a rotation R that is written with few digits."""

EXACT_TOLERANCE = 1e-5
"""Largest deviation (a few float32 roundings) for which the file's own numbers stay unchanged."""


def matrix_3x4(value: Any, what: str, where: str) -> np.ndarray:
    """Return a 3x4 or 4x4 nested list as a (3, 4) float64 array.

    Raises
    ------
    UserError
        The matrix is missing, not finite, of another shape, or its last row is not (0, 0, 0, 1).
    """
    if value is None:
        raise UserError(f"{where}: {what} is missing; every camera needs one.")
    rows_fit = isinstance(value, list) and len(value) in (3, 4)
    if not rows_fit or not all(isinstance(row, list) and len(row) == 4 for row in value):
        raise UserError(f"{where}: {what} must have 4 rows of 4 numbers.")
    numbers = [
        [finite_number(entry, f"an entry of {what}", where) for entry in row] for row in value
    ]
    matrix = np.array(numbers, dtype=np.float64)
    if len(matrix) == 4 and not np.allclose(matrix[3], (0, 0, 0, 1), rtol=0, atol=1e-6):
        raise UserError(f"{where}: the last row of {what} must be 0, 0, 0, 1.")
    return matrix[:3]


def pose(value: Any, what: str, where: str) -> tuple[np.ndarray, str | None]:
    """Return a camera-to-world matrix whose 3x3 part is a rotation.

    A uniform scale is divided out. A rotation that is orthogonal only to a few digits is replaced
    by the nearest rotation. Numbers of the file that are exact to float32 stay unchanged.

    Returns
    -------
    matrix : (4, 4) float64 array
    change : str or None
        The change that was necessary, as part of a sentence (``"was scaled by 2"``).

    Raises
    ------
    UserError
        As `matrix_3x4`, or the 3x3 part is not a rotation (mirrored, sheared or zero).
    """
    rows = matrix_3x4(value, what, where)
    linear, translation = rows[:, :3], rows[:, 3]
    magnitude = np.abs(linear).max()
    if not 1e-12 < magnitude < 1e12 or np.abs(translation).max() > 1e12:
        raise UserError(f"{where}: {what} holds numbers too small or too large for a camera pose.")
    determinant = float(np.linalg.det(linear / magnitude))
    if determinant <= 0:
        kind = "mirrored" if determinant < 0 else "flat"
        raise UserError(f"{where}: the rotation of {what} is {kind}, which no camera pose can be.")
    scale = magnitude * determinant ** (1 / 3)
    deviation = float(np.abs(linear.T @ linear / scale**2 - np.eye(3)).max())
    if deviation > ORTHOGONALITY_TOLERANCE:
        raise UserError(
            f"{where}: the 3x3 part of {what} is not a rotation (off by {deviation:.2g}); "
            "sheared or unevenly scaled cameras cannot be read."
        )
    result = np.eye(4)
    result[:3] = rows
    changes = []
    if abs(scale - 1) > ORTHOGONALITY_TOLERANCE:
        changes.append(f"was scaled by {scale:.4g}")
    if changes or deviation > EXACT_TOLERANCE or abs(scale - 1) > EXACT_TOLERANCE:
        left, _, right = np.linalg.svd(linear)
        result[:3, :3] = left @ right
        if not changes:
            changes.append(f"was a rotation only to {max(deviation, abs(scale - 1)):.1g}")
    return result, changes[0] if changes else None
