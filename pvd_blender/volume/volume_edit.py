"""Changes of a field's Volume object by modifiers, as edits of the field.

The evaluated volume is compared with the file that the engine's density was written to. Cells that
have lost their density are erased from the field, with the haze around them that is too thin for
the file; where a cell has more or less density than before, so has the field. Everything else stays
as it is, bit by bit. Density where the field has none is no edit of a field; it is counted.
"""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import bpy
import numpy as np
from bpy.types import Depsgraph, Object

from ..engine.temporary import TemporaryFolder
from ..errors import SceneError
from ..scene.frame import frame_origin, view_layer_of
from .field_nodes import nodes_can_edit
from .vdb import StoredGrid, read_grid, voxel_origin
from .volume_file import DENSITY, ORIGIN

SAME_POSITION = 1e-5
"""Largest distance of the grids of a file and of its evaluated volume, as a fraction of a voxel."""

MOST_FACTORS = 24
"""Largest number of different factors of density; more are rounded."""

SAME_FACTOR = 1e-3
"""Difference of logarithms below which two factors count as one."""


@dataclass(frozen=True)
class VolumeEdits:
    """Changes of a field by modifiers.

    Attributes
    ----------
    edits : list of dict
        Entries of an ``edits.json``.
    added : int
        Number of voxels with density where the field has none, which no edit can add.
    """

    edits: list[dict]
    added: int


def volume_edits(volume: Object, depsgraph: Depsgraph, folder: Path) -> VolumeEdits:
    """Return the changes of a field's volume by modifiers, each with a grid of its own in a folder.

    Parameters
    ----------
    volume : Object
        The object that shows the field as the engine wrote it.
    depsgraph : Depsgraph
        The depsgraph that has evaluated it.
    folder : Path
        Folder for the ``.npz`` files, made if it is missing: ``density`` in the cells of the edit,
        ``original`` and ``box`` (dataset frame).

    Raises
    ------
    SceneError
        When the modifiers leave no grid ``density``, or one with voxels at other positions, or the
        depsgraph has not evaluated the volume because it is hidden.
    """
    edited, original = _evaluated_grid(volume, depsgraph), _stored_grid(volume)
    cell = original.cell()
    if np.abs(edited.corners() - original.corners()).max() > SAME_POSITION * cell.max():
        raise SceneError(
            f"The modifiers of '{volume.name}' move or resample its voxels; use modifiers that "
            "keep the voxels in place."
        )
    first, shape = original.bounds()
    before, after = (grid.values(first, shape) for grid in (original, edited))
    # In a file for Blender 5.0 and later a voxel's index is the middle of its cell.
    middle = cell / 2 if volume.data.get(ORIGIN, voxel_origin()) == "center" else 0.0
    low = original.corners()[0] + cell * first - middle + frame_origin(volume)
    box = np.stack((low, low + cell * shape))
    edits = []
    for factor, cells in _changes(before, after):
        path = _write_cells(folder, np.where(cells, before, 0), before, box)
        change = {"op": "scale_density", "factor": factor} if factor else {"op": "erase"}
        edits.append(change | {"region": {"grid": str(path)}})
    shown = np.count_nonzero(edited.values(*edited.bounds()) > 0)
    return VolumeEdits(edits, int(shown - np.count_nonzero((after > 0) & (before > 0))))


def _write_cells(folder: Path, density: np.ndarray, original: np.ndarray, box: np.ndarray) -> Path:
    """Write the cells of an edit under a name of their content, if they are not there yet."""
    content = hashlib.sha256(box.tobytes() + original.tobytes() + density.tobytes())
    path = folder / f"{content.hexdigest()[:24]}.npz"
    if not path.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.stem}.part.npz")
        np.savez_compressed(temporary, density=density, original=original, box=box)
        temporary.replace(path)
    return path


def _changes(before: np.ndarray, after: np.ndarray) -> Iterator[tuple[float, np.ndarray]]:
    """Yield factors of density and the cells that they apply to, without the factor 1.

    More than `MOST_FACTORS` factors are rounded on a logarithmic scale.
    """
    known = before > 0
    taken = known & ~(after > 0)
    if taken.any():
        yield 0.0, taken
    changed = known & ~taken & (after != before)
    if not changed.any():
        return
    logarithms = np.log(after[changed].astype(np.float64) / before[changed])
    finest = max(SAME_FACTOR, np.ptp(logarithms) / (MOST_FACTORS - 1))
    steps = np.round(logarithms / finest).astype(int)
    for step in np.unique(steps[steps != 0]):
        cells = np.zeros_like(known)
        cells[changed] = steps == step
        yield float(np.exp(logarithms[steps == step].mean())), cells


def _evaluated_grid(volume: Object, depsgraph: Depsgraph) -> StoredGrid:
    try:
        geometry = volume.evaluated_get(depsgraph).evaluated_geometry()
    except TypeError as error:  # what is hidden is not evaluated
        raise SceneError(
            f"What the modifiers of '{volume.name}' erase is not seen while it is hidden; show it."
        ) from error
    if geometry.volume is None or DENSITY not in {g.name for g in geometry.volume.grids}:
        raise SceneError(
            f"The modifiers of '{volume.name}' leave no grid 'density'; store the changed grid "
            "under that name."
        )
    with TemporaryFolder() as folder:
        saved = folder / "evaluated.vdb"
        geometry.volume.grids.save(filepath=str(saved))
        return read_grid(saved, DENSITY)


def _stored_grid(volume: Object) -> StoredGrid:
    return read_grid(Path(bpy.path.abspath(volume.data.filepath)), DENSITY)


def has_edit(volume: Object | None) -> bool:
    """Return whether a field's volume has modifiers, in a Blender whose nodes can edit grids."""
    shown = volume is not None and bool(volume.users_scene)
    return shown and nodes_can_edit() and len(volume.modifiers) > 0


@contextmanager
def evaluated(volume: Object) -> Iterator[Depsgraph]:
    """Give a depsgraph that has evaluated a volume, even one switched off in the viewport."""
    hidden = volume.hide_viewport
    volume.hide_viewport = False
    try:
        view_layer = view_layer_of(volume)
        view_layer.update()
        yield view_layer.depsgraph
    finally:
        volume.hide_viewport = hidden
