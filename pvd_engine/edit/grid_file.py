"""Density grids that come back from Blender (or anywhere) as ``.npz`` files."""

from pathlib import Path

import numpy as np
from scipy.ndimage import distance_transform_edt

from ..errors import UserError
from ..fields.limits import MAX_CELLS
from ..files.array_input import HEADER_BYTES, read_npz
from .regions import GridRegion, InvalidRegionError

KEYS = ("density", "original", "box")


def read_grid(path: Path) -> GridRegion:
    """Read a grid file as a region.

    Parameters
    ----------
    path : Path
        An ``.npz`` with ``density`` (X, Y, Z), ``box`` (2, 3) in the dataset frame and, optionally,
        ``original`` (X, Y, Z): the density before it was edited. Other arrays are not read.

    Returns
    -------
    GridRegion
        The cells whose density is greater than zero; see `filled_cells` for ``original``.

    Raises
    ------
    InvalidRegionError
        Missing or damaged file, missing array, wrong shape, too many cells, NaN or negative
        density, a box without volume.
    """
    arrays = _load(path)
    for key in ("density", "box"):
        if key not in arrays:
            raise InvalidRegionError(f"the grid '{path.name}' holds no array \"{key}\"")
    density, original = arrays["density"], arrays.get("original")
    if density.ndim != 3 or density.size == 0:
        raise InvalidRegionError(f"\"density\" of the grid '{path.name}' must have three axes")
    if original is not None and original.shape != density.shape:
        raise InvalidRegionError(
            f'"original" of the grid \'{path.name}\' must have the shape of "density"'
        )
    for name, values in arrays.items():
        if not np.isfinite(values).all():
            raise InvalidRegionError(f"\"{name}\" of the grid '{path.name}' holds NaN or infinity")
    for name, values in (("density", density), ("original", original)):
        if values is not None and values.min() < 0:
            raise InvalidRegionError(f"\"{name}\" of the grid '{path.name}' is negative somewhere")
    return GridRegion(filled_cells(density, original), arrays["box"], path.name)


def filled_cells(density: np.ndarray, original: np.ndarray | None = None) -> np.ndarray:
    """Return the cells that belong to the region of a grid.

    Without `original`: those whose density is greater than zero. A volume drops what is too thin
    to see, so a keep by such a grid also erases the haze that the field has in empty cells.

    With `original`: cells that were empty already follow the nearest
    cell that was not. What the artist left alone keeps its haze, and what was cleared loses it.

    Parameters
    ----------
    density, original : (X, Y, Z) array

    Returns
    -------
    (X, Y, Z) bool array
    """
    filled = density > 0
    if original is None:
        return filled
    known = filled | (original > 0)
    if not known.any():
        return filled
    nearest = distance_transform_edt(~known, return_distances=False, return_indices=True)
    return filled[tuple(np.asarray(nearest))]


def _load(path: Path) -> dict[str, np.ndarray]:
    try:
        return read_npz(path, KEYS.__contains__, MAX_CELLS * 8 + HEADER_BYTES)
    except UserError as error:
        raise InvalidRegionError(str(error).removesuffix(".")) from error
