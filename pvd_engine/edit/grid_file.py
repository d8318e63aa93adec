"""Density grids that come back from Blender (or anywhere) as ``.npz`` files."""

from pathlib import Path

import numpy as np

from ..errors import UserError
from ..fields.limits import MAX_CELLS
from ..files.array_input import HEADER_BYTES, read_npz
from .regions import GridRegion, InvalidRegionError

USUAL_CELLS = 1 << 24
"""Cells of a grid of which a file may be as small as it likes: 256 along each axis."""

CELLS_PER_BYTE, UNPACKED_PER_BYTE = 12, 64
"""Most cells, and most bytes unpacked, of a larger grid for each byte of its file. Volumes of real
scenes stay far below; a file of zeros of a few megabytes would unpack to gigabytes."""

KEYS = ("density", "original", "box")


def read_grid(path: Path, origin: np.ndarray) -> GridRegion:
    """Read a grid file as a region.

    Parameters
    ----------
    path : Path
        An ``.npz`` with ``density`` (X, Y, Z), ``box`` (2, 3) in the dataset frame and, optionally,
        ``original`` (X, Y, Z): the density before it was edited. Other arrays are not read.
    origin : (3,) float64 array
        Position in the dataset frame from which the region's positions are counted.

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
    density, original = arrays.pop("density"), arrays.get("original")
    if density.ndim != 3 or density.size == 0:
        raise InvalidRegionError(f"\"density\" of the grid '{path.name}' must have three axes")
    if density.size > cells_allowed(path.stat().st_size):
        raise InvalidRegionError(
            f"the grid '{path.name}' has far more cells than its file can hold; make it again"
        )
    if original is not None and original.shape != density.shape:
        raise InvalidRegionError(
            f'"original" of the grid \'{path.name}\' must have the shape of "density"'
        )
    for name, values in (("density", density), ("original", original), ("box", arrays["box"])):
        if values is None or values.size == 0:
            continue
        least, most = float(values.min()), float(values.max())
        if not (np.isfinite(least) and np.isfinite(most)):
            raise InvalidRegionError(f"\"{name}\" of the grid '{path.name}' holds NaN or infinity")
        if least < 0 and name != "box":
            raise InvalidRegionError(f"\"{name}\" of the grid '{path.name}' is negative somewhere")
    filled = filled_cells(density, original)
    box = np.asarray(arrays.pop("box"), np.float64)
    if box.shape == (2, 3):  # else the region says what is wrong
        box = box - origin
    del density, original, values, arrays  # large, and the region makes large tables
    return GridRegion(filled, box, path.name)


def cells_allowed(file_bytes: int) -> int:
    """Return the most cells of grids whose files have so many bytes in all."""
    return max(USUAL_CELLS, CELLS_PER_BYTE * file_bytes)


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
    from scipy.ndimage import distance_transform_edt

    known = filled | (original > 0)
    if not known.any():
        return filled
    nearest = distance_transform_edt(~known, return_distances=False, return_indices=True)
    return filled[tuple(np.asarray(nearest))]


def _load(path: Path) -> dict[str, np.ndarray]:
    try:
        size = path.stat().st_size if path.is_file() else 0
        most = min(max(USUAL_CELLS * 8, UNPACKED_PER_BYTE * size), MAX_CELLS * 8)
        return read_npz(path, KEYS.__contains__, most + HEADER_BYTES)
    except UserError as error:
        raise InvalidRegionError(str(error).removesuffix(".")) from error
