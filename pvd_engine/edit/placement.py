"""Placements of the parts of a merged field: a turn, an even scale and a move."""

import math

import numpy as np
import torch
from torch import Tensor, nn

LARGEST_OFFSET = 1e9
"""Largest move; larger ones would overflow float32 when squared."""

SCALES = (1e-6, 1e6)
"""Smallest and largest scale."""

TOLERANCE = 1e-4
"""Largest deviation of a matrix from a similarity, by its scale: Blender's are float32."""


class InvalidPlacementError(ValueError):
    """A matrix that is no placement; the message begins with the verb of the reason."""


class Placement(nn.Module):
    """A similarity transform from a part's dataset frame into the merged frame.

    Parameters
    ----------
    matrix : (4, 4) array
        Rotation times an even scale, translation, and 0, 0, 0, 1 as last row.

    Attributes
    ----------
    scale : float
        Merged units per unit of the part.

    Raises
    ------
    InvalidPlacementError
        For a matrix that mirrors, shears, scales unevenly or is not finite.
    """

    inverse: Tensor
    turn_back: Tensor
    offset: Tensor

    def __init__(self, matrix: np.ndarray) -> None:
        super().__init__()
        matrix = np.asarray(matrix, np.float64)
        rotation, self.scale = _rotation_and_scale(matrix)
        self.matrix = matrix
        self.rotation = rotation
        self.is_identity = bool(np.array_equal(matrix, np.eye(4)))
        self.register_buffer("turn_back", torch.tensor(rotation.T, dtype=torch.float32))
        self.register_buffer("inverse", torch.tensor(rotation.T / self.scale, dtype=torch.float32))
        self.register_buffer("offset", torch.tensor(matrix[:3, 3], dtype=torch.float32))

    @classmethod
    def identity(cls) -> "Placement":
        """Return the placement that leaves a part where it is."""
        return cls(np.eye(4))

    def counted_from(self, part: np.ndarray, merged: np.ndarray) -> "Placement":
        """Return the placement of positions that are counted from other origins.

        The exact matrix is used, whose rotation may have the small errors of float32: far from the
        origin they would move a part.

        Parameters
        ----------
        part, merged : (3,) float64 array
            Origins in the part's frame and in the merged one.
        """
        matrix = self.matrix.copy()
        matrix[:3, 3] += matrix[:3, :3] @ part - merged
        return Placement(matrix)

    def into_part(self, points: Tensor) -> Tensor:
        """Return points (N, 3) of the merged frame in the part's frame."""
        return points if self.is_identity else (points - self.offset) @ self.inverse.T

    def turn_into_part(self, directions: Tensor) -> Tensor:
        """Return unit directions (N, 3) of the merged frame in the part's frame."""
        return directions if self.is_identity else directions @ self.turn_back.T

    def place(self, points: np.ndarray) -> np.ndarray:
        """Return points (N, 3) float64 of the part's frame in the merged frame."""
        return points @ self.matrix[:3, :3].T + self.matrix[:3, 3]


def _rotation_and_scale(matrix: np.ndarray) -> tuple[np.ndarray, float]:
    """Return the rotation (3, 3) and scale of a similarity (4, 4)."""
    if matrix.shape != (4, 4):
        raise InvalidPlacementError("must be 4 lists of 4 numbers")
    if not np.isfinite(matrix).all():
        raise InvalidPlacementError("holds a value that is not a finite number")
    if not np.array_equal(matrix[3], (0.0, 0.0, 0.0, 1.0)):
        raise InvalidPlacementError("must have 0, 0, 0, 1 as its last row")
    if np.abs(matrix).max() > LARGEST_OFFSET:
        raise InvalidPlacementError(f"holds a value beyond {LARGEST_OFFSET:g}")
    linear = matrix[:3, :3]
    determinant = float(np.linalg.det(linear))
    if determinant < 0:
        raise InvalidPlacementError("mirrors; use a matrix that only turns, scales and moves")
    scale = math.cbrt(determinant)
    if not SCALES[0] <= scale <= SCALES[1]:
        raise InvalidPlacementError(f"must scale by {SCALES[0]:g} to {SCALES[1]:g}")
    if np.abs(linear.T @ linear / scale**2 - np.eye(3)).max() > TOLERANCE:
        raise InvalidPlacementError("shears or scales unevenly; scale all axes alike")
    left, _, right = np.linalg.svd(linear)
    return left @ right, scale
