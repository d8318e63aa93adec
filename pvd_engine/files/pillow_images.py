"""PNG, JPEG, WebP, TIFF, BMP, AVIF and HEIC, by imageio's plugin for Pillow.

Three things are added to the plugin, all on the image that it holds: the header without decoding
(the plugin's own call for the EXIF data decodes a PNG), EXIF data that may be broken, and the 16
bits of colour images, which Pillow reads as 8 bits.
"""

import re
import sys
from typing import Any

import numpy as np
from imageio.plugins.pillow import PillowPlugin
from PIL import ExifTags, Image, ImageFile

from .image_header import ImageHeader, UnreadKindError

FORMATS = ("PNG", "JPEG", "MPO", "WEBP", "TIFF", "BMP", "DIB", "AVIF", "HEIF")
"""Pillow's names of the formats that are read; MPO is a JPEG file with further images."""

_ALPHA_MODES = ("RGBA", "LA", "PA", "RGBa", "La")
_GREY_16_MODES = ("I;16", "I;16L", "I;16B", "I;16N", "I")
_GREY_16_RAW = ("I;16", "I;16L", "I;16B", "I;16N")
"""Pillow's raw modes of grey of 16 bits, which some of its versions decode to 32."""

_DEEP = re.compile(r"(RGB|RGBX|RGBA|RGBa|LA);16([LBN])")
"""Pillow's raw modes of colour with 16 bits, in little-endian, big-endian or native order."""

_SWAPPED_ORIENTATIONS = (5, 6, 7, 8)


class PillowImage(PillowPlugin):
    """An open image file; made by ``imageio.v3.imopen(file, "r", plugin=PillowImage)``."""

    _image: ImageFile.ImageFile

    def header(self) -> ImageHeader:
        """Return the header.

        Raises
        ------
        UnreadKindError
            The file has a format that is not one of `FORMATS`, or numbers of another kind than
            whole ones of 8 or 16 bits.
        """
        image = self._image
        if image.format not in FORMATS:
            raise UnreadKindError(
                f"is a {image.format} image, which cannot be read; save it as PNG"
            )
        if image.mode == "F":
            raise UnreadKindError(
                "holds floating-point numbers; save it as OpenEXR, or with 8 or 16 bits"
            )
        if image.mode == "I" and not all(_raw_mode_of(tile) in _GREY_16_RAW for tile in image.tile):
            raise UnreadKindError(
                "holds whole numbers that are signed or of 32 bits; save it with 8 or 16 bits"
            )
        return ImageHeader(
            width=image.width,
            height=image.height,
            has_alpha=image.mode in _ALPHA_MODES or "transparency" in image.info,
            turned=self._orientation() in _SWAPPED_ORIENTATIONS,
            deep=image.mode in _GREY_16_MODES or self._raw_mode() is not None,
        )

    def pixels(self, turn: bool = False) -> np.ndarray:
        """Decode the image.

        Parameters
        ----------
        turn : bool
            Turn it as EXIF asks.

        Returns
        -------
        (height, width, 4) uint8 or uint16 array
            Display colour with straight alpha.
        """
        raw = self._raw_mode()
        if raw is not None:
            rgba = self._deep_color(*raw)
        elif self._image.mode in _GREY_16_MODES:
            rgba = self._deep_grey()
        else:
            return self.read(index=0, mode="RGBA", rotate=turn)
        return _turned(rgba, self._orientation()) if turn else rgba

    def shows_through(self) -> bool:
        """Return whether any pixel is not opaque; takes far less memory than `pixels`."""
        image = self._image
        if not self.header().has_alpha:
            return False
        if self._raw_mode() is not None or image.mode in _GREY_16_MODES:
            return bool((self.pixels()[..., 3] < 65535).any())
        with_alpha = image if image.mode in ("RGBA", "LA") else image.convert("RGBA")
        return with_alpha.getchannel("A").getextrema() != (255, 255)

    def metadata(self, index: int | None = None, exclude_applied: bool = True) -> dict[str, Any]:
        """Return the orientation alone, which `read` asks for; broken EXIF data states none."""
        return {"Orientation": self._orientation()}

    def _orientation(self) -> int:
        image = self._image
        if "exif" not in image.info and image.format == "PNG":
            return 1  # Pillow would decode the whole image in search of it
        try:
            return int(image.getexif().get(ExifTags.Base.Orientation, 1))
        except (ValueError, TypeError, SyntaxError, OSError, KeyError):
            return 1

    def _raw_mode(self) -> tuple[str, str] | None:
        """Return channels and byte order of an image that Pillow would cut to 8 bits, or None."""
        modes = {_DEEP.fullmatch(_raw_mode_of(tile)) for tile in self._image.tile}
        found = [(match[1], match[2]) for match in modes if match]
        return found[0] if found and len(found) == len(modes) else None

    def _deep_color(self, channels: str, order: str) -> np.ndarray:
        if channels == "LA":  # two channels of two bytes are as many as four of one
            high_low = self._unpacked("RGBA", "RGBA").astype(np.uint16)
            grey, alpha = (high_low[..., at] << 8 | high_low[..., at + 1] for at in (0, 2))
            return np.stack([grey, grey, grey, alpha], axis=-1)
        big = order == "B" or (order == "N" and sys.byteorder == "big")
        first, second = ("B", "L") if big else ("L", "B")
        # Of the two bytes of a value, each raw mode takes the one that is high in its order.
        raw = "RGB" if channels == "RGB" else "RGBA" if channels != "RGBX" else "RGBX"
        mode = self._image.mode if channels != "RGBa" else "RGBA"
        high = self._unpacked(mode, f"{raw};16{first}").astype(np.uint16)
        values = high << 8 | self._unpacked(mode, f"{raw};16{second}")
        key = self._image.info.get("transparency")
        if values.shape[-1] == 3:
            alpha = np.full(values.shape[:2], 65535, np.uint16)
            if isinstance(key, tuple):
                alpha[(values == key).all(axis=-1)] = 0
            return np.dstack([values, alpha])
        return _straight(values) if channels == "RGBa" else values

    def _unpacked(self, mode: str, raw: str) -> np.ndarray:
        """Decode the image with another raw mode than Pillow would take for it."""
        file = self._request.get_file()
        file.seek(0)
        with Image.open(file, formats=[str(self._image.format)]) as image:
            image.tile = [
                tile._replace(args=(raw, *tile.args[1:]) if isinstance(tile.args, tuple) else raw)
                for tile in image.tile
            ]
            image._mode = mode
            return np.asarray(image)

    def _deep_grey(self) -> np.ndarray:
        values = np.clip(np.asarray(self._image), 0, 65535).astype(np.uint16)
        alpha = np.full_like(values, 65535)
        key = self._image.info.get("transparency")
        if isinstance(key, int):
            alpha[values == key] = 0
        return np.dstack([values, values, values, alpha])


def _raw_mode_of(tile: Any) -> str:
    first = tile.args if isinstance(tile.args, str) else (tile.args or ("",))[0]
    return first if isinstance(first, str) else ""


def _straight(premultiplied: np.ndarray) -> np.ndarray:
    """Return 16-bit RGBA with its colours divided by alpha."""
    alpha = premultiplied[..., 3:].astype(np.float64)
    color = premultiplied[..., :3] * (65535 / np.maximum(alpha, 1))
    return np.dstack([np.minimum(color + 0.5, 65535).astype(np.uint16), premultiplied[..., 3]])


def _turned(rgba: np.ndarray, orientation: int) -> np.ndarray:
    """Return an image turned by a quarter as an EXIF orientation from 5 to 8 asks."""
    swapped = rgba.swapaxes(0, 1)
    return np.ascontiguousarray(
        {5: swapped, 6: swapped[:, ::-1], 7: swapped[::-1, ::-1], 8: swapped[::-1]}[orientation]
    )
