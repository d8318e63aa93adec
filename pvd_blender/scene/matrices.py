"""Matrices between Blender (float32) and numpy (float64).

Blender stores matrices in float32; everything here computes in float64 from their exact values.
"""

import numpy as np
from mathutils import Matrix

from ..errors import SceneError

SKEW_TOLERANCE = 1e-4
"""Largest relative difference from a similarity transform."""

IDENTITY = np.eye(4)


def to_numpy(matrix: Matrix) -> np.ndarray:
    """Return a Blender matrix as a float64 array of the same shape."""
    return np.array([list(row) for row in matrix], dtype=np.float64)


def to_blender(matrix: np.ndarray) -> Matrix:
    """Return a (3, 4) or (4, 4) array as Blender's 4x4 matrix."""
    full = np.eye(4)
    full[: len(matrix)] = matrix
    return Matrix(full.tolist())


def moved(matrix: np.ndarray, offset: np.ndarray) -> np.ndarray:
    """Return an affine matrix (3, 4) or (4, 4) with `offset` (3,) added to its translation."""
    result = np.array(matrix, np.float64)
    result[:3, 3] += offset
    return result


def apply(matrix: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Transform points (N, 3) by an affine 4x4 matrix."""
    return points @ matrix[:3, :3].T + matrix[:3, 3]


def uniform_scale(matrix: np.ndarray) -> float | None:
    """Return the scale of a similarity transform, or None when the matrix stretches or skews."""
    linear = matrix[:3, :3]
    gram = linear.T @ linear
    square = np.trace(gram) / 3
    if square <= 0 or np.abs(gram - square * np.eye(3)).max() > SKEW_TOLERANCE * square:
        return None
    return float(np.sqrt(square))


def pose_in_frame(world: np.ndarray, frame_world: np.ndarray, name: str) -> np.ndarray:
    """Return a camera's camera-to-world matrix in the frame of an object.

    Parameters
    ----------
    world : (4, 4) float64 array
        Camera-to-world matrix in Blender's world; its scale is ignored, as in Blender itself.
    frame_world : (4, 4) float64 array
        The frame's matrix in Blender's world: any translation, rotation and uniform scale.
    name : str
        The camera's name, for error messages.

    Raises
    ------
    SceneError
        When the frame is stretched or mirrored, or the camera is sheared or mirrored by its
        parents, because such a camera is no pinhole camera.
    """
    if uniform_scale(frame_world) is None or np.linalg.det(frame_world[:3, :3]) <= 0:
        raise SceneError(
            "The capture's frame is stretched or mirrored; give it one positive scale on all axes."
        )
    pose = np.linalg.inv(frame_world) @ world
    lengths = np.linalg.norm(pose[:3, :3], axis=0)
    if lengths.min() <= 0:
        raise SceneError(f"Camera '{name}' has a scale of zero; set its scale to 1.")
    # A camera of unit scale keeps its numbers exactly; rounding in a norm must not touch them.
    if np.abs(lengths - 1).max() > 1e-6:
        pose[:3, :3] /= lengths
    if uniform_scale(pose) is None or np.linalg.det(pose[:3, :3]) <= 0:
        raise SceneError(
            f"Camera '{name}' is sheared or mirrored by its scale or a parent's; apply the scale "
            "of its parents, or clear them and keep the transform."
        )
    return pose
