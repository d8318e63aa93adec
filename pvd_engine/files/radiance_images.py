"""Radiance HDR images (``.hdr``): linear light, three bytes of colour with a shared exponent.

imageio reads them only through OpenCV, which takes 150 MB for this alone, or through FreeImage,
which it downloads. The format is that of Radiance's ``color.c``: lines of text, an empty line, the
size, and rows of pixels that are plain or run-length encoded, by pixels (old) or by channels (new).
"""

import re
from typing import BinaryIO

import numpy as np

from ..errors import UserError
from .image_header import ImageHeader

SIGNATURES = (b"#?RADIANCE", b"#?RGBE")
"""First bytes of the files."""

_MAX_HEADER = 1 << 16
_SIZE = re.compile(rb"-Y (\d{1,9}) \+X (\d{1,9})")
_NEW_WIDTHS = range(8, 1 << 15)
"""Widths of images whose rows may be encoded by channels."""


class RadianceImage:
    """An open file.

    Parameters
    ----------
    file : binary file
    name : object
        Name of the file in messages.

    Raises
    ------
    UserError
        Its colours or its orientation are others than the usual ones.
    ValueError
        The header is damaged.
    """

    def __init__(self, file: BinaryIO, name: object) -> None:
        self._file = file
        text, end, _ = file.read(_MAX_HEADER).partition(b"\n\n")
        file.seek(len(text) + len(end))
        if b"FORMAT=32-bit_rle_xyze" in text:
            raise UserError(
                f"{name} holds XYZ colours; save it as a Radiance image of RGB colours."
            )
        line = file.readline(64).strip()
        size = _SIZE.fullmatch(line)
        if size is None:
            if re.fullmatch(rb"[-+][XY] \d+ [-+][XY] \d+", line):
                raise UserError(f"{name} is stored mirrored or turned; save it again, row by row.")
            raise ValueError("no size in the header")
        self.height, self.width = int(size[1]), int(size[2])
        if 0 in (self.height, self.width):
            raise ValueError("an image without pixels")

    def header(self) -> ImageHeader:
        """Return the header."""
        return ImageHeader(self.width, self.height, False, deep=True, linear=True)

    @property
    def stored_pixels(self) -> int:
        """Number of stored pixels."""
        return self.width * self.height

    def pixels(self, turn: bool = False) -> np.ndarray:
        """Decode the image.

        Returns
        -------
        (height, width, 4) float32 array
            Linear light, opaque.

        Raises
        ------
        ValueError
            The pixels are damaged or cut off.
        """
        data = self._file.read(self.stored_pixels * 8 + 4 * self.height)
        # A run is at least two bytes long and fills at most 127 values, or 2^24 pixels of old runs.
        if len(data) < 4 * self.height:
            raise ValueError("the file is cut off")
        rgbe = np.empty((self.height, self.width, 4), np.uint8)
        at = 0
        for row in rgbe:
            start = data[at : at + 4]
            if self.width in _NEW_WIDTHS and start == b"\2\2" + self.width.to_bytes(2, "big"):
                at = _read_channels(data, at + 4, row)
            else:
                at = _read_pixels(data, at, row)
        # ldexp(mantissa + 0.5, exponent - 136) in Radiance, without the half in all other programs.
        scale = np.ldexp(np.float32(1), rgbe[..., 3:].astype(np.int32) - 136)
        result = np.ones(rgbe.shape, np.float32)
        result[..., :3] = np.where(rgbe[..., 3:] > 0, rgbe[..., :3] * scale, 0)
        return result

    def shows_through(self) -> bool:
        """Return False: the format has no alpha."""
        return False


def _read_channels(data: bytes, at: int, row: np.ndarray) -> int:
    """Decode a row (W, 4) of runs, channel after channel; return where the next row starts."""
    width = len(row)
    for channel in range(4):
        values, filled = bytearray(), 0
        while filled < width:
            count = data[at] if at < len(data) else 0
            if count > 128:
                values += data[at + 1 : at + 2] * (count - 128)
                at += 2
            else:
                values += data[at + 1 : at + 1 + count]
                at += 1 + count
            if count == 0 or len(values) == filled or len(values) > width:
                raise ValueError("a row is cut off or too long")
            filled = len(values)
        row[:, channel] = np.frombuffer(values, np.uint8)
    return at


def _read_pixels(data: bytes, at: int, row: np.ndarray) -> int:
    """Decode a row (W, 4) of plain pixels; (1, 1, 1, n) repeats the last one n times."""
    width = len(row)
    plain = np.frombuffer(data, np.uint8, min(4 * width, len(data) - at) // 4 * 4, at)
    if len(plain) == 4 * width and not (plain.reshape(-1, 4)[:, :3] == 1).all(axis=1).any():
        row[:] = plain.reshape(-1, 4)
        return at + 4 * width
    filled, shift = 0, 0
    while filled < width:
        pixel = data[at : at + 4]
        at += 4
        if len(pixel) < 4:
            raise ValueError("a row is cut off")
        if pixel[:3] != b"\1\1\1":
            row[filled] = list(pixel)
            filled, shift = filled + 1, 0
            continue
        count = pixel[3] << shift
        if filled == 0 or filled + count > width:
            raise ValueError("a run is longer than its row")
        row[filled : filled + count] = row[filled - 1]
        filled, shift = filled + count, min(shift + 8, 24)
    return at
