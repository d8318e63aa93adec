"""The ``.spz`` of Niantic: about 20 bytes a splat with harmonics, compressed; versions 1 to 4.

The content is one array after the other: positions (24-bit fixed point), opacities, colours,
logarithms of scales, rotations, and coefficients splat by splat, a byte each. Versions 1 to 3 are
one gzip stream with a header of 16 bytes; version 4 has a plain header of 32 bytes, a table of
contents, and a zstd frame for each array. The axes are x right, y up, z back, but some programs
write those of the ``.ply``, and the file does not say so: see `SplatOptions.turn_axes`.
"""

import gzip
import io
import struct
import zlib
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np
import zstandard

from ...errors import UserError
from ...fields.splats import Splats
from ...files.atomic import write_bytes
from ...files.file_input import opened
from .axes import RIGHT_UP_BACK, turned
from .contract import ImportedSplats, SplatOptions
from .smallest_three import LARGEST_SMALL, reduced, restored
from .values import (
    arrays_of,
    checked_splats,
    clamped,
    exponential,
    logarithm,
    require_plausible,
)

MAGIC = 0x5053474E
GZIP = b"\x1f\x8b"
SIGNATURES = (GZIP, struct.pack("<I", MAGIC))
"""First bytes of versions 1 to 3, and of version 4."""

MAX_BYTES = 4 << 30
"""Largest file that is read: 200 million splats."""

PART = 1 << 20
"""Bytes that are read at a time."""

HEADER = struct.Struct("<IIIBBBB")
"""Magic, version, count, degree, bits after the point, flags, reserved (4: number of streams)."""

HEADER_4_BYTES = 32
STREAM = struct.Struct("<QQ")
"""An entry of the table of contents: compressed bytes, raw bytes."""

ANTIALIASED, EXTENDED = 1, 2
"""Flags."""

FRACTION_BITS = 12
"""Bits after the point of positions that are written, unless the scene is too large for them."""

LARGEST_WHOLE = (1 << 23) - 1
"""Largest whole number of a position."""

MAX_WINDOW = 1 << 27
"""Most memory of a zstd stream, bytes; that of the format's own writer is 8 MB."""

COLOR_SCALE = 0.15
"""Factor from a coefficient of degree 0 to a fraction of a byte's range."""

LARGEST_COLOR = 0.5 / COLOR_SCALE
LOG_SCALE_RANGE = (-10.0, 255 / 16 - 10)
STEPS = (8, 16)
"""Steps in 1/128 of coefficients of degree 1, and of higher ones."""


class Header(NamedTuple):
    """The header of all versions; `streams` has a meaning in version 4 alone."""

    magic: int
    version: int
    count: int
    degree: int
    fraction_bits: int
    flags: int
    streams: int

    def sizes(self) -> list[int]:
        """Return the bytes a splat of positions, opacities, colours, scales, rotations and sh."""
        position = 6 if self.version == 1 else 9
        rotation = 3 if self.version < 3 else 4
        return [position, 1, 3, 3, rotation, 3 * ((self.degree + 1) ** 2 - 1)]


def read_spz(path: Path, options: SplatOptions) -> ImportedSplats:
    """Read an ``.spz`` of version 1 to 4.

    Raises
    ------
    UserError
        The file cannot be read, is damaged, of another version, or holds no splats.
    """
    with opened(path, MAX_BYTES) as file:
        size = file.seek(0, 2)
        file.seek(0)
        zipped = file.read(len(GZIP)) == GZIP
        file.seek(0)
        header, streams = (_of_gzip if zipped else _of_zstd)(file, size, path)
    position, alpha, color, scale, rotation, rest = streams
    count = header.count
    sh = np.empty((count, (header.degree + 1) ** 2, 3), np.float32)
    sh[:, 0] = (color.reshape(count, 3) / 255.0 - 0.5) / COLOR_SCALE
    sh[:, 1:] = rest.reshape(count, -1, 3) / np.float32(128) - 1
    splats, notes = checked_splats(
        path,
        _positions(position, header),
        exponential(scale.reshape(count, 3) / 16.0 + LOG_SCALE_RANGE[0]),
        _rotations(rotation, header.version),
        alpha / 255.0,
        sh,
    )
    if options.turn_axes:
        splats = turned(splats, RIGHT_UP_BACK)
        frame = "y and z were negated, as an .spz has y up and z back where a .ply has y down."
    else:
        frame = "The axes of the .spz are used as they are."
    if header.flags & EXTENDED:
        notes.append("The extensions of the .spz were left out.")
    return ImportedSplats(splats, [frame, *notes], bool(header.flags & ANTIALIASED))


def write_spz(splats: Splats, path: Path, options: SplatOptions) -> list[str]:
    """Write an ``.spz`` of version 3 or 4.

    Returns
    -------
    list of str
        The frame, and what was clamped and lost.

    Raises
    ------
    UserError
        The splats are not finite or too far away, or the file cannot be written.
    """
    if options.spz_version not in (3, 4):
        raise UserError(f"An .spz of version {options.spz_version} is not written; take 3 or 4.")
    if options.turn_axes:
        splats = turned(splats, RIGHT_UP_BACK)
    centers, scales, rotations, opacities, sh = arrays_of(splats)
    bits, position = _fixed_point(centers)
    logs, log_notes = clamped(logarithm(scales), *LOG_SCALE_RANGE, "logarithms of scales")
    dc, color_notes = clamped(sh[:, 0], -LARGEST_COLOR, LARGEST_COLOR, "colours")
    rest, rest_notes = clamped(sh[:, 1:], -1.0, 127 / 128, "coefficients")
    streams = [
        position,
        _bytes(opacities * 255.0).tobytes(),
        _bytes((dc * COLOR_SCALE + 0.5) * 255.0).tobytes(),
        _bytes((logs - LOG_SCALE_RANGE[0]) * 16).tobytes(),
        _smallest_three(rotations).tobytes(),
        _coefficients(rest).tobytes(),
    ]
    streams = [stream for stream in streams if stream]
    version, flags = options.spz_version, ANTIALIASED if options.antialiased else 0
    last = len(streams) if version == 4 else 0
    head = HEADER.pack(MAGIC, version, len(sh), splats.degree, bits, flags, last)
    write_bytes(path, _framed(head, streams) if version == 4 else _zipped(head, streams))
    if options.turn_axes:
        frame = "y and z were negated: an .spz has y up and z back where a .ply has y down."
    else:
        frame = "The axes were written as they are, though an .spz has y up and z back."
    kept = f"An .spz keeps positions in steps of {2.0**-bits:.2g}, scales in steps of 6.5 %, and 8 "
    higher = ", and coefficients in steps of 1/16 (degree 1) and 1/8" if splats.degree else ""
    kept += f"bits of colours and opacities{higher}."
    return [frame, *log_notes, *color_notes, *rest_notes, kept]


def _of_gzip(file: BinaryIO, size: int, path: Path) -> tuple[Header, list[np.ndarray]]:
    """Return header and arrays of versions 1 to 3; no more is read than the header needs."""
    unpacking = zlib.decompressobj(31)
    try:
        head = unpacking.decompress(file.read(PART), HEADER.size)
        header = _checked_header(head, (1, 2, 3), size, path)
        needed = header.count * sum(header.sizes())
        content, packed = bytearray(), unpacking.unconsumed_tail
        while packed and len(content) < needed and not unpacking.eof:
            content += unpacking.decompress(packed, needed - len(content))
            packed = unpacking.unconsumed_tail or file.read(PART)
    except zlib.error as error:
        raise _damaged(path) from error
    if len(content) < needed:
        raise _damaged(path)
    ends = np.cumsum([header.count * size for size in header.sizes()])
    return header, np.split(np.frombuffer(content, np.uint8), ends[:-1])


def _of_zstd(file: BinaryIO, size: int, path: Path) -> tuple[Header, list[np.ndarray]]:
    """Return header and arrays of version 4; the table of contents must be what the count needs."""
    head = file.read(HEADER_4_BYTES)
    header = _checked_header(head[: HEADER.size], (4,), size, path)
    raw_sizes = [header.count * size for size in header.sizes()]
    needed = [size for size in raw_sizes if size]
    if len(head) < HEADER_4_BYTES or header.streams != len(needed):
        raise _damaged(path)
    (table,) = struct.unpack_from("<I", head, HEADER.size)
    start = table + STREAM.size * header.streams
    if table < HEADER_4_BYTES or start > size:
        raise _damaged(path)
    file.seek(table)
    entries = file.read(STREAM.size * header.streams)
    streams = []
    for raw, (packed, stated) in zip(needed, STREAM.iter_unpack(entries), strict=True):
        if stated != raw or packed > size - start:
            raise _damaged(path)
        file.seek(start)
        streams.append(_unpacked(io.BufferedReader(_Part(file, packed), PART), raw, path))
        start += packed
    return header, [*streams, *[np.zeros(0, np.uint8)] * (len(raw_sizes) - len(needed))]


def _checked_header(head: bytes, versions: tuple[int, ...], size: int, path: Path) -> Header:
    if len(head) < HEADER.size:
        raise _damaged(path)
    header = Header(*HEADER.unpack(head))
    if header.magic != MAGIC:
        raise UserError(f"{path} is not an .spz file; check that it is the right file.")
    if header.version not in versions:
        plain = header.version in (1, 2, 3)
        fault = "without its compression" if plain else "which cannot be read"
        raise UserError(
            f"{path} is an .spz of version {header.version}, {fault}; export it as version 3 or 4."
        )
    if header.degree > 4 or header.fraction_bits > 23:
        raise _damaged(path)
    require_plausible(path, header.count, sum(header.sizes()), size)
    return header


class _Part(io.RawIOBase):
    """The next bytes of a file, so many and no more, as a file."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        self.file, self.left = file, size

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer; return the number of bytes, 0 at the end."""
        data = self.file.read(min(len(buffer), self.left))
        buffer[: len(data)] = data
        self.left -= len(data)
        return len(data)


def _unpacked(frame: BinaryIO, raw: int, path: Path) -> np.ndarray:
    """Return the bytes of a zstd frame, as many as it should have; no more are unpacked."""
    content = bytearray(raw)
    try:
        decompressor = zstandard.ZstdDecompressor(max_window_size=MAX_WINDOW)
        with decompressor.stream_reader(frame, read_size=PART) as reader:
            filled = 0
            while filled < raw and (got := reader.readinto(memoryview(content)[filled:])):
                filled += got
    except zstandard.ZstdError as error:
        raise _damaged(path) from error
    if filled < raw:
        raise _damaged(path)
    return np.frombuffer(content, np.uint8)


def _positions(stored: np.ndarray, header: Header) -> np.ndarray:
    if header.version == 1:
        return stored.view("<f2").reshape(-1, 3).astype(np.float32)
    low, middle, high = stored.reshape(-1, 3).astype(np.int32).T
    whole = low | middle << 8 | high << 16
    whole -= (whole & 0x800000) << 1
    return (whole * 2.0**-header.fraction_bits).reshape(-1, 3)


def _rotations(stored: np.ndarray, version: int) -> np.ndarray:
    """Return quaternions w, x, y, z."""
    if version < 3:
        xyz = stored.reshape(-1, 3) / 127.5 - 1
        w = np.sqrt(np.maximum(1 - (xyz**2).sum(axis=1), 0))
        return np.concatenate([w[:, None], xyz], axis=1)
    packed = stored.view("<u4")
    parts = [(packed >> np.uint32(shift)) & np.uint32(0x3FF) for shift in (20, 10, 0)]
    signed = [np.where(part & 0x200, -1.0, 1.0) * (part & 0x1FF) for part in parts]
    three = np.stack(signed, axis=1) / 511 * LARGEST_SMALL
    return np.roll(restored(packed >> 30, three), 1, axis=1)


def _fixed_point(centers: np.ndarray) -> tuple[int, bytes]:
    """Return the bits after the point that the positions leave room for, and the positions."""
    largest = float(np.abs(centers).max())
    bits = FRACTION_BITS
    while bits and largest * 2.0**bits > LARGEST_WHOLE:
        bits -= 1
    if largest * 2.0**bits > LARGEST_WHOLE:
        raise UserError(
            f"The splats reach to {largest:.3g} from the origin, and an .spz to {LARGEST_WHOLE}; "
            "scale them down first."
        )
    whole = np.rint(centers.astype(np.float64) * 2.0**bits).astype("<i4")
    return bits, whole.reshape(-1, 1).view(np.uint8)[:, :3].tobytes()


def _smallest_three(rotations: np.ndarray) -> np.ndarray:
    """Return quaternions w, x, y, z as uint32: two bits of the largest, then ten a component."""
    index, three = reduced(np.roll(rotations.astype(np.float64), -1, axis=1))
    sizes = np.rint(np.abs(three) / LARGEST_SMALL * 511).clip(0, 511).astype(np.uint32)
    parts = sizes | (three < 0).astype(np.uint32) << np.uint32(9)
    packed = index.astype(np.uint32)
    for part in parts.T:
        packed = packed << np.uint32(10) | part
    return packed.astype("<u4")


def _coefficients(rest: np.ndarray) -> np.ndarray:
    """Return coefficients (N, K, 3) from -1 to 1 as bytes, rounded to the format's steps."""
    step = np.where(np.arange(rest.shape[1]) < 3, *STEPS)[None, :, None]
    return _bytes(np.rint(rest * 128 / step) * step + 128)


def _bytes(values: np.ndarray) -> np.ndarray:
    return np.rint(values).clip(0, 255).astype(np.uint8)


def _zipped(head: bytes, streams: list[bytes]) -> bytes:
    """Return the file of version 3, the same one for the same splats whenever it is written."""
    return gzip.compress(head + b"".join(streams), compresslevel=6, mtime=0)


def _framed(head: bytes, streams: list[bytes]) -> bytes:
    """Return the file of version 4."""
    compressor = zstandard.ZstdCompressor(level=9)
    frames = [compressor.compress(stream) for stream in streams]
    table = [STREAM.pack(len(frame), len(raw)) for frame, raw in zip(frames, streams, strict=True)]
    start = struct.pack("<I12x", HEADER_4_BYTES)
    return b"".join([head, start, *table, *frames])


def _damaged(path: Path) -> UserError:
    return UserError(f"{path} is damaged or cut off, as its parts do not fit; get it again.")
