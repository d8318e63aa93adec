"""What modifiers have made of a field's Volume object, as an edit of the field.

The evaluated volume is compared with the file that the engine's density was written to. Cells that
have lost their density are erased from the field, with the haze about them that is too thin for the
file; cells that still have some stay as they are.
"""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import bpy
import numpy as np
from bpy.types import Depsgraph, Object

from .errors import SceneError
from .field_nodes import nodes_can_edit
from .vdb import read_grid, voxel_origin
from .volume_file import DENSITY, ORIGIN

SAME_PLACE = 1e-5
"""Share of a voxel that the grids of a file and of its evaluated volume may lie apart."""


def volume_edit(volume: Object, depsgraph: Depsgraph, path: Path) -> bool:
    """Write what modifiers took away from a field's volume as a grid to erase by.

    Parameters
    ----------
    volume : Object
        Shows the field as the engine wrote it.
    depsgraph : Depsgraph
        That has evaluated it.
    path : Path
        The ``.npz`` to write: ``density`` where it was taken away, ``original`` and ``box``
        (dataset frame).

    Returns
    -------
    bool
        False when nothing was taken away; then no file is written.

    Raises
    ------
    SceneError
        The modifiers leave no grid ``density``, or its voxels lie elsewhere.
    """
    geometry = volume.evaluated_get(depsgraph).evaluated_geometry()
    if geometry.volume is None or DENSITY not in {g.name for g in geometry.volume.grids}:
        raise SceneError(
            f"The modifiers of '{volume.name}' leave no grid 'density'; store what they change "
            "under that name."
        )
    with tempfile.TemporaryDirectory(prefix="convert-field-") as folder:
        saved = Path(folder) / "evaluated.vdb"
        geometry.volume.grids.save(filepath=str(saved))
        edited = read_grid(saved, DENSITY)
    original = read_grid(Path(bpy.path.abspath(volume.data.filepath)), DENSITY)
    cell = original.cell()
    if np.abs(edited.corners() - original.corners()).max() > SAME_PLACE * cell.max():
        raise SceneError(
            f"The modifiers of '{volume.name}' move or resample its voxels; only what keeps the "
            "voxels in place can become an edit."
        )
    first, shape = original.bounds()
    before, after = (grid.values(first, shape) for grid in (original, edited))
    taken = np.where(after > 0, 0, before)
    if not taken.any():
        return False
    # In a file for Blender 5.0 and later a voxel's index is the middle of its cell.
    middle = cell / 2 if volume.data.get(ORIGIN, voxel_origin()) == "center" else 0.0
    low = original.corners()[0] + cell * first - middle
    box = np.stack((low, low + cell * shape))
    np.savez_compressed(path, density=taken, original=before, box=box)
    return True


def has_edit(volume: Object | None) -> bool:
    """Tell whether a field's volume has modifiers that this Blender's nodes can edit it by."""
    shown = volume is not None and bool(volume.users_scene)
    return shown and nodes_can_edit() and len(volume.modifiers) > 0


@contextmanager
def evaluated(volume: Object) -> Iterator[Depsgraph]:
    """Within, a depsgraph has evaluated a volume, even one that is switched off in the viewport."""
    hidden = volume.hide_viewport
    volume.hide_viewport = False
    try:
        bpy.context.view_layer.update()
        yield bpy.context.evaluated_depsgraph_get()
    finally:
        volume.hide_viewport = hidden
