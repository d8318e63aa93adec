"""Sparse points: read from untrusted PLY files, written as binary PLY.

Only the vertices' x, y, z and red, green, blue (8 bits) of a PLY file are used. Every size is
checked before anything is allocated.
"""

import io
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from ...errors import UserError
from ...files.atomic import write_atomic
from ...files.file_input import opened

MAX_BYTES = 1024**3
"""Largest PLY file that is read, in bytes: 40 million coloured points."""

MAX_HEADER_BYTES = 65536
"""Largest header of a PLY file, in bytes."""

_TYPES = {
    **{"char": "i1", "uchar": "u1", "short": "i2", "ushort": "u2", "int": "i4", "uint": "u4"},
    **{"int8": "i1", "uint8": "u1", "int16": "i2", "uint16": "u2", "int32": "i4", "uint32": "u4"},
    **{"float": "f4", "double": "f8", "float32": "f4", "float64": "f8"},
}
_ORDERS = {"binary_little_endian": "<", "binary_big_endian": ">", "ascii": ""}
_POSITION = ("x", "y", "z")
_COLOR = ("red", "green", "blue")


@dataclass(frozen=True)
class SparsePoints:
    """Points of a scene, for example from structure from motion.

    Attributes
    ----------
    positions : (N, 3) float64 array
    colors : (N, 3) uint8 array or None
        sRGB.
    errors : (N,) float64 array or None
        Mean reprojection error in pixels.
    """

    positions: np.ndarray
    colors: np.ndarray | None = None
    errors: np.ndarray | None = None


@dataclass(frozen=True)
class _Element:
    """An element of a PLY file; a property of type None is a list."""

    name: str
    count: int
    properties: list[tuple[str, str | None]]


def read_points(path: Path) -> SparsePoints:
    """Read the vertices of a PLY file.

    Parameters
    ----------
    path : Path
        A PLY file, ASCII or binary in either byte order.

    Raises
    ------
    UserError
        The file is missing, not a PLY file, damaged, too large, or has no points.
    """
    with opened(path, MAX_BYTES) as file:
        order, elements = _read_header(file, path)
        before, vertex = _up_to_vertices(elements, path)
        read = _read_ascii if order == "" else _read_binary
        columns = read(file, order, before, vertex, path)
    positions = np.stack([columns[name] for name in _POSITION], axis=1).astype(np.float64)
    if not np.isfinite(positions).all():
        raise UserError(f"{path} holds a point without a finite position; remove the point.")
    types = dict(vertex.properties)
    colors = None
    if all(types.get(name) == "u1" for name in _COLOR):
        colors = np.stack([columns[name] for name in _COLOR], axis=1).astype(np.uint8)
    return SparsePoints(positions, colors)


def write_ply(path: Path, positions: np.ndarray, colors: np.ndarray | None) -> None:
    """Write points as a binary little-endian PLY file, atomically.

    Parameters
    ----------
    path : Path
    positions : (N, 3) array
        Written as float64.
    colors : (N, 3) uint8 array or None
        sRGB.

    Raises
    ------
    UserError
        The file cannot be written.
    """
    fields = [(name, "<f8") for name in _POSITION]
    header = ["ply", "format binary_little_endian 1.0", f"element vertex {len(positions)}"]
    header += [f"property double {name}" for name in _POSITION]
    if colors is not None:
        fields += [(name, "u1") for name in _COLOR]
        header += [f"property uchar {name}" for name in _COLOR]
    vertices = np.empty(len(positions), dtype=fields)
    for axis, name in enumerate(_POSITION):
        vertices[name] = positions[:, axis]
    for channel, name in enumerate(_COLOR if colors is not None else ()):
        vertices[name] = colors[:, channel]  # type: ignore[index]
    data = ("\n".join([*header, "end_header"]) + "\n").encode() + vertices.tobytes()
    write_atomic(path, lambda temporary: temporary.write_bytes(data))


def _read_header(file: BinaryIO, path: Path) -> tuple[str, list[_Element]]:
    """Return byte order ("" for ASCII) and elements; leave the file at the first element."""
    if file.readline(MAX_HEADER_BYTES).strip() != b"ply":
        raise UserError(f"{path} is not a PLY file.")
    order = None
    elements: list[_Element] = []
    while True:
        line = file.readline(MAX_HEADER_BYTES)
        words = line.decode("latin-1").split()
        if not line or file.tell() > MAX_HEADER_BYTES:
            raise UserError(f"{path} is damaged: the header of the PLY file does not end.")
        if words == ["end_header"]:
            break
        if len(words) == 3 and words[0] == "format" and words[1] in _ORDERS:
            order = _ORDERS[words[1]]
        elif len(words) == 3 and words[0] == "element" and words[2].isdecimal():
            elements.append(_Element(words[1], int(words[2][:18]), []))
        elif words[:1] == ["property"] and elements:
            elements[-1].properties.append(_property(words, path))
        elif words and words[0] not in ("comment", "obj_info"):
            raise UserError(f"{path} is damaged: its PLY header has a line of an unknown kind.")
    if order is None:
        raise UserError(f"{path} is damaged: its PLY header states no known format.")
    return order, elements


def _property(words: list[str], path: Path) -> tuple[str, str | None]:
    if len(words) == 3 and words[1] in _TYPES:
        return words[2], _TYPES[words[1]]
    if len(words) == 5 and words[1] == "list":
        return words[4], None
    raise UserError(f"{path} is damaged: its PLY header has a property of an unknown type.")


def _up_to_vertices(elements: list[_Element], path: Path) -> tuple[list[_Element], _Element]:
    """Return the elements before the vertices, and the vertices; the others are not needed."""
    names = [element.name for element in elements]
    if "vertex" not in names:
        raise UserError(f"{path} has no vertices, so it holds no points.")
    index = names.index("vertex")
    vertex = elements[index]
    properties = [name for name, _ in vertex.properties]
    if not set(_POSITION) <= set(properties) or len(set(properties)) != len(properties):
        raise UserError(f"{path}: the vertices need one x, y and z each.")
    for element in elements[: index + 1]:
        if not element.properties or any(kind is None for _, kind in element.properties):
            raise UserError(f"{path}: the vertices must come first and hold no lists.")
    return elements[:index], vertex


def _read_binary(
    file: BinaryIO, order: str, before: list[_Element], vertex: _Element, path: Path
) -> dict[str, np.ndarray]:
    skipped = sum(element.count * _dtype(element, order).itemsize for element in before)
    dtype = _dtype(vertex, order)
    data = file.read()
    if skipped + vertex.count * dtype.itemsize > len(data):
        raise UserError(f"{path} is damaged: it ends before its last point; copy it again.")
    records = np.frombuffer(data, dtype, count=vertex.count, offset=skipped)
    return {name: records[str(i)] for i, (name, _) in enumerate(vertex.properties)}


def _read_ascii(
    file: BinaryIO, order: str, before: list[_Element], vertex: _Element, path: Path
) -> dict[str, np.ndarray]:
    skipped = sum(element.count for element in before)
    data = file.read()
    # Each number takes at least a digit and a separator, which bounds the numbers to parse.
    if skipped + vertex.count * 2 * len(vertex.properties) > len(data) + 1:
        raise UserError(f"{path} is damaged: it ends before its last point; copy it again.")
    if vertex.count == 0:
        return {name: np.empty(0) for name, _ in vertex.properties}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            table = np.loadtxt(
                io.BytesIO(data), skiprows=skipped, max_rows=vertex.count, ndmin=2, comments=None
            )
    except (ValueError, UserWarning) as error:
        raise UserError(f"{path} is damaged: a vertex holds text that is not a number.") from error
    if table.shape != (vertex.count, len(vertex.properties)):
        raise UserError(f"{path} is damaged: vertices are missing or have too few numbers.")
    columns = {name: table[:, index] for index, (name, _) in enumerate(vertex.properties)}
    for name in _COLOR:
        if name in columns and not ((columns[name] >= 0) & (columns[name] <= 255)).all():
            raise UserError(f"{path}: a colour of a point is not between 0 and 255.")
    return columns


def _dtype(element: _Element, order: str) -> np.dtype:
    return np.dtype([(f"{i}", f"{order}{kind}") for i, (_, kind) in enumerate(element.properties)])
