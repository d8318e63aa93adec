"""Writing and reading `.vdb` files in Blender, by its OpenVDB module where it has one."""

from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import bpy
import numpy as np

from ..errors import SceneError
from .volume_file import import_openvdb, write_grids
from .volume_nodes import write_density_by_nodes

NO_MODULE = (
    "This Blender has no OpenVDB module, so the volume shows density without colour; "
    "the official Blender builds have the module."
)


def openvdb_module() -> ModuleType | None:
    """Return Blender's OpenVDB module, or None in a build without it."""
    if hasattr(bpy.utils, "expose_bundled_modules"):
        bpy.utils.expose_bundled_modules()
    return import_openvdb()


def missing_color_note() -> str | None:
    """Return a sentence for the user if volumes can have no colour here, or None."""
    return NO_MODULE if openvdb_module() is None else None


def voxel_origin() -> str:
    """Return how this Blender draws voxel i: ``"center"`` for around i, ``"corner"`` for from i."""
    return "center" if bpy.app.version >= (5, 0, 0) else "corner"


def write_vdb(path: Path, density: np.ndarray, color: np.ndarray | None, box: np.ndarray) -> None:
    """Write density, and colour where this Blender can, as fog volume grids.

    The parameters are those of `volume_file.write_grids`.
    """
    module = openvdb_module()
    if module is None:
        write_density_by_nodes(path, np.ascontiguousarray(density, dtype=np.float32), box)
    else:
        write_grids(module, path, density, color, box, voxel_origin())


@dataclass(frozen=True)
class StoredGrid:
    """A grid of numbers from a `.vdb` file.

    Attributes
    ----------
    grid : openvdb.FloatGrid
    """

    grid: Any

    def corners(self) -> np.ndarray:
        """Return the positions of voxel (0, 0, 0) and voxel (1, 1, 1), (2, 3) float64."""
        position = self.grid.transform.indexToWorld
        return np.array([position((0, 0, 0)), position((1, 1, 1))], dtype=np.float64)

    def cell(self) -> np.ndarray:
        """Return the sides of a voxel, (3,) float64."""
        return np.diff(self.corners(), axis=0)[0]

    def bounds(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the first index and the shape, (3,) each, of the block with all active voxels."""
        low, high = np.array(self.grid.evalActiveVoxelBoundingBox())
        return low, np.maximum(high - low + 1, 0)

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
