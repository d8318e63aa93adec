"""The engine's volume as a `.vdb` file, with numpy and OpenVDB alone.

Blender's own Python also runs this file as a program, so that no window is blocked meanwhile:
``python volume_file.py ENGINE.npz NEW.vdb center 0 0 0``. Therefore it imports nothing of the
add-on.

For cells of size h whose first cell starts at `low`, the value of voxel i belongs to the middle of
its cell. Blender 5.0 and every other program draw it around index i, Blender before 5.0 from i to
i + 1; the grid's translation is chosen for the Blender that runs and the file says which.
"""

import importlib
import math
import sys
import tokenize
import zipfile
import zlib
from pathlib import Path
from types import ModuleType

import numpy as np

DENSITY = "density"
COLOR = "color"
DISPLAY = "display"
"""Grid that Solid mode draws: `display_color`."""

ORIGIN = "pvd_voxel_origin"
MODULES = ("openvdb", "pyopenvdb")
MOST_DENSITY = 65000.0
"""Largest density that is written: Blender renders volumes in half precision, up to 65504."""

MOST_NUMBERS = 3 << 29
"""Most numbers of an array: those of the colours of 2^29 cells."""

UNREADABLE = (OSError, EOFError, KeyError, ValueError, TypeError, MemoryError, OverflowError)
UNREADABLE += (RecursionError, NotImplementedError, zipfile.BadZipFile, zlib.error)
UNREADABLE += (SyntaxError, tokenize.TokenError)
"""What numpy and zipfile raise for files that are not what they should be."""

LEAST_DEPTH = 1e-3
"""Optical depth of the whole grid's diagonal below which a density counts as zero.

A ray loses a thousandth of its light there.
"""


DARKEST = 0.02
"""Colour that is added to all in Solid mode, so that black shows as grey."""


def import_openvdb() -> ModuleType | None:
    """Return the OpenVDB module, by its present name or its old one, or None without it."""
    for name in MODULES:
        try:
            return importlib.import_module(name)
        except ImportError:
            continue
    return None


def volume_arrays(
    npz_path: Path, frame_origin: np.ndarray
) -> tuple[np.ndarray, np.ndarray | None, np.ndarray]:
    """Return the grids of a Volume object for the engine's volume.

    Parameters
    ----------
    npz_path : Path
        ``density`` (X, Y, Z) extinction per dataset unit, ``color`` (X, Y, Z, 3) sRGB-encoded in
        [0, 1], ``box`` (2, 3) corners in the dataset frame; values at the middles of the cells.
    frame_origin : (3,) array
        Point of the dataset frame that the grids' space begins at.

    Returns
    -------
    tuple of (X, Y, Z), (X, Y, Z, 3) or None, and (2, 3) arrays
        Density, zero where it is invisible; linear colour; box.

    Raises
    ------
    ValueError
        When the file is no such volume, or has no density at all.
    """
    density, color, box = read_npz(npz_path)
    box = box - frame_origin
    diagonal = float(np.linalg.norm(box[1] - box[0]))
    density = np.where(density * diagonal < LEAST_DEPTH, 0.0, np.minimum(density, MOST_DENSITY))
    if not density.any():
        raise ValueError("The field is empty: there is no density to show as a volume.")
    if color is not None:
        density, color, box = with_border(density, srgb_to_linear(color), box)
        color = spread_color(color, density)
    return density, color, box


def read_npz(path: Path) -> tuple[np.ndarray, np.ndarray | None, np.ndarray]:
    """Read (density, color or None, box) of the engine's volume file; NaN becomes empty.

    Raises
    ------
    ValueError
        When the file is no such volume.
    """
    try:
        shapes = _shapes(path)
        fits = shapes["box"] in ((2, 3), (6,)) and len(shapes["density"]) == 3
        if not fits or shapes.get("color") not in (None, (*shapes["density"], 3)):
            raise ValueError("its arrays do not fit together")
        with np.load(path, allow_pickle=False) as data:
            density = np.nan_to_num(data["density"].astype(np.float32), nan=0.0)
            color = data["color"].astype(np.float32) if "color" in data else None
            box = data["box"].astype(np.float64).reshape(2, 3)
        if not np.isfinite(box).all() or not (box[0] < box[1]).all():
            raise ValueError("its box has no volume")
    except UNREADABLE as error:
        raise ValueError(f"{path} is not a volume of the engine ({error}).") from error
    return density, color, box


def _shapes(path: Path) -> dict[str, tuple[int, ...]]:
    """Return the shapes of the arrays of a file, compared with its size before any is read."""
    shapes = {}
    with zipfile.ZipFile(path) as archive:
        for name in {f"{key}.npy" for key in (DENSITY, COLOR, "box")} & {*archive.namelist()}:
            with archive.open(name) as file:
                if np.lib.format.read_magic(file) != (1, 0):
                    raise ValueError(f"'{name}' is of a version that the engine does not write")
                shape, _, kind = np.lib.format.read_array_header_1_0(file)
            count = math.prod(shape)
            if kind.kind not in "iuf" or min(shape, default=0) < 0 or count > MOST_NUMBERS:
                raise ValueError(f"'{name}' is no grid of numbers, or is too large")
            if count * kind.itemsize > archive.getinfo(name).file_size:
                raise ValueError(f"'{name}' ends too early")
            shapes[name.removesuffix(".npy")] = shape
    return shapes


def srgb_to_linear(values: np.ndarray) -> np.ndarray:
    """Decode sRGB values in [0, 1] (IEC 61966-2-1)."""
    values = np.clip(values, 0.0, 1.0)
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def linear_to_srgb(values: np.ndarray) -> np.ndarray:
    """Encode linear light, clipped to [0, 1], as sRGB (IEC 61966-2-1)."""
    values = np.clip(values, 0.0, 1.0)
    return np.where(values <= 0.0031308, values * 12.92, 1.055 * values ** (1 / 2.4) - 0.055)


def with_border(
    density: np.ndarray, color: np.ndarray, box: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Add an empty layer of cells around a grid whose outermost cells hold density.

    Returns
    -------
    tuple of (X, Y, Z), (X, Y, Z, 3) and (2, 3) arrays
        Density, colour, box; as they came when the outermost cells are empty.
    """
    if np.count_nonzero(density[1:-1, 1:-1, 1:-1]) == np.count_nonzero(density):
        return density, color, box
    cell = (box[1] - box[0]) / density.shape
    widths = ((1, 1), (1, 1), (1, 1))
    return (
        np.pad(density, widths),
        np.pad(color, (*widths, (0, 0))),
        np.stack([box[0] - cell, box[1] + cell]),
    )


def spread_color(color: np.ndarray, density: np.ndarray) -> np.ndarray:
    """Keep colour where there is density, and carry it one cell beyond.

    Renderers interpolate density and colour apart from each other. If the colour ended with the
    density, it would fade to black over the last half cell, exactly where a surface is seen.

    Parameters
    ----------
    color : (X, Y, Z, 3) array
    density : (X, Y, Z) array

    Returns
    -------
    (X, Y, Z, 3) float32 array
        The colour of cells with density; their density-weighted mean in empty cells that touch
        one, by a corner at least; zero elsewhere.
    """
    filled = density > 0
    padded = np.pad(density, 1)
    weights = np.pad(density[..., None] * color, ((1, 1), (1, 1), (1, 1), (0, 0)))
    touching = _any_neighbour(filled) & ~filled
    cells = np.argwhere(touching)
    mass, light = np.zeros(len(cells)), np.zeros((len(cells), 3))
    for shift in np.ndindex(3, 3, 3):
        index = tuple((cells + shift).T)
        mass += padded[index]
        light += weights[index]
    out = np.zeros(color.shape, dtype=np.float32)
    out[filled] = color[filled]
    out[touching] = light / mass[:, None]
    return out


def _any_neighbour(filled: np.ndarray) -> np.ndarray:
    """Return for each cell whether it or one of its 26 neighbours is filled."""
    out = filled
    for axis in range(3):
        padding = [(int(a == axis),) * 2 for a in range(3)]
        wide = np.pad(out, padding)
        lower, upper = [slice(None)] * 3, [slice(None)] * 3
        lower[axis], upper[axis] = slice(0, -2), slice(2, None)
        out = out | wide[tuple(lower)] | wide[tuple(upper)]
    return out


def display_color(density: np.ndarray, color: np.ndarray, cell: np.ndarray) -> np.ndarray:
    """Return the grid that Solid mode draws, where the mean of a voxel's colour is its opacity.

    Parameters
    ----------
    density : (X, Y, Z) array
        Extinction per dataset unit.
    color : (X, Y, Z, 3) array
        Linear colour.
    cell : (3,) array
        Sides of a voxel, dataset units.

    Returns
    -------
    (X, Y, Z, 3) array
        The colour's hue times the opacity of a cell along its mean side; zero without density.
    """
    opacity = -np.expm1(-density * np.mean(cell))
    shown = color + DARKEST
    return opacity[..., None] * shown / shown.mean(axis=-1, keepdims=True)


def translation(low: np.ndarray, cell: np.ndarray, origin: str) -> np.ndarray:
    """Return the grid's translation for cells of size `cell` of which the first starts at `low`."""
    return low + cell / 2 if origin == "center" else low


def write_grids(
    module: ModuleType,
    path: Path,
    density: np.ndarray,
    color: np.ndarray | None,
    box: np.ndarray,
    origin: str,
) -> None:
    """Write density, and colour with what Solid mode draws of both, as fog volume grids.

    Parameters
    ----------
    module : module
        OpenVDB.
    path : Path
        The `.vdb` file; a new one, because Blender keeps showing the old content of a file.
    density : (X, Y, Z) array
        Extinction per dataset unit; zero cells become inactive and take no space.
    color : (X, Y, Z, 3) array or None
        Linear colour; black where it is not needed, since such cells become inactive.
    box : (2, 3) array
        Corners of the grid, dataset frame; values belong to the middles of the cells.
    origin : str
        How the Blender that shows it draws voxel i: around i for ``"center"``, from i to i + 1
        for ``"corner"``.
    """
    low, high = np.asarray(box, dtype=np.float64)
    cell = (high - low) / density.shape
    matrix = np.diag([*cell, 1.0])
    # OpenVDB multiplies row vectors, so the translation is the last row.
    matrix[3, :3] = translation(low, cell, origin)
    made = [(module.FloatGrid(0.0), DENSITY, density)]
    if color is not None:
        for name, values in ((COLOR, color), (DISPLAY, display_color(density, color, cell))):
            made.append((module.Vec3SGrid((0.0, 0.0, 0.0)), name, values))
    for grid, name, values in made:
        # OpenVDB ignores strides: anything but C order would be scrambled. Values equal to the
        # background, here zero, become inactive; whole empty blocks are not stored.
        grid.copyFromArray(np.ascontiguousarray(values, dtype=np.float32))
        grid.name = name
        grid.transform = module.createLinearTransform(matrix.tolist())
        grid[ORIGIN] = origin
    made[0][0].gridClass = module.GridClass.FOG_VOLUME
    module.write(str(path), grids=[grid for grid, _, _ in made], metadata={ORIGIN: origin})


def main() -> None:
    """Write the `.vdb` file that the command line names; it appears whole or not at all."""
    npz_path, vdb_path, origin = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
    frame_origin = np.array([float(word) for word in sys.argv[4:7]])
    module = import_openvdb()
    if module is None:
        raise SystemExit("There is no OpenVDB module.")
    temporary = vdb_path.with_name(f".{vdb_path.stem}.part.vdb")
    write_grids(module, temporary, *volume_arrays(npz_path, frame_origin), origin)
    temporary.replace(vdb_path)


if __name__ == "__main__":
    main()
