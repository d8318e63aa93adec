"""Limits on the header of a field file, tested before anything is made from it.

A header of a few bytes can claim sizes that take gigabytes or never end. So each number that
decides on memory or time has a bound here. Whether the tensors fit the header is tested where the
field is made (`state.restore`).
"""

import math
from collections.abc import Iterator, Mapping
from typing import Any

from ..files.json_input import deeper_than

MAX_HEADER_BYTES = 4 << 20
"""Most bytes of a file's header, which names the tensors and holds the JSON header."""

MAX_NESTING = 16
"""Most levels of fields within a field, such as merged of edited of merged."""

MAX_FIELDS = 256
"""Most fields within a file, at all levels together."""

MAX_PARTS = 64
"""Most parts of a merged field."""

MAX_EDITS = 1000
"""Most entries in the lists of an edited field."""

MAX_MESHES = 250
"""Most meshes among them, which cost far more than boxes."""

MAX_SOFT_TABLES = 64
"""Most meshes and grids with a soft edge, each of which needs a table of distances."""

MAX_OCCUPANCY = 256
"""Most cells of an occupancy grid along each axis."""

MAX_STEPS = 1 << 16
"""Most ray-marching steps through the cube around a field's box."""

LARGEST_COORDINATE = 1e9
"""Largest coordinate of a box; larger ones would overflow float32 when squared and multiplied."""

SMALLEST_SIDE = 1e-9
"""Smallest side of a box, dataset units."""

MAX_DEPTH = 200
"""Deepest nesting of a header's objects and lists; provenance grows with each conversion."""

MAX_TENSORS = 10_000
"""Most tensors of a file."""

VERTICES_PER_BYTE = 16
"""Most vertices of sparse tensors for each byte of a file, beyond those of the largest one."""

THINNEST = 1e-6
"""Least size of a box, as a fraction of its largest coordinate, which float32 tells apart."""

ZERO = [0.0, 0.0, 0.0]

SIZES: dict[str, int] = {
    "levels": 32,
    "features": 8,
    "log2_table_size": 24,
    "base_resolution": 4096,
    "finest_resolution": 1 << 20,
    "resolution": 2048,
    "layers": 256,
    "depth": 256,
    "frequencies": 32,
    "degree": 4,
    "splats": 1 << 25,
    "points": 1024,
}
"""Largest value of the sizes of an architecture, by key."""

LARGEST_SIZE = 4096
"""Largest value of every other size, such as a width or a rank."""

STORED_SIZES: dict[str, int] = {"size": 320, "reached": 2048, "grid": 1 << 14}
"""Largest sizes that stand in tensors: vertices along each axis, by the last part of the name."""

MAX_CELLS = 1 << 27
"""Most cells of the grids of all edits together."""

_RANGES = {"center": 3, "distance": 2, "elevation": 2, "azimuth": 2, "up": 3}
"""Lengths of the lists of numbers in the region of a light field."""

COLOR_SPACES = ("srgb", "linear")
"""Spaces of a field's colours."""

MAX_ENTRIES = 64
"""Most entries of a list or mapping within an architecture."""


class HeaderError(ValueError):
    """A header beyond the limits; the message says what is, after "its header"."""


def check_header(header: Mapping[str, Any]) -> None:
    """Raise `HeaderError` where a field file's header is beyond the limits.

    Parameters
    ----------
    header : mapping
        As `storage` describes it.
    """
    if deeper_than(header, MAX_DEPTH):
        raise HeaderError("is nested too deeply")
    for count, field in enumerate(_fields(header, MAX_NESTING)):
        if count == MAX_FIELDS:
            raise HeaderError(f"holds more than {MAX_FIELDS} fields")
        _check_sizes(field.get("architecture", {}), "architecture")
        if "occupancy" in field:
            whole_number(field["occupancy"], "occupancy", 1, MAX_OCCUPANCY)
        for name in ("architecture", "provenance", "frame"):
            if not isinstance(field.get(name, {}), Mapping):
                raise HeaderError(f'has a "{name}" that is no object')
        if "box" in field:
            origin = field.get("frame", {}).get("origin", ZERO)
            side = _longest_side(field["box"], origin)
            if "step" in field:
                check_step(_number(field["step"], "step"), side)
        _check_edits(field.get("edits", ()))
        if "reach" in field:
            _check_reach(field["reach"])
        if field.get("color_space", "srgb") not in COLOR_SPACES:
            raise HeaderError(f'has a "color_space" that is none of {", ".join(COLOR_SPACES)}')


def check_nesting(header: Mapping[str, Any]) -> None:
    """Raise `HeaderError` where a header holds more than `MAX_NESTING` levels of fields."""
    for _ in _fields(header, MAX_NESTING):
        pass


def check_step(step: float, side: float) -> None:
    """Raise `HeaderError` where rays would take too many steps through a cube.

    Parameters
    ----------
    step : float
        Ray-marching step, dataset units.
    side : float
        Side of the cube, dataset units.
    """
    if not 0 < step < math.inf:
        raise HeaderError('has a "step" that is not above zero')
    if side * math.sqrt(3) > step * MAX_STEPS:
        raise HeaderError(f'has a "step" of which rays take more than {MAX_STEPS}')


def whole_number(value: Any, name: str, low: int, high: int) -> int:
    """Return a whole number within bounds.

    Raises
    ------
    HeaderError
        Naming it.
    """
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise HeaderError(f'has a "{name}" that is not a whole number from {low} to {high}')
    return value


def _number(value: Any, name: str) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise HeaderError(f'has a "{name}" that is not a number')
    return float(value) if abs(value) <= LARGEST_COORDINATE else math.inf


def _fields(header: Any, levels: int) -> Iterator[Mapping[str, Any]]:
    """Yield a header and those of the fields within it."""
    if not isinstance(header, Mapping):
        raise HeaderError("holds a field that is no object")
    if levels < 0:
        raise HeaderError(
            f"holds more than {MAX_NESTING} levels of fields within fields; convert the inner ones "
            "first"
        )
    yield header
    parts = header.get("parts", ())
    if not isinstance(parts, list | tuple) or len(parts) > MAX_PARTS:
        raise HeaderError(f'has "parts" that are not a list of {MAX_PARTS} fields at most')
    for inner in ((header["base"],) if "base" in header else ()) + tuple(parts):
        yield from _fields(inner, levels - 1)


def _check_sizes(value: Any, name: str) -> None:
    """Check the sizes within an architecture."""
    if isinstance(value, Mapping | list | tuple):
        if len(value) > MAX_ENTRIES:
            raise HeaderError(f'has more than {MAX_ENTRIES} entries in "{name}"')
        items = value.items() if isinstance(value, Mapping) else ((name, one) for one in value)
        for key, inner in items:
            _check_sizes(inner, key)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        whole_number(value, name, 0, SIZES.get(name, LARGEST_SIZE))


def _longest_side(box: Any, origin: Any) -> float:
    """Return the longest side of a box, which has a volume that float32 can hold from an origin."""
    if not isinstance(origin, list) or len(origin) != 3:
        raise HeaderError('has an "origin" that is not three numbers')
    start = [_number(value, "origin") for value in origin]
    if not isinstance(box, list) or [len(corner) for corner in box if isinstance(corner, list)] != [
        3,
        3,
    ]:
        raise HeaderError('has a "box" that is not two corners of three numbers')
    low, high = ([_number(value, "box") for value in corner] for corner in box)
    largest = max(abs(a - b) for corner in (low, high) for a, b in zip(corner, start, strict=True))
    sides = [b - a for a, b in zip(low, high, strict=True)]
    if not (largest < math.inf and min(sides) > max(largest * THINNEST, SMALLEST_SIDE)):
        raise HeaderError('has a "box" without a volume, or far too large')
    return max(sides)


def _check_edits(lists: Any) -> None:
    """Check the number of edits and of their shapes, and of the cells of their grids."""
    if not isinstance(lists, list | tuple) or not all(isinstance(one, list) for one in lists):
        raise HeaderError('has "edits" that are not lists')
    if sum(map(len, lists)) > MAX_EDITS or len(lists) > MAX_EDITS:
        raise HeaderError(f"holds more than {MAX_EDITS} edits")
    edits = [edit for entries in lists for edit in entries]
    if not all(
        isinstance(edit, Mapping) and isinstance(edit.get("region"), Mapping) for edit in edits
    ):
        raise HeaderError("has an edit without a region")
    check_shapes(
        sum("mesh" in edit["region"] for edit in edits),
        sum(bool(edit.get("soft")) and not {*edit["region"]} & {"box", "sphere"} for edit in edits),
        sum(_cells(edit["region"]["grid"]) for edit in edits if "grid" in edit["region"]),
    )


def check_shapes(meshes: int, soft_tables: int, cells: int) -> None:
    """Raise `HeaderError` where edits have more shapes than can be used.

    Parameters
    ----------
    meshes : int
        Edits by a mesh.
    soft_tables : int
        Edits by a mesh or a grid that have a soft edge.
    cells : int
        Cells of all grids.
    """
    if meshes > MAX_MESHES:
        raise HeaderError(f"holds more than {MAX_MESHES} meshes; join some of them")
    if soft_tables > MAX_SOFT_TABLES:
        raise HeaderError(
            f"holds more than {MAX_SOFT_TABLES} meshes and grids with a soft edge; join some"
        )
    if cells > MAX_CELLS:
        raise HeaderError(f"holds more than {MAX_CELLS} cells of grids; make them coarser")


def _cells(grid: Any) -> int:
    """Return the number of cells of the description of a grid."""
    shape = grid.get("shape") if isinstance(grid, Mapping) else None
    if not isinstance(shape, list) or len(shape) != 3:
        raise HeaderError('has an edit with a "shape" that is not three numbers')
    return math.prod(whole_number(size, "shape", 1, MAX_CELLS) for size in shape)


def _check_reach(reach: Any) -> None:
    """Check the region that a light field was taught in."""
    if not isinstance(reach, Mapping) or not isinstance(reach.get("region"), Mapping):
        raise HeaderError('has a "reach" that is no region')
    near, far = (_number(reach.get(name), name) for name in ("near", "far"))
    if not 0 <= near < far < math.inf:
        raise HeaderError('has "near" and "far" that are not two growing distances')
    _longest_side(reach.get("inner_box"), ZERO)
    for name, length in _RANGES.items():
        values = reach["region"].get(name)
        if not isinstance(values, list) or len(values) != length:
            raise HeaderError(f'has a "{name}" that is not {length} numbers')
        if not all(math.isfinite(_number(value, name)) for value in values):
            raise HeaderError(f'has a "{name}" that is too large')


def check_stored_sizes(sizes: Mapping[str, Any], file_bytes: int) -> None:
    """Check the sizes of grids that stand in tensors, before anything is made by them.

    Parameters
    ----------
    sizes : mapping of str to int or list of int
        The small tensors whose names end in one of `STORED_SIZES`.
    file_bytes : int
    """
    vertices = 0
    for name, value in sizes.items():
        key = name.rpartition(".")[2]
        for size in value if isinstance(value, list) else [value]:
            whole_number(size, name, 2, STORED_SIZES[key])
        if key == "size" and isinstance(value, int):
            vertices += value**3
    if vertices > max(STORED_SIZES["size"] ** 3, VERTICES_PER_BYTE * file_bytes):
        raise HeaderError("holds sparse tensors far larger than the file")
