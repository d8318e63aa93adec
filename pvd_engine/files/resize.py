"""Images at another size, by the mean over the area of each new pixel."""

import numpy as np
from PIL import Image


def resized(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Return an image at another size.

    Parameters
    ----------
    image : (H, W), (H, W, C) float32, (H, W, 4) uint8 or (H, W, 4) uint16 array
        Integers are RGBA with straight alpha. Their colours are weighted by alpha, so that
        transparent pixels do not bleed in.
    size : (width, height)

    Returns
    -------
    array
        Of the same type and number of channels.
    """
    if image.dtype == np.uint8:  # Pillow weights colours by alpha
        return np.array(Image.fromarray(image).resize(size, Image.Resampling.BOX))
    if image.dtype == np.uint16:
        return _resized_16_bits(image, size)
    planes = image[..., None] if image.ndim == 2 else image
    result = np.stack(
        [_resized_plane(planes[..., index], size) for index in range(planes.shape[-1])], axis=-1
    )
    return result[..., 0] if image.ndim == 2 else result


def _resized_16_bits(rgba: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    alpha = rgba[..., 3].astype(np.float32)
    mean = _resized_plane(alpha, size)
    planes = [
        _resized_plane(rgba[..., index] * (alpha / 65535), size) * 65535 / np.maximum(mean, 1e-3)
        for index in range(3)
    ]
    return (np.stack([*planes, mean], axis=-1).clip(0, 65535) + 0.5).astype(np.uint16)


def _resized_plane(plane: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    picture = Image.fromarray(np.ascontiguousarray(plane, np.float32))
    return np.asarray(picture.resize(size, Image.Resampling.BOX))
