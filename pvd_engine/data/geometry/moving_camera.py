"""The pose of a camera that moves while its image is taken."""

import math

import numpy as np


def pose_between(start: np.ndarray, end: np.ndarray, time: float) -> np.ndarray:
    """Return the pose at a time of a camera that moves and turns evenly.

    Parameters
    ----------
    start, end : (3, 4) float64 array
        Camera-to-world at time 0 and 1, with rotations in the left 3x3 part.
    time : float

    Returns
    -------
    (3, 4) float64 array
    """
    turn = start[:, :3].T @ end[:, :3]
    axis = np.array([turn[2, 1] - turn[1, 2], turn[0, 2] - turn[2, 0], turn[1, 0] - turn[0, 1]])
    length = float(np.linalg.norm(axis))
    angle = math.atan2(length, float(np.trace(turn)) - 1) * time
    x, y, z = axis / length if length > 0 else axis  # two opposite ways lead half a turn round
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    part = np.eye(3) + math.sin(angle) * cross + (1 - math.cos(angle)) * cross @ cross
    position = (1 - time) * start[:, 3] + time * end[:, 3]
    return np.column_stack([start[:, :3] @ part, position])
