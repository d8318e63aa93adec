"""The edits.json format: what to erase and what to keep (see ``docs/edits.md``)."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import UserError
from .edit_list import OPERATIONS, Edit
from .grid_file import read_grid
from .mesh_region import MeshRegion
from .mesh_shape import MAX_ELEMENTS
from .regions import (
    BoxRegion,
    InvalidRegionError,
    Region,
    SphereRegion,
    TransformedBoxRegion,
)

REGIONS = ("box", "sphere", "mesh", "grid")
MAX_EDITS = 1000
MAX_BYTES = 512 * 1024 * 1024


def read_edits(path: Path) -> tuple[Edit, ...]:
    """Read and check an edits.json file.

    Parameters
    ----------
    path : Path
        Names of grid files in it are relative to its folder.

    Raises
    ------
    UserError
        Naming the entry, counted from 1, and the field.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise UserError(f"'{path}' has more than {MAX_BYTES >> 20} MiB; simplify its meshes.")
        entries = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"The edits '{path}' cannot be read: {error.strerror}.") from error
    except (ValueError, RecursionError) as error:
        raise UserError(f"'{path}' is not valid JSON: {error}.") from error
    return parse_edits(entries, path.parent, str(path))


def parse_edits(entries: Any, folder: Path, source: str) -> tuple[Edit, ...]:
    """Check a decoded edit list.

    Parameters
    ----------
    entries : list
        As `json.load` gives it.
    folder : Path
        Where grid files are looked for.
    source : str
        The list's name in messages.

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
    edits = []
    for number, entry in enumerate(entries, start=1):
        try:
            edits.append(_edit(entry, folder))
        except InvalidRegionError as error:
            raise UserError(f"Edit {number} of '{source}': {error}.") from error
    return tuple(edits)


def _edit(entry: Any, folder: Path) -> Edit:
    fields = _object(entry, "the entry", ("op", "region"))
    operation = fields["op"]
    if operation not in OPERATIONS:
        raise InvalidRegionError('"op" must be "erase" or "keep"')
    region = fields["region"]
    if not isinstance(region, dict) or len(region) != 1 or not region.keys() <= set(REGIONS):
        raise InvalidRegionError(
            '"region" must be an object with one key: box, sphere, mesh or grid'
        )
    ((kind, value),) = region.items()
    return Edit(operation, _region(kind, value, folder))


def _region(kind: str, value: Any, folder: Path) -> Region:
    if kind == "box" and isinstance(value, dict) and "matrix" in value:
        matrix = _object(value, '"box"', ("matrix",))["matrix"]
        return TransformedBoxRegion(_numbers(matrix, "box.matrix", (4, 4)))
    if kind == "box":
        box = _object(value, '"box"', ("min", "max"))
        return BoxRegion(
            _numbers(box["min"], "box.min", (3,)), _numbers(box["max"], "box.max", (3,))
        )
    if kind == "sphere":
        sphere = _object(value, '"sphere"', ("center", "radius"))
        radius = float(_numbers(sphere["radius"], "sphere.radius", ()))
        return SphereRegion(_numbers(sphere["center"], "sphere.center", (3,)), radius)
    if kind == "mesh":
        return _mesh(_object(value, '"mesh"', ("vertices", "faces")))
    if not isinstance(value, str) or not value or "\0" in value:
        raise InvalidRegionError('"grid" must be the name of an .npz file')
    return read_grid(folder / value)


def _mesh(mesh: dict[str, Any]) -> MeshRegion:
    vertices, faces = mesh["vertices"], mesh["faces"]
    if not isinstance(vertices, list) or not vertices:
        raise InvalidRegionError('"mesh.vertices" must be a list of points, and not empty')
    if len(vertices) > MAX_ELEMENTS:
        raise InvalidRegionError(f'"mesh.vertices" holds more than {MAX_ELEMENTS} points')
    if not isinstance(faces, list) or not faces:
        raise InvalidRegionError('"mesh.faces" must be a list of faces, and not empty')
    if not all(isinstance(face, list) and all(type(i) is int for i in face) for face in faces):
        raise InvalidRegionError('"mesh.faces" must hold lists of vertex numbers')
    return MeshRegion(_numbers(vertices, "mesh.vertices", (len(vertices), 3)), faces)


def _object(value: Any, what: str, keys: tuple[str, ...]) -> dict[str, Any]:
    if not isinstance(value, dict) or set(value) != set(keys):
        raise InvalidRegionError(f"{what} must be an object with exactly {_names(keys)}")
    return value


def _numbers(value: Any, name: str, shape: tuple[int, ...]) -> np.ndarray:
    try:
        values = np.array(value)
    except (ValueError, OverflowError):
        values = np.array(None)
    if values.shape != shape or values.dtype.kind not in "iuf" or _has_bool(value):
        raise InvalidRegionError(f'"{name}" must be {_shape_words(shape)}')
    values = values.astype(np.float64)
    if not np.isfinite(values).all():
        raise InvalidRegionError(f'"{name}" holds a value that is not a finite number')
    return values


def _has_bool(value: Any) -> bool:
    return isinstance(value, bool) or (isinstance(value, list) and any(map(_has_bool, value)))


def _shape_words(shape: tuple[int, ...]) -> str:
    if not shape:
        return "a number"
    if len(shape) == 1:
        return f"a list of {shape[0]} numbers"
    return f"{shape[0]} lists of {math.prod(shape[1:])} numbers"


def _names(keys: tuple[str, ...]) -> str:
    return " and ".join(f'"{key}"' for key in keys)
