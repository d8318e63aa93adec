"""The ``.sog`` of PlayCanvas, version 2, read only: lossless WebP images and JSON in a zip.

Each splat is one pixel at the same place of every image. Positions stand in 16 bits of
sign(x) ln(1 + |x|), scales and coefficients as places in tables of 256 values, and the coefficients
of higher bands in a palette. The frame is that of the ``.ply`` it was made from.
"""

import io
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ...errors import UserError
from ...files.checked_json import InvalidJsonError, checked_numbers
from ...files.file_input import opened
from ...files.json_input import decoded_json
from .contract import ImportedSplats, SplatOptions
from .smallest_three import LARGEST_SMALL, restored
from .values import checked_splats, exponential, require_plausible

FRAME = "A .sog does not say which way its axes point; its positions are used as they are."

MAX_META_BYTES = 1 << 20
MAX_META_VALUES = 20_000
"""Most commas and brackets of ``meta.json``; three tables of 256 values have about 800."""

MAX_MEMBERS = 100
"""Most files of the archive; it has eight."""

BYTES_EACH = {0: 56, 1: 92, 2: 152, 3: 236}
"""Bytes of a splat in memory, by its bands of harmonics above 0, for the check of the count."""

CENTROIDS_IN_A_ROW = 64
"""Entries of the palette that stand side by side."""

LARGEST_PALETTE = 1 << 16
FIRST_QUATERNION = 252
"""Alpha of a pixel whose largest component of the quaternion is w."""

_FAULTS = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    NotImplementedError,
    RuntimeError,
    ValueError,
    SyntaxError,
    OSError,
    Image.DecompressionBombError,
)
"""Exceptions that a damaged archive or image raises."""


class _Archive:
    """The members of an open archive, checked."""

    def __init__(self, archive: zipfile.ZipFile, path: Path, size: int) -> None:
        self.archive, self.path, self.size = archive, path, size

    def meta(self) -> dict[str, Any]:
        """Return the decoded ``meta.json``."""
        text = self._member("meta.json", MAX_META_BYTES).decode("utf-8")
        content = decoded_json(text, f"{self.path}, meta.json", MAX_META_VALUES)
        if not isinstance(content, dict):
            raise InvalidJsonError("meta.json must hold an object")
        return content

    def pixels(self, name: Any, shape: tuple[int, int] | None, least: int) -> np.ndarray:
        """Return the RGBA pixels (N, 4) uint8 of an image.

        Parameters
        ----------
        name : str
        shape : (width, height) or None
            Exact size, or None where the image needs only enough pixels.
        least : int
            Fewest pixels; four times as many and a row or two are allowed.
        """
        if not isinstance(name, str):
            raise InvalidJsonError('"files" must be a list of names')
        data = self._member(name, max(self.size, MAX_META_BYTES))
        with Image.open(io.BytesIO(data), formats=["WEBP"]) as image:
            width, height = image.size
            if shape is not None and (width, height) != shape:
                raise InvalidJsonError(f"{name} must have {shape[0]} x {shape[1]} pixels")
            if not least <= width * height <= 4 * least + (1 << 16):
                raise InvalidJsonError(f"{name} has {width} x {height} pixels for {least} values")
            return np.asarray(image.convert("RGBA")).reshape(-1, 4)

    def _member(self, name: str, most: int) -> bytes:
        try:
            entry = self.archive.getinfo(name)
        except KeyError as error:
            raise InvalidJsonError(f"{name[:40]} is missing") from error
        if entry.file_size > most:
            raise InvalidJsonError(f"{name[:40]} is too large")
        return self.archive.read(entry)


def read_sog(path: Path, options: SplatOptions) -> ImportedSplats:
    """Read a ``.sog`` of version 2.

    Raises
    ------
    UserError
        The file cannot be read, is damaged, of another version, or holds no splats.
    """
    with opened(path) as file:
        size = file.seek(0, 2)
        file.seek(0)
        try:
            with zipfile.ZipFile(file) as archive:
                if len(archive.infolist()) > MAX_MEMBERS:
                    raise InvalidJsonError("it holds too many files")
                return _decoded(_Archive(archive, path, size), path)
        except InvalidJsonError as error:
            raise UserError(f"{path} is damaged: {error}; get it again.") from error
        except _FAULTS as error:
            raise UserError(f"{path} is damaged or not a .sog file; get it again.") from error


def _decoded(archive: _Archive, path: Path) -> ImportedSplats:
    meta = archive.meta()
    if meta.get("version") != 2:
        raise UserError(
            f"{path} is not a .sog of version 2; convert it with a program that writes that one, "
            "such as splat-transform."
        )
    count = meta.get("count")
    if isinstance(count, bool) or not isinstance(count, int):
        raise InvalidJsonError('"count" must be a whole number')
    bands = _part(meta, "shN").get("bands") if "shN" in meta else 0
    if type(bands) is not int or bands not in BYTES_EACH:
        raise InvalidJsonError('"shN" must state 1 to 3 bands')
    require_plausible(path, count, BYTES_EACH[bands], archive.size)

    def pixels(part: dict[str, Any], at: int) -> np.ndarray:
        return archive.pixels(_file(part, at), None, count)[:count]

    means, scales, quats, sh0 = (_part(meta, key) for key in ("means", "scales", "quats", "sh0"))
    low, high = (checked_numbers(means.get(key), key, (3,)) for key in ("mins", "maxs"))
    fine, coarse = pixels(means, 0)[:, :3], pixels(means, 1)[:, :3]
    fractions = (fine + 256.0 * coarse) / 65535
    logs = low * (1 - fractions) + high * fractions
    with np.errstate(over="ignore"):
        centers = np.sign(logs) * np.expm1(np.abs(logs))
    turned = pixels(quats, 0)
    largest = turned[:, 3].astype(np.int64) - FIRST_QUATERNION
    if int(largest.min()) < 0:
        raise InvalidJsonError("its rotations are not of version 2")
    color = pixels(sh0, 0)
    sh = [_table(sh0)[color[:, :3]][:, None]]
    if bands:
        sh.append(_higher_bands(archive, meta["shN"], bands, count))
    splats, notes = checked_splats(
        path,
        centers,
        exponential(_table(scales)[pixels(scales, 0)[:, :3]]),
        restored(largest, (turned[:, :3] / 255 - 0.5) * (2 * LARGEST_SMALL)),
        color[:, 3] / 255,
        np.concatenate(sh, axis=1),
    )
    return ImportedSplats(splats, [FRAME, *notes])


def _higher_bands(archive: _Archive, part: dict[str, Any], bands: int, count: int) -> np.ndarray:
    """Return the coefficients (count, K, 3) of bands 1 and above."""
    entries = part.get("count")
    if not isinstance(entries, int) or not 1 <= entries <= LARGEST_PALETTE:
        raise InvalidJsonError(f'"shN" must state 1 to {LARGEST_PALETTE} entries')
    coefficients = (bands + 1) ** 2 - 1
    rows = -(-entries // CENTROIDS_IN_A_ROW)
    width = CENTROIDS_IN_A_ROW * coefficients
    stored = archive.pixels(_file(part, 0), (width, rows), width * rows)
    palette = _table(part)[stored.reshape(-1, coefficients, 4)[:entries, :, :3]]
    labels = archive.pixels(_file(part, 1), None, count)[:count].astype(np.int64)
    index = labels[:, 0] | labels[:, 1] << 8
    if int(index.max()) >= entries:
        raise InvalidJsonError('"shN" has fewer entries than its splats name')
    return palette[index]


def _part(meta: dict[str, Any], key: str) -> dict[str, Any]:
    part = meta.get(key)
    if not isinstance(part, dict):
        raise InvalidJsonError(f'"{key}" must be an object')
    return part


def _file(part: dict[str, Any], at: int) -> Any:
    files = part.get("files")
    if not isinstance(files, list) or len(files) <= at:
        raise InvalidJsonError('"files" must be a list of names')
    return files[at]


def _table(part: dict[str, Any]) -> np.ndarray:
    """Return the 256 values of a table; float32, as coefficients of many splats are made of it."""
    return checked_numbers(part.get("codebook"), "codebook", (256,)).astype(np.float32)
