"""The edits.json format: regions and what is done with them (see ``docs/edits.md``)."""

from pathlib import Path
from typing import Any

import numpy as np

from ..errors import UserError
from ..fields.limits import MAX_EDITS
from ..files.checked_json import InvalidJsonError, checked_numbers, checked_object
from ..files.json_input import read_json
from .edit_list import DUPLICATE, ERASE, KEEP, MOVE, SCALE_DENSITY, TINT, Edit
from .edited_field import require_usable_shapes
from .grid_file import cells_allowed, read_grid
from .mesh_region import MeshRegion
from .mesh_shape import MAX_ELEMENTS
from .placement import InvalidPlacementError, Placement
from .regions import (
    BoxRegion,
    GridRegion,
    InvalidRegionError,
    Region,
    SphereRegion,
    TransformedBoxRegion,
    checked_factors,
)

SIMPLE = (BoxRegion, TransformedBoxRegion, SphereRegion)
"""Regions that cost little, so that any number of them may stand in a list."""

REGIONS = ("box", "sphere", "mesh", "grid")
FIELDS: dict[str, tuple[str, ...]] = {
    ERASE: (),
    KEEP: (),
    MOVE: ("to",),
    DUPLICATE: ("to",),
    SCALE_DENSITY: ("factor",),
    TINT: ("color",),
}
"""Keys of an entry in addition to its operation and region; any may have `OPTIONAL` ones."""

OPTIONAL = ("soft", "id")

MAX_ID = 64
"""Longest id of an entry, in characters."""

ZERO = np.zeros(3)

MAX_BYTES = 512 * 1024 * 1024
"""Largest file of an edit list, in bytes; meshes stand in it as numbers."""


def read_edits(path: Path, origin: np.ndarray = ZERO) -> tuple[Edit, ...]:
    """Read and check an edits.json file.

    Parameters
    ----------
    path : Path
        Names of grid files in it are relative to its folder.
    origin : (3,) float64 array, optional
        As for `parse_edits`.

    Raises
    ------
    UserError
        Naming the entry, counted from 1, and the field.
    """
    entries = read_json(path, MAX_BYTES)
    return parse_edits(entries, path.parent, str(path), origin)


def parse_edits(
    entries: Any, folder: Path, source: str, origin: np.ndarray = ZERO
) -> tuple[Edit, ...]:
    """Check a decoded edit list.

    Parameters
    ----------
    entries : list
        As `json.load` gives it.
    folder : Path
        Folder of the grid files.
    source : str
        The list's name in messages.
    origin : (3,) float64 array, optional
        Position in the dataset frame from which the edits' positions are counted, that of the
        field's map of space.

    Raises
    ------
    UserError
    """
    if not isinstance(entries, list):
        raise UserError(f"'{source}' must hold a list of edits.")
    if not entries:
        raise UserError(f"'{source}' holds no edits; add at least one.")
    if len(entries) > MAX_EDITS:
        raise UserError(f"'{source}' holds {len(entries)} edits; at most {MAX_EDITS} are allowed.")
    edits: list[Edit] = []
    grids = Grids(folder, origin)
    for number, entry in enumerate(entries, start=1):
        try:
            edits.append(_edit(entry, grids, origin))
        except (InvalidJsonError, InvalidRegionError) as error:
            raise UserError(f"Edit {number} of '{source}': {error}.") from error
        if not isinstance(edits[-1].region, SIMPLE):
            require_usable_shapes(edits)
    return tuple(edits)


class Grids:
    """The grid files of a list; each is read once.

    Parameters
    ----------
    folder : Path
        Folder that their names are relative to.
    origin : (3,) float64 array
        As for `parse_edits`.
    """

    def __init__(self, folder: Path, origin: np.ndarray) -> None:
        self.folder, self.origin = folder, origin
        self.regions: dict[Path, GridRegion] = {}

    def read(self, name: str) -> GridRegion:
        """Return the region of a grid file.

        Raises
        ------
        InvalidRegionError
            As `read_grid`, or the grids have far more cells together than their files can hold.
        """
        path = self.folder / name
        if path not in self.regions:
            self.regions[path] = read_grid(path, self.origin)
            cells = sum(region.filled.numel() for region in self.regions.values())
            if cells > cells_allowed(sum(path.stat().st_size for path in self.regions)):
                raise InvalidRegionError(
                    "the grids have far more cells together than their files can hold; make them "
                    "coarser"
                )
        return self.regions[path]


def _edit(entry: Any, grids: "Grids", origin: np.ndarray) -> Edit:
    if not isinstance(entry, dict):
        raise InvalidJsonError('the entry must be an object with "op" and "region"')
    operation = entry.get("op")
    if not isinstance(operation, str) or operation not in FIELDS:
        raise InvalidJsonError(f'"op" must be one of {", ".join(FIELDS)}')
    rest = {key: value for key, value in entry.items() if key not in OPTIONAL}
    checked_object(rest, f"the {operation}", ("op", "region", *FIELDS[operation]))
    region = entry["region"]
    if not isinstance(region, dict) or len(region) != 1 or not region.keys() <= set(REGIONS):
        raise InvalidJsonError('"region" must be an object with one key: box, sphere, mesh or grid')
    ((kind, value),) = region.items()
    color = checked_factors(entry["color"], "color", (3,)) if "color" in entry else None
    return Edit(
        operation,
        _region(kind, value, grids, origin),
        soft=float(checked_factors(entry.get("soft", 0), "soft", ())),
        to=_placement(entry["to"], origin) if "to" in entry else None,
        factor=float(checked_factors(entry["factor"], "factor", ())) if "factor" in entry else None,
        color=None if color is None else (float(color[0]), float(color[1]), float(color[2])),
        id=_id(entry.get("id")),
    )


def _id(value: Any) -> str | None:
    if value is not None and not (isinstance(value, str) and 0 < len(value) <= MAX_ID):
        raise InvalidJsonError(f'"id" must be a text of 1 to {MAX_ID} characters')
    return value


def _placement(value: Any, origin: np.ndarray) -> Placement:
    try:
        return Placement(checked_numbers(value, "to", (4, 4))).counted_from(origin, origin)
    except InvalidPlacementError as error:
        raise InvalidJsonError(f'"to" {error}') from error


def _region(kind: str, value: Any, grids: "Grids", origin: np.ndarray) -> Region:
    if kind == "box" and isinstance(value, dict) and "matrix" in value:
        given = checked_object(value, '"box"', ("matrix",))["matrix"]
        matrix = checked_numbers(given, "box.matrix", (4, 4))
        matrix[:3, 3] -= origin
        return TransformedBoxRegion(matrix)
    if kind == "box":
        box = checked_object(value, '"box"', ("min", "max"))
        return BoxRegion(
            checked_numbers(box["min"], "box.min", (3,)) - origin,
            checked_numbers(box["max"], "box.max", (3,)) - origin,
        )
    if kind == "sphere":
        sphere = checked_object(value, '"sphere"', ("center", "radius"))
        radius = float(checked_numbers(sphere["radius"], "sphere.radius", ()))
        center = checked_numbers(sphere["center"], "sphere.center", (3,))
        return SphereRegion(center - origin, radius)
    if kind == "mesh":
        return _mesh(checked_object(value, '"mesh"', ("vertices", "faces")), origin)
    if not isinstance(value, str) or not value or "\0" in value:
        raise InvalidJsonError('"grid" must be the name of an .npz file')
    return grids.read(value)


def _mesh(mesh: dict[str, Any], origin: np.ndarray) -> MeshRegion:
    vertices, faces = mesh["vertices"], mesh["faces"]
    if not isinstance(vertices, list) or not vertices:
        raise InvalidJsonError('"mesh.vertices" must be a list of points, and not empty')
    if len(vertices) > MAX_ELEMENTS:
        raise InvalidJsonError(f'"mesh.vertices" holds more than {MAX_ELEMENTS} points')
    if not isinstance(faces, list) or not faces:
        raise InvalidJsonError('"mesh.faces" must be a list of faces, and not empty')
    if not all(isinstance(face, list) and all(type(i) is int for i in face) for face in faces):
        raise InvalidJsonError('"mesh.faces" must hold lists of vertex numbers')
    points = checked_numbers(vertices, "mesh.vertices", (len(vertices), 3))
    return MeshRegion(points - origin, faces)
