"""Image files: header reads, decoding to 8-bit sRGB with straight alpha, atomic PNG writes."""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from ..errors import UserError
from .atomic import write_atomic
from .file_input import opened

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp")
"""File endings of images; any other ending counts as part of the name."""

MAX_PIXELS = 150_000_000
"""Most pixels of an image; larger ones are refused before they are decoded."""

PNG_COMPRESSION = 4
"""zlib level of written PNGs: nearly as small as the default 6, in half the time."""

UNREAD_SUFFIXES = (".exr", ".hdr", ".heic", ".avif", ".gif")
"""File endings of images that cannot be read; they are found so that an error can name them."""

_OTHER_KINDS: dict[str, Callable[[bytes], bool]] = {
    "an OpenEXR image": lambda head: head.startswith(b"\x76\x2f\x31\x01"),
    "a Radiance HDR image": lambda head: head.startswith((b"#?RADIANCE", b"#?RGBE")),
    "a HEIC or AVIF image": lambda head: head[4:8] == b"ftyp",
    "a GIF image": lambda head: head.startswith((b"GIF87a", b"GIF89a")),
}
_HEAD_BYTES = 16
_FORMATS = ("PNG", "JPEG", "WEBP", "TIFF", "BMP")
_ALPHA_MODES = ("RGBA", "LA", "PA", "RGBa", "La")
_HIGH_DEPTH_MODES = ("I;16", "I;16L", "I;16B", "I;16N", "I")
_SWAPPED_ORIENTATIONS = (5, 6, 7, 8)


@dataclass(frozen=True)
class ImageHeader:
    """The header of an image, read without decoding the pixels.

    Attributes
    ----------
    width, height : int
        Size of the stored pixels.
    has_alpha : bool
        There is an alpha channel, or a transparent palette entry or key colour.
    turned : bool
        The EXIF orientation is a quarter turn, which swaps width and height.
    """

    width: int
    height: int
    has_alpha: bool
    turned: bool


def read_header(path: Path) -> ImageHeader:
    """Read an image's header.

    Raises
    ------
    UserError
        The file is missing, not an image, or larger than `MAX_PIXELS`.
    """
    with _opened(path) as image:
        return ImageHeader(
            width=image.width,
            height=image.height,
            has_alpha=image.mode in _ALPHA_MODES or "transparency" in image.info,
            turned=_orientation(image) in _SWAPPED_ORIENTATIONS,
        )


def image_size(path: Path) -> tuple[int, int]:
    """Return width and height of the stored pixels, from the header only."""
    header = read_header(path)
    return header.width, header.height


def has_alpha(path: Path) -> bool:
    """Return whether an image has transparency, from the header only."""
    return read_header(path).has_alpha


def shows_through(path: Path) -> bool:
    """Return whether any pixel is not opaque; takes far less memory than `load_image`.

    Raises
    ------
    UserError
        The file is missing, damaged or too large.
    """
    with _opened(path) as image:
        if image.mode in _HIGH_DEPTH_MODES:
            return False
        with_alpha = image if image.mode in ("RGBA", "LA") else image.convert("RGBA")
        return with_alpha.getchannel("A").getextrema() != (255, 255)


def load_image(path: Path, expected_size: tuple[int, int] | None = None) -> np.ndarray:
    """Decode an image to 8-bit sRGB with straight alpha.

    Pixels are returned as stored, as the programs that find camera poses see them. A quarter turn
    that EXIF asks for is applied only when `expected_size` fits the turned image alone. Grey,
    palette, CMYK and 16-bit images are converted; an image without transparency is opaque.

    Parameters
    ----------
    path : Path
    expected_size : (width, height), optional
        The size that the camera states.

    Returns
    -------
    (height, width, 4) uint8 array

    Raises
    ------
    UserError
        The file is missing, damaged, too large, or of another size than expected.
    """
    with _opened(path) as image:
        size = image.size
        if expected_size is not None and size != tuple(expected_size):
            turned = _orientation(image) in _SWAPPED_ORIENTATIONS
            if not turned or size[::-1] != tuple(expected_size):
                raise UserError(
                    f"{path} has {size[0]} x {size[1]} pixels, but its camera has "
                    f"{expected_size[0]} x {expected_size[1]}; read the capture again."
                )
            image = ImageOps.exif_transpose(image)
        return _to_rgba(image)


def write_png(path: Path, array: np.ndarray) -> Path:
    """Write an image as PNG, atomically: under a temporary name, then renamed.

    Parameters
    ----------
    path : Path
        Missing parent folders are made.
    array : (H, W), (H, W, 3) or (H, W, 4) uint8 array
        sRGB with straight alpha.

    Returns
    -------
    Path
        `path`.

    Raises
    ------
    UserError
        The folder cannot be written (full, read-only).
    ValueError
        The array is not an 8-bit image.
    """
    if array.dtype != np.uint8 or array.ndim not in (2, 3) or 0 in array.shape:
        raise ValueError(f"an 8-bit image was expected, not {array.dtype} {array.shape}")
    image = Image.fromarray(np.ascontiguousarray(array))
    write_atomic(
        path,
        lambda temporary: image.save(temporary, format="PNG", compress_level=PNG_COMPRESSION),
    )
    return path


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    """Open an image, and turn every failure of decoding into a UserError."""
    with opened(path) as file:
        _refuse_other_kinds(file, path)
        try:
            with Image.open(file, formats=_FORMATS) as image:
                if image.width * image.height > MAX_PIXELS:
                    raise UserError(
                        f"{path} has {image.width} x {image.height} pixels, too many to read; "
                        "make the image smaller."
                    )
                yield image
        except UnidentifiedImageError as error:
            raise UserError(f"{path} is not an image that can be read; replace it.") from error
        except Image.DecompressionBombError as error:
            raise UserError(
                f"{path} has too many pixels to read; make the image smaller."
            ) from error
        except (OSError, SyntaxError, ValueError, EOFError, MemoryError) as error:
            # Pillow reports damaged pixel data with all of these, depending on the format.
            reason = " ".join(str(error).split())[:80]
            why = f" ({reason})" if reason else ""
            raise UserError(f"{path} is damaged and cannot be read{why}; replace it.") from error


def _refuse_other_kinds(file: BinaryIO, path: Path) -> None:
    """Raise UserError for common kinds of images that cannot be read, with their name."""
    head = file.read(_HEAD_BYTES)
    file.seek(0)
    for kind, is_kind in _OTHER_KINDS.items():
        if is_kind(head):
            raise UserError(f"{path} is {kind}, which cannot be read; save it as PNG or JPEG.")


def _orientation(image: Image.Image) -> int:
    try:
        return int(image.getexif().get(ExifTags.Base.Orientation, 1))
    except (ValueError, TypeError, SyntaxError, OSError, KeyError):
        return 1


def _to_rgba(image: Image.Image) -> np.ndarray:
    if image.mode in _HIGH_DEPTH_MODES:
        grey = _eight_bits(np.asarray(image))
        return np.dstack([grey, grey, grey, np.full_like(grey, 255)])
    if image.mode == "F":
        raise ValueError("its pixels are floating-point numbers; save it with 8 or 16 bits")
    return np.array(image if image.mode == "RGBA" else image.convert("RGBA"))


def _eight_bits(values: np.ndarray) -> np.ndarray:
    """Scale 16-bit grey to 8 bits, rounded; Pillow's own conversion clips instead of scaling."""
    return ((np.clip(values.astype(np.int64), 0, 65535) * 255 + 32767) // 65535).astype(np.uint8)
