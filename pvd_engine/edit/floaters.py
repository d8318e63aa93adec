"""Floaters: small parts of a field that hang in the air next to its large parts."""

import numpy as np
from scipy.ndimage import binary_dilation, label
from skimage.measure import marching_cubes

SOLID = 0.02
"""Optical thickness of a cell from which on it joins its neighbours to one part."""

FRINGE = 2
"""Cells around a part that belong to it, however thin they are."""

TOUCHING = np.ones((3, 3, 3), bool)
"""Cells that share a corner touch."""


def find_floaters(thickness: np.ndarray, below: float) -> np.ndarray:
    """Return the cells with density that belong to no large part.

    Parameters
    ----------
    thickness : (X, Y, Z) float array
        Density times the side of a cell.
    below : float
        Parts of fewer cells than this fraction of the largest part's float.

    Returns
    -------
    (X, Y, Z) bool array
    """
    labels = parts_of(thickness > SOLID)
    if not labels.any():
        return np.zeros(thickness.shape, bool)
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    large = sizes >= below * sizes.max()
    large[0] = False
    near = np.asarray(binary_dilation(large[labels], TOUCHING, iterations=FRINGE), bool)
    return (thickness > 0) & ~near


def parts_of(filled: np.ndarray) -> np.ndarray:
    """Return the number of each cell's part, from 1; 0 where nothing is: (X, Y, Z) int32."""
    labels = np.zeros(filled.shape, np.int32)
    label(filled, TOUCHING, output=labels)
    return labels


def surface(filled: np.ndarray, box: np.ndarray, cell: float) -> tuple[np.ndarray, np.ndarray]:
    """Return a closed surface around filled cells, a cell away from them.

    Parameters
    ----------
    filled : (X, Y, Z) bool array
    box : (2, 3) array
        Corners of the grid, dataset frame.
    cell : float
        Side of a cell.

    Returns
    -------
    vertices : (V, 3) float64
        Dataset frame.
    faces : (F, 3) int64
        Triangles that face outwards.
    """
    if not filled.any():
        return np.zeros((0, 3)), np.zeros((0, 3), np.int64)
    grown = binary_dilation(np.pad(filled, 2), TOUCHING)
    vertices, faces, _, _ = marching_cubes(grown.astype(np.float32), 0.5)
    # Values stand for the cells' centres, two cells before the grid's corner.
    vertices = box[0] + (vertices.astype(np.float64) - 1.5) * cell
    return vertices, faces.astype(np.int64)
