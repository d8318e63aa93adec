"""Quaternions by their three smallest components: the largest follows from the unit length."""

import numpy as np

LARGEST_SMALL = 0.5**0.5
"""Largest absolute value of a component that is not the largest one."""


def restored(index: np.ndarray, three: np.ndarray) -> np.ndarray:
    """Return quaternions (N, 4) float64.

    Parameters
    ----------
    index : (N,) array of whole numbers 0 to 3
        Position of the largest component, which is not negative.
    three : (N, 3) array
        The others, in the order in which they stand.
    """
    others = _others()[index]
    quaternions = np.empty((len(index), 4))
    rows = np.arange(len(index))
    quaternions[rows[:, None], others] = three
    quaternions[rows, index] = np.sqrt(np.maximum(1 - (three.astype(np.float64) ** 2).sum(1), 0))
    return quaternions


def reduced(quaternions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the inverse of `restored`: the positions (N,), and the other components (N, 3)."""
    rows = np.arange(len(quaternions))
    index = np.abs(quaternions).argmax(axis=1)
    sign = np.where(quaternions[rows, index] < 0, -1.0, 1.0)
    return index, quaternions[rows[:, None], _others()[index]] * sign[:, None]


def _others() -> np.ndarray:
    """Return for each position 0 to 3 the three other ones."""
    return np.array([[other for other in range(4) if other != index] for index in range(4)])
