"""The compressed ``.ply`` of PlayCanvas and SuperSplat: 16 bytes a splat, and a byte a coefficient.

Chunks of 256 splats state the range of positions, logarithms of scales, and colours; each splat
stands in whole numbers within the range of its chunk: positions and scales of 11, 10 and 11 bits,
the quaternion's smallest three of w, x, y, z of 10 bits each, colour and opacity of 8. Coefficients
of higher bands stand channel by channel, from -4 to 4. The frame is that of the ``.ply`` it was
made from.
"""

from pathlib import Path
from typing import BinaryIO

import numpy as np

from ...errors import UserError
from ...fields.splats import Splats
from ...files.atomic import write_atomic
from ...kernels.harmonics import SH_0
from .contract import SplatOptions
from .ply_layout import Element, columns, header, read_rows, rest_names
from .smallest_three import LARGEST_SMALL, reduced, restored
from .values import arrays_of, checked_splats, clamped, cut_to_degree, exponential, logarithm

CHUNK = 256
"""Splats of a chunk."""

PACKED = ["packed_position", "packed_rotation", "packed_scale", "packed_color"]
POSITION_RANGE = [f"{end}_{axis}" for end in ("min", "max") for axis in "xyz"]
SCALE_RANGE = [f"{end}_scale_{axis}" for end in ("min", "max") for axis in "xyz"]
COLOR_RANGE = [f"{end}_{channel}" for end in ("min", "max") for channel in "rgb"]
REST_COUNTS = (0, 9, 24, 45)

VECTOR_BITS = (11, 10, 11)
"""Bits of the three components of a position or scale, the first one in the highest bits."""

LARGEST_LOG_SCALE = 20.0
LARGEST_COEFFICIENT = 4.0


def is_compressed(elements: dict[str, Element]) -> bool:
    """Return whether a file's elements are those of a compressed ``.ply``."""
    vertex = elements.get("vertex")
    names = vertex.dtype.names or () if vertex else ()
    if vertex is None or not set(PACKED) <= set(names):
        return False
    return all(vertex.dtype[name] == np.dtype("<u4") for name in PACKED)


def read_compressed(
    file: BinaryIO, elements: dict[str, Element], path: Path
) -> tuple[Splats, list[str]]:
    """Read the splats of an open compressed ``.ply``, and notes about them.

    Raises
    ------
    UserError
        The file is damaged or holds no splats.
    """
    vertex, chunk, rest = (elements.get(name) for name in ("vertex", "chunk", "sh"))
    assert vertex is not None
    if vertex.count < 1:
        raise UserError(f"{path} holds no splats; check that it is the right file.")
    chunks = -(-vertex.count // CHUNK)
    names = chunk.dtype.names or () if chunk else ()
    if chunk is None or chunk.count < chunks or not set(POSITION_RANGE + SCALE_RANGE) <= set(names):
        raise UserError(f"{path} has no ranges for all of its splats; get it again.")
    rest_count = _rest_count(rest, vertex.count, path)
    ranges, rows = read_rows(file, chunk), read_rows(file, vertex)
    of_splat = np.arange(vertex.count) // CHUNK

    def spread(fractions: np.ndarray, names: list[str]) -> np.ndarray:
        low, high = np.split(columns(ranges, names).astype(np.float64), 2, axis=1)
        with np.errstate(invalid="ignore", over="ignore"):  # such splats are left out
            return low[of_splat] * (1 - fractions) + high[of_splat] * fractions

    quaternion = rows["packed_rotation"]
    three = _unpacked(quaternion & 0x3FFFFFFF, (10, 10, 10))
    rgba = _unpacked(rows["packed_color"], (8, 8, 8, 8))
    color = spread(rgba[:, :3], COLOR_RANGE) if set(COLOR_RANGE) <= set(names) else rgba[:, :3]
    sh = [((color - 0.5) / SH_0)[:, None]]
    if rest is not None and rest_count:
        stored = columns(read_rows(file, rest), rest_names(rest_count))
        sh.append(_coefficients(stored).reshape(vertex.count, -1, 3))
    return checked_splats(
        path,
        spread(_unpacked(rows["packed_position"], VECTOR_BITS), POSITION_RANGE),
        exponential(spread(_unpacked(rows["packed_scale"], VECTOR_BITS), SCALE_RANGE)),
        restored(quaternion >> 30, (three - 0.5) * (2 * LARGEST_SMALL)),
        rgba[:, 3],
        np.concatenate(sh, axis=1, dtype=np.float32),
    )


def write_compressed_ply(splats: Splats, path: Path, options: SplatOptions) -> list[str]:
    """Write a compressed ``.ply``; the splats change their order, so that chunks are small.

    Returns
    -------
    list of str
        What was cut, clamped and lost.

    Raises
    ------
    UserError
        The splats are not finite, or the file cannot be written.
    """
    splats, notes = cut_to_degree(splats, 3, "A compressed .ply")
    arrays = arrays_of(splats)
    order = _along_a_curve(arrays[0])
    centers, scales, rotations, opacities, sh = (part[order] for part in arrays)
    logs, clamped_logs = clamped(
        logarithm(scales), -LARGEST_LOG_SCALE, LARGEST_LOG_SCALE, "logarithms of scales"
    )
    position, position_range = _packed_in_chunks(centers, VECTOR_BITS)
    scale, scale_range = _packed_in_chunks(logs, VECTOR_BITS)
    color = 0.5 + SH_0 * sh[:, 0].astype(np.float64)
    fractions, color_range = _in_chunks(color)
    index, three = reduced(rotations.astype(np.float64))
    quaternion = _packed(three / (2 * LARGEST_SMALL) + 0.5, (10, 10, 10))
    quaternion |= index.astype(np.uint32) << np.uint32(30)
    rgba = _packed(np.concatenate([fractions, opacities[:, None]], axis=1), (8, 8, 8, 8))
    rest, clamped_rest = clamped(
        sh[:, 1:].swapaxes(1, 2).reshape(len(sh), -1),
        -LARGEST_COEFFICIENT,
        LARGEST_COEFFICIENT,
        "coefficients",
    )
    stored = np.clip((rest / 8 + 0.5) * 256, 0, 255).astype(np.uint8)
    ranges = np.concatenate([position_range, scale_range, color_range], axis=1, dtype="<f4")
    packed = np.stack([position, quaternion, scale, rgba], axis=1).astype("<u4")

    def write(temporary: Path) -> None:
        with temporary.open("wb") as file:
            file.write(_header(len(ranges), len(sh), rest.shape[1]))
            for part in (ranges, packed, stored):
                part.tofile(file)

    write_atomic(path, write)
    return [
        *notes,
        *clamped_logs,
        *clamped_rest,
        "A compressed .ply keeps 11 bits of positions and scales within chunks of 256 splats, 8 "
        "bits of colours and coefficients, and not the order of the splats.",
    ]


def _header(chunks: int, count: int, coefficients: int) -> bytes:
    """Return the header of a file; one without higher bands has no element for them."""
    range_names = [*POSITION_RANGE, *SCALE_RANGE, *COLOR_RANGE]
    stated = [
        ("chunk", chunks, [("float", name) for name in range_names]),
        ("vertex", count, [("uint", name) for name in PACKED]),
    ]
    if coefficients:
        stated.append(("sh", count, [("uchar", f"f_rest_{i}") for i in range(coefficients)]))
    return header(stated)


def _rest_count(rest: Element | None, count: int, path: Path) -> int:
    """Return the number of coefficients of the higher bands that each splat has."""
    if rest is None:
        return 0
    names = rest.dtype.names or ()
    sound = len(names) in REST_COUNTS and set(names) == set(rest_names(len(names)))
    if not sound or rest.count != count or any(rest.dtype[name] != np.uint8 for name in names):
        raise UserError(f"{path} has a damaged element sh; get the file again.")
    return len(names)


def _coefficients(stored: np.ndarray) -> np.ndarray:
    """Return coefficients of bytes: the middle of each step, and both ends exactly."""
    middles = ((np.arange(256) + 0.5) / 32 - LARGEST_COEFFICIENT).astype(np.float32)
    middles[[0, 255]] = -LARGEST_COEFFICIENT, LARGEST_COEFFICIENT
    return middles[stored]


def _unpacked(values: np.ndarray, bits: tuple[int, ...]) -> np.ndarray:
    """Return fractions (N, parts) of whole numbers whose first part has the highest bits."""
    parts, shift = [], sum(bits)
    for width in bits:
        shift -= width
        most = (1 << width) - 1
        parts.append(((values >> np.uint32(shift)) & np.uint32(most)) / most)
    return np.stack(parts, axis=1)


def _packed(fractions: np.ndarray, bits: tuple[int, ...]) -> np.ndarray:
    """Return the inverse of `_unpacked`, each part rounded to its bits."""
    values = np.zeros(len(fractions), np.uint32)
    for part, width in zip(fractions.T, bits, strict=True):
        most = (1 << width) - 1
        whole = np.clip(np.rint(part * most), 0, most).astype(np.uint32)
        values = (values << np.uint32(width)) | whole
    return values


def _packed_in_chunks(values: np.ndarray, bits: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Return the packed fractions (N,) and the ranges (chunks, 6) of values (N, 3)."""
    fractions, ranges = _in_chunks(values)
    return _packed(fractions, bits), ranges


def _in_chunks(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return values (N, 3) as fractions of the range of their chunk, and the ranges (chunks, 6)."""
    starts = np.arange(0, len(values), CHUNK)
    low = np.minimum.reduceat(values, starts).astype(np.float32).astype(np.float64)
    high = np.maximum.reduceat(values, starts).astype(np.float32).astype(np.float64)
    of_splat = np.arange(len(values)) // CHUNK
    size = np.where(high > low, high - low, 1)
    return (values - low[of_splat]) / size[of_splat], np.concatenate([low, high], axis=1)


def _along_a_curve(centers: np.ndarray) -> np.ndarray:
    """Return the order of positions along Morton's curve through their bounding box."""
    centers = centers.astype(np.float64)
    low, high = centers.min(axis=0), centers.max(axis=0)
    size = np.where(high > low, high - low, 1)
    cells = ((centers - low) / size * 1023).astype(np.uint32)
    code = np.zeros(len(centers), np.uint32)
    for bit in range(10):
        for axis in range(3):
            part = (cells[:, axis] >> np.uint32(bit)) & np.uint32(1)
            code |= part << np.uint32(3 * bit + axis)
    return np.argsort(code, kind="stable")
