"""OpenEXR images, by the format's own library, since no plugin of imageio reads them well.

Their pixels are linear light with premultiplied alpha. Reads the first part of a file: its channels
R, G, B and A, those of Blender's combined pass, or a single channel Y as grey.
"""

from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from ..errors import UserError
from .image_header import ImageHeader

SIGNATURE = b"\x76\x2f\x31\x01"
"""First bytes of the files."""

REC_709 = (0.64, 0.33, 0.30, 0.60, 0.15, 0.06, 0.3127, 0.3290)
"""CIE x and y of red, green, blue and white: the colour space of files that state none, and the
primaries of sRGB (ITU-R BT.709)."""

_ROUNDING = 0.001
"""Largest difference of chromaticities that are the same."""


class OpenExrImage:
    """An open file.

    Parameters
    ----------
    file : binary file
    name : object
        Name of the file in messages.

    Raises
    ------
    UserError
        The package OpenEXR is missing, or the file's channels or colour space are not known.
    OSError
        The header is damaged.
    """

    def __init__(self, file: BinaryIO, name: object) -> None:
        # The header of InputFile ends the process where a name is not UTF-8.
        header = _library(name, "read").File(file, header_only=True, num_threads=0).header()
        file.seek(0)
        self._file = file
        self._check_color(header.get("chromaticities"), name)
        channels = {channel.name: channel for channel in header["channels"]}
        self._channels = _color_channels(channels, name)
        self._data, self._display = (
            _corners(header[key]) for key in ("dataWindow", "displayWindow")
        )

    def header(self) -> ImageHeader:
        """Return the header; its size is that of the display window."""
        x0, y0, x1, y1 = self._display
        return ImageHeader(x1 - x0, y1 - y0, len(self._channels) == 4, deep=True, linear=True)

    @property
    def stored_pixels(self) -> int:
        """Number of stored pixels, which may lie beyond what is shown."""
        x0, y0, x1, y1 = self._data
        return (x1 - x0) * (y1 - y0)

    def pixels(self, turn: bool = False) -> np.ndarray:
        """Decode the image; pixels that are shown but not stored are transparent black.

        Returns
        -------
        (height, width, 4) float32 array
            Linear light, premultiplied alpha.
        """
        import Imath
        import OpenEXR

        names = list(dict.fromkeys(self._channels))
        # OpenEXR.File prints the faults of damaged pixels; InputFile raises them.
        file = OpenEXR.InputFile(self._file)
        planes = file.channels(names, Imath.PixelType(Imath.PixelType.FLOAT))
        x0, y0, x1, y1 = self._data
        stored = {
            name: np.frombuffer(plane, np.float32).reshape(y1 - y0, x1 - x0)
            for name, plane in zip(names, planes, strict=True)
        }
        header = self.header()
        result = np.zeros((header.height, header.width, 4), np.float32)
        left, top, right, bottom = self._display
        inside = max(x0, left), max(y0, top), min(x1, right), min(y1, bottom)
        if inside[0] >= inside[2] or inside[1] >= inside[3]:
            return result
        target = result[inside[1] - top : inside[3] - top, inside[0] - left : inside[2] - left]
        target[..., 3] = 1
        for index, name in enumerate(self._channels):
            target[..., index] = stored[name][
                inside[1] - y0 : inside[3] - y0, inside[0] - x0 : inside[2] - x0
            ]
        return result

    def shows_through(self) -> bool:
        """Return whether any pixel is not opaque."""
        return len(self._channels) == 4 and bool((self.pixels()[..., 3] < 1).any())

    @staticmethod
    def _check_color(chromaticities: Any, name: object) -> None:
        if chromaticities is None:
            return
        if not np.allclose(chromaticities, REC_709, rtol=0, atol=_ROUNDING):
            raise UserError(
                f"{name} states other primary colours than those of sRGB; save it in the colour "
                "space Linear Rec.709."
            )


def write_openexr(path: Path, light: np.ndarray) -> None:
    """Write an OpenEXR file with the channels R, G, B and A.

    Parameters
    ----------
    path : Path
    light : (H, W, 4) float32 array
        Linear light of the primaries of sRGB, premultiplied alpha.

    Raises
    ------
    UserError
        The package OpenEXR is missing.
    """
    openexr = _library(path, "write")
    header = {
        "compression": openexr.ZIP_COMPRESSION,
        "type": openexr.scanlineimage,
        "chromaticities": REC_709,
    }
    planes = {name: np.ascontiguousarray(light[..., at]) for at, name in enumerate("RGBA")}
    openexr.File(header, planes).write(str(path))


def _library(name: object, use: str) -> Any:
    """Return the module OpenEXR; where it is missing, a UserError says how to get it."""
    try:
        import OpenEXR
    except ImportError as error:
        raise UserError(
            f"{name} is an OpenEXR image; to {use} it, install the package OpenEXR in the engine's "
            "environment: python -m pip install OpenEXR."
        ) from error
    return OpenEXR


def _corners(window: Any) -> tuple[int, int, int, int]:
    """Return left, top, right and bottom of a window, the last two beyond its last pixels."""
    (x0, y0), (x1, y1) = ([int(value) for value in corner] for corner in window)
    x1, y1 = x1 + 1, y1 + 1
    if x1 <= x0 or y1 <= y0:
        raise ValueError("a window without pixels")
    return x0, y0, x1, y1


def _color_channels(channels: dict[str, Any], name: object) -> tuple[str, ...]:
    """Return the names of red, green and blue, and of alpha where there is one."""
    prefixes = [key[:-1] for key in channels if key.endswith("Combined.R")]
    for prefix in ("", *sorted(prefixes)):
        for wanted in ("RGB", "YYY"):
            names = tuple(prefix + channel for channel in wanted)
            if all(one in channels for one in names) and not (
                wanted == "YYY" and prefix + "RY" in channels
            ):
                names = (*names, prefix + "A") if prefix + "A" in channels else names
                if all(
                    (channels[one].xSampling, channels[one].ySampling) == (1, 1) for one in names
                ):
                    return names
    listed = ", ".join(sorted(channels)[:6])
    raise UserError(
        f"{name} has no channels R, G and B of full size, but {listed}; save its colours as an "
        "OpenEXR image of one layer."
    )
