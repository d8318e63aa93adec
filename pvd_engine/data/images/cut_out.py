"""Transparency that is stated outside of an image's file.

instant-ngp (``src/nerf_loader.cu``) reads alpha from the red channel, in linear light, of
``a.png.alpha.png`` for the image that is listed as ``a.png``, and makes pixels transparent that are
exactly white (``white_transparent``) or black (``black_transparent``).
"""

from pathlib import Path

import numpy as np

from ...errors import UserError
from ...files.images import as_float, load_image, shows_through
from ..capture import View


def alpha_next_to(image: Path) -> Path | None:
    """Return the alpha image of an image, listed with its ending or without; None without one."""
    names = (f"{name}.alpha{image.suffix}" for name in (image.name, image.stem))
    return next((path for path in map(image.with_name, names) if path.is_file()), None)


def with_transparency(view: View, rgba: np.ndarray) -> np.ndarray:
    """Return a view's pixels as stored with the transparency that its file does not have.

    Parameters
    ----------
    view : View
    rgba : (H, W, 4) uint8 or uint16 array

    Raises
    ------
    UserError
        The alpha image cannot be read, or has another size.
    """
    if not view.is_cut_out:
        return rgba
    rgba, white = rgba.copy(), np.iinfo(rgba.dtype).max
    if view.alpha_path is not None:
        alpha = as_float(load_image(view.alpha_path)[..., 0])
        if alpha.shape != rgba.shape[:2]:
            raise UserError(
                f"The alpha image {view.alpha_path} has another size than its image; make it again."
            )
        linear = np.where(alpha <= 0.04045, alpha / 12.92, ((alpha + 0.055) / 1.055) ** 2.4)
        rgba[..., 3] = linear * white + 0.5
    for level in view.clear_levels:
        rgba[(rgba[..., :3] == level * white).all(axis=-1), 3] = 0
    return rgba


def shows_through_cut_out(view: View) -> bool:
    """Return whether any pixel of a view's image is not opaque.

    Raises
    ------
    UserError
        An image cannot be read.
    """
    assert view.image_path is not None
    if not view.is_cut_out:
        return shows_through(view.image_path)
    rgba = with_transparency(view, load_image(view.image_path))
    return bool((rgba[..., 3] < np.iinfo(rgba.dtype).max).any())
