"""Writing `.vdb` files: by Blender's OpenVDB module, or by geometry nodes in a build without it.

For cells of size h whose first cell starts at `low`, the value of voxel i belongs to the middle of
its cell. Blender 5.0 and every other program draw it around index i, Blender before 5.0 from i to
i + 1; the grid's translation is chosen for the Blender that runs and the file says which.
"""

import importlib
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import bpy
import numpy as np

from .errors import SceneError
from .volume_nodes import write_density_by_nodes

DENSITY = "density"
COLOR = "color"
ORIGIN = "pvd_voxel_origin"
MODULES = ("openvdb", "pyopenvdb")
NO_MODULE = (
    "This Blender has no OpenVDB module, so the volume shows density without colour; "
    "the official Blender builds have the module."
)


def openvdb_module() -> ModuleType | None:
    """Return Blender's OpenVDB module, or None in a build without it."""
    if hasattr(bpy.utils, "expose_bundled_modules"):
        bpy.utils.expose_bundled_modules()
    for name in MODULES:
        try:
            return importlib.import_module(name)
        except ImportError:
            continue
    return None


def missing_color_note() -> str | None:
    """Return the sentence for the user when volumes can have no colour here, else None."""
    return NO_MODULE if openvdb_module() is None else None


def voxel_origin() -> str:
    """Return where this Blender draws voxel i: ``"center"`` (around i) or ``"corner"``."""
    return "center" if bpy.app.version >= (5, 0, 0) else "corner"


def translation(low: np.ndarray, cell: np.ndarray) -> np.ndarray:
    """Return the grid's translation for cells of size `cell` of which the first starts at `low`."""
    return low + cell / 2 if voxel_origin() == "center" else low


def write_vdb(path: Path, density: np.ndarray, color: np.ndarray | None, box: np.ndarray) -> None:
    """Write density, and colour where this Blender can, as fog volume grids.

    Parameters
    ----------
    path : Path
        The `.vdb` file; it should not exist, because Blender keeps showing a file's old content.
    density : (X, Y, Z) array
        Extinction per dataset unit; zero cells become inactive and take no space.
    color : (X, Y, Z, 3) array or None
        Linear colour; black where it is not needed, since such cells become inactive.
    box : (2, 3) array
        Corners of the grid, dataset frame; values belong to the middles of the cells.
    """
    module = openvdb_module()
    # Blender's and OpenVDB's copies ignore strides: anything but C order would be scrambled.
    density = np.ascontiguousarray(density, dtype=np.float32)
    if module is None:
        write_density_by_nodes(path, density, box)
        return
    low, high = np.asarray(box, dtype=np.float64)
    cell = (high - low) / density.shape
    matrix = np.diag([*cell, 1.0])
    # OpenVDB multiplies row vectors, so the translation is the last row.
    matrix[3, :3] = translation(low, cell)
    grids = [_grid(module.FloatGrid(0.0), DENSITY, density, matrix, module)]
    grids[0].gridClass = module.GridClass.FOG_VOLUME
    if color is not None:
        color = np.ascontiguousarray(color, dtype=np.float32)
        grids.append(_grid(module.Vec3SGrid((0.0, 0.0, 0.0)), COLOR, color, matrix, module))
    module.write(str(path), grids=grids, metadata={ORIGIN: voxel_origin()})


@dataclass(frozen=True)
class StoredGrid:
    """A grid of numbers from a `.vdb` file.

    Attributes
    ----------
    grid : openvdb.FloatGrid
    """

    grid: Any

    def corners(self) -> np.ndarray:
        """Return where voxel (0, 0, 0) and voxel (1, 1, 1) lie, (2, 3) float64."""
        place = self.grid.transform.indexToWorld
        return np.array([place((0, 0, 0)), place((1, 1, 1))], dtype=np.float64)

    def cell(self) -> np.ndarray:
        """Return the sides of a voxel, (3,) float64."""
        return np.diff(self.corners(), axis=0)[0]

    def bounds(self) -> tuple[np.ndarray, np.ndarray]:
        """Return index and number, (3,) each, of the voxels between which all active ones lie."""
        low, high = np.array(self.grid.evalActiveVoxelBoundingBox())
        return low, high - low + 1

    def values(self, first: np.ndarray, shape: np.ndarray) -> np.ndarray:
        """Return the values of a block of voxels, float32."""
        array = np.zeros(tuple(int(side) for side in shape), np.float32)
        self.grid.copyToArray(array, ijk=tuple(int(index) for index in first))
        return array


def read_grid(path: Path, name: str) -> StoredGrid:
    """Read a grid of a `.vdb` file.

    Raises
    ------
    SceneError
        When it cannot be read, or this Blender has no OpenVDB module.
    """
    module = openvdb_module()
    if module is None:
        raise SceneError("This Blender has no OpenVDB module, so it cannot read volumes back.")
    try:
        return StoredGrid(module.read(str(path), name))
    except (OSError, RuntimeError, KeyError, ValueError) as error:
        raise SceneError(f"The volume {path} cannot be read ({error}).") from error


def _grid(grid, name: str, values: np.ndarray, matrix: np.ndarray, module: ModuleType):
    # Values equal to the background, here zero, become inactive; whole empty blocks are not stored.
    grid.copyFromArray(values)
    grid.name = name
    grid.transform = module.createLinearTransform(matrix.tolist())
    grid[ORIGIN] = voxel_origin()
    return grid
