"""Image files: header reads, decoding to display colour with straight alpha, atomic PNG writes.

All images go through here, and from here through imageio; only OpenEXR and Radiance HDR, which it
does not read without large or downloaded libraries, have modules of their own.
"""

import contextlib
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Protocol, cast

import imageio.v3 as iio
import numpy as np
from imageio.core.request import InitializationError
from PIL import Image, features

from ..errors import UserError
from .atomic import write_atomic, write_bytes
from .file_input import opened
from .image_header import ImageHeader, UnreadKindError
from .linear_light import LostLight, from_display, lost_light, to_display
from .openexr_images import SIGNATURE as OPENEXR
from .openexr_images import OpenExrImage, write_openexr
from .pillow_images import PillowImage
from .radiance_images import SIGNATURES as RADIANCE
from .radiance_images import RadianceImage

SUFFIXES = (
    *(".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp"),
    *(".exr", ".hdr", ".avif", ".heic", ".heif"),
)
"""File endings of images; any other ending counts as part of the name."""

MAX_PIXELS = 150_000_000
"""Most pixels of an image of 8 bits; larger ones are refused before they are decoded. Images of 16
bits may have half as many, and those of linear light, which is decoded as float32, a quarter."""

PNG_COMPRESSION = 4
"""zlib level of written PNGs: nearly as small as the default 6, in half the time."""

UNREAD_SUFFIXES = (".gif", ".jxl", ".jp2", ".psd", ".tga", ".dng")
"""File endings of images that cannot be read; they are found so that an error can name them."""

_READ_BY_PILLOW = (
    *(b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"II*\0", b"MM\0*", b"II\x2b\0", b"MM\0\x2b"),
    *(b"BM",),
)
_OTHER_KINDS = {
    b"GIF8": "a GIF image",
    b"8BPS": "a Photoshop file",
    b"\xff\x0a": "a JPEG XL image",
    b"\0\0\0\x0cJXL ": "a JPEG XL image",
    b"\0\0\0\x0cjP  ": "a JPEG 2000 image",
    b"DDS ": "a DDS texture",
    b"qoif": "a QOI image",
    b"%PDF": "a PDF file",
}
_HEIC_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"mif1", b"msf1")
_HEAD_BYTES = 64


class _OpenImage(Protocol):
    def header(self) -> ImageHeader: ...
    def pixels(self, turn: bool = False) -> np.ndarray: ...
    def shows_through(self) -> bool: ...


def read_header(path: Path) -> ImageHeader:
    """Read an image's header.

    Raises
    ------
    UserError
        The file is missing, not an image, or larger than `MAX_PIXELS`.
    """
    with _opened(path) as (_, header):
        return header


def image_size(path: Path) -> tuple[int, int]:
    """Return width and height of the stored pixels, from the header only."""
    header = read_header(path)
    return header.width, header.height


def has_alpha(path: Path) -> bool:
    """Return whether an image has transparency, from the header only."""
    return read_header(path).has_alpha


def holds_linear_light(path: Path) -> bool:
    """Return whether a file starts as an image of linear light does; False if it cannot be read."""
    try:
        with opened(path) as file:
            return file.read(_HEAD_BYTES).startswith((OPENEXR, *RADIANCE))
    except UserError:
        return False


def shows_through(path: Path) -> bool:
    """Return whether any pixel is not opaque; takes far less memory than `load_image`.

    Raises
    ------
    UserError
        The file is missing, damaged or too large.
    """
    with _opened(path) as (image, _):
        return image.shows_through()


def load_image(
    path: Path, expected_size: tuple[int, int] | None = None, exposure: float = 0.0
) -> np.ndarray:
    """Decode an image to sRGB with straight alpha, with 8 bits or with 16.

    Pixels are returned as stored, as the programs that find camera poses see them. A quarter turn
    that EXIF asks for is applied only when `expected_size` fits the turned image alone. Grey,
    palette and CMYK images are converted; an image without transparency is opaque. Linear light
    becomes display colour (`linear_light.to_display`).

    Parameters
    ----------
    path : Path
    expected_size : (width, height), optional
        The size that the camera states.
    exposure : float
        Stops by which linear light is brightened.

    Returns
    -------
    (height, width, 4) uint8 or uint16 array
        uint16 where the file has more than 8 bits.

    Raises
    ------
    UserError
        The file is missing, damaged, too large, or of another size than expected.
    """
    with _opened(path) as (image, header):
        size = header.width, header.height
        wanted = size if expected_size is None else tuple(expected_size)
        turn = wanted != size
        if turn and not (header.turned and wanted == size[::-1]):
            raise UserError(
                f"{path} has {size[0]} x {size[1]} pixels, but its camera has {wanted[0]} x "
                f"{wanted[1]}; read the capture again."
            )
        pixels = image.pixels(turn)
    return to_display(pixels, exposure) if header.linear else pixels


def light_not_loaded(path: Path, exposure: float) -> LostLight:
    """Return what `load_image` loses of the light of an image.

    Raises
    ------
    UserError
        The file is missing, damaged or too large.
    """
    with _opened(path) as (image, header):
        return lost_light(image.pixels(), exposure) if header.linear else LostLight(0.0, 0.0)


def as_float(image: np.ndarray) -> np.ndarray:
    """Return an image of 8 or 16 bits as float32 in [0, 1]."""
    return image.astype(np.float32) / np.float32(np.iinfo(image.dtype).max)


def write_png(path: Path, array: np.ndarray) -> Path:
    """Write an image as PNG, atomically: under a temporary name, then renamed.

    Parameters
    ----------
    path : Path
        Missing parent folders are made.
    array : (H, W), (H, W, 3) or (H, W, 4) uint8 array, or (H, W, 3) or (H, W, 4) uint16 array
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
        The array is not an image of 8 or 16 bits.
    """
    if array.dtype not in (np.uint8, np.uint16) or array.ndim not in (2, 3) or 0 in array.shape:
        raise ValueError(f"an 8-bit or 16-bit image was expected, not {array.dtype} {array.shape}")
    if array.dtype == np.uint16:
        write_bytes(path, _png_of_16_bits(array))
        return path
    image = np.ascontiguousarray(array)
    write_atomic(
        path,
        lambda temporary: iio.imwrite(
            temporary, image, plugin="pillow", format="PNG", compress_level=PNG_COMPRESSION
        ),
    )
    return path


def write_exr(path: Path, color: np.ndarray, alpha: np.ndarray) -> Path:
    """Write a picture in display colour as an OpenEXR image of linear light, atomically.

    Parameters
    ----------
    path : Path
        Missing parent folders are made.
    color : (H, W, 3) float32 array
        sRGB, premultiplied alpha.
    alpha : (H, W) float32 array

    Returns
    -------
    Path
        `path`.

    Raises
    ------
    UserError
        The package OpenEXR is missing, or the folder cannot be written.
    """
    light = from_display(color, alpha)
    write_atomic(path, lambda temporary: write_openexr(temporary, light))
    return path


def png_bytes(array: np.ndarray) -> bytes:
    """Return a uint8 image (H, W, 3) as the content of a small PNG file."""
    return iio.imwrite("<bytes>", array, plugin="pillow", extension=".png", optimize=True)


def _png_of_16_bits(array: np.ndarray) -> bytes:
    """Return the content of a PNG file; imageio's plugin for Pillow writes colour with 8 bits."""
    height, width, channels = array.shape
    values = array.astype(">u2").view(np.uint8).reshape(height, -1)
    pixel = 2 * channels
    rows = np.ones((height, 1 + values.shape[1]), np.uint8)  # filter 1: minus the pixel before
    rows[:, 1 : 1 + pixel] = values[:, :pixel]
    rows[:, 1 + pixel :] = values[:, pixel:] - values[:, :-pixel]
    size = struct.pack(">IIBBBBB", width, height, 16, 6 if channels == 4 else 2, 0, 0, 0)
    data = zlib.compress(rows.tobytes(), PNG_COMPRESSION)
    chunks = [(b"IHDR", size), (b"IDAT", data), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in chunks
    )


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[tuple[_OpenImage, ImageHeader]]:
    """Open an image, and turn every failure of decoding into a UserError."""
    with opened(path) as file:
        try:
            with contextlib.ExitStack() as stack:
                image = _open(file, path, stack)
                header = image.header()
                shown, stored = header.width * header.height, getattr(image, "stored_pixels", 0)
                most = MAX_PIXELS // (4 if header.linear else 2 if header.deep else 1)
                if max(shown, stored) > most:
                    raise UserError(
                        f"{path} has {header.width} x {header.height} pixels, too many to read; "
                        "make the image smaller."
                    )
                yield image, header
        except UserError:
            raise
        except UnreadKindError as error:
            raise UserError(f"{path} {error}.") from error
        except Exception as error:
            # Decoders report damaged pixel data with many types, depending on the format.
            cause = error.__cause__ if isinstance(error, OSError) else None
            if isinstance(error, Image.DecompressionBombError) or isinstance(
                cause, Image.DecompressionBombError
            ):
                raise UserError(
                    f"{path} has too many pixels to read; make the image smaller."
                ) from error
            if isinstance(cause, InitializationError):
                raise UserError(f"{path} is not an image that can be read; replace it.") from error
            reason = " ".join(str(error).split())[:80]
            why = f" ({reason})" if reason else ""
            raise UserError(f"{path} is damaged and cannot be read{why}; replace it.") from error


def _open(file: BinaryIO, path: Path, stack: contextlib.ExitStack) -> _OpenImage:
    """Open an image by its first bytes; its name says nothing."""
    head = file.read(_HEAD_BYTES)
    file.seek(0)
    if head.startswith(OPENEXR):
        return OpenExrImage(file, path)
    if head.startswith(RADIANCE):
        return RadianceImage(file, path)
    if head[4:8] == b"ftyp":
        _require_reader(head, path)
    elif not (head.startswith(_READ_BY_PILLOW) or (head[:4], head[8:12]) == (b"RIFF", b"WEBP")):
        kind = next((kind for start, kind in _OTHER_KINDS.items() if head.startswith(start)), None)
        if kind is None:
            raise UserError(f"{path} is not an image that can be read; replace it.")
        raise UserError(f"{path} is {kind}, which cannot be read; save it as PNG or JPEG.")
    image = stack.enter_context(iio.imopen(file, "r", plugin=PillowImage))
    return cast(PillowImage, image)


def _require_reader(head: bytes, path: Path) -> None:
    """Raise UserError where no reader of an AVIF or HEIC image is installed."""
    brands = head[8:]
    if b"avif" in brands or b"avis" in brands:
        if not features.check("avif"):
            raise UserError(
                f"{path} is an AVIF image; to read it, install a newer Pillow in the engine's "
                "environment: python -m pip install -U pillow."
            )
        return
    if not any(brand in brands for brand in _HEIC_BRANDS):
        raise UserError(f"{path} is a film or another file, not an image; give an image.")
    try:
        import pillow_heif  # noqa: F401 (imageio registers it)
    except ImportError as error:
        raise UserError(
            f"{path} is a HEIC image; to read it, install the package pillow-heif in the engine's "
            "environment: python -m pip install pillow-heif; or save it as JPEG."
        ) from error
