"""Two pictures side by side, and the map of their difference."""

import numpy as np

from .pictures import error_map, smaller, to_uint8

GAP = 4
"""Pixels between two pictures."""


def side_by_side(reference: np.ndarray, picture: np.ndarray) -> np.ndarray:
    """Return both pictures and the map of their difference, (h, w, 3) uint8, report-sized."""
    parts = [to_uint8(smaller(part)) for part in (reference, picture)]
    parts.append(error_map(picture, reference))
    gap = np.full((parts[0].shape[0], GAP, 3), 255, np.uint8)
    return np.concatenate([parts[0], gap, parts[1], gap, parts[2]], axis=1)
