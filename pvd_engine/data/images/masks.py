"""Masks: the pixels of an image that count.

A mask is a separate image. Where it is black, the image's pixel is used neither for training nor
for measuring; everywhere else the pixel counts. nerfstudio does the same (``mask_path`` of a camera
entry in ``transforms.json``), and COLMAP (a folder ``masks`` with the mask ``a/b.jpg.png`` for the
image ``a/b.jpg``). instant-ngp's masks hide: in ``dynamic_mask_b.png`` next to ``b.jpg``, the
pixels that are not black do not count (``src/nerf_loader.cu``). nerfstudio samples the images of
fisheyes within ``fisheye_crop_radius`` of their middle (``pixel_samplers.py``).
"""

from pathlib import Path, PurePosixPath

import numpy as np

from ...errors import UserError
from ...files.images import load_image
from ...files.resize import resized
from ..capture import View

FOLDER = "masks"
"""Name of the folder of masks, next to COLMAP's images and in written captures."""

_WHOLE = 1 - 1e-4
"""Fraction of a smaller pixel that must count: all of it except rounding, which is less than one of
the 64² pixels of the smallest size."""


def mask_next_to_images(folder: Path, image: PurePosixPath) -> Path | None:
    """Return the mask of an image by COLMAP's convention, or None where there is none.

    Parameters
    ----------
    folder : Path
        Folder of the capture.
    image : PurePosixPath
        Path of the image, relative to the folder of images.
    """
    path = folder.joinpath(FOLDER, *image.parent.parts, f"{image.name}.png")
    return path if path.is_file() else None


def mask_that_hides(image: Path) -> Path | None:
    """Return the mask of an image by instant-ngp's convention, or None where there is none."""
    path = image.with_name(f"dynamic_mask_{image.stem}.png")
    return path if path.is_file() else None


def load_mask(view: View) -> np.ndarray | None:
    """Return the pixels of a view that count, at its camera's size.

    A mask of another size is stretched to the image's. Where the camera is smaller than the mask, a
    pixel counts only when all the pixels that it covers count, so nothing masked bleeds in.

    Returns
    -------
    (height, width) bool array or None
        None where the view has no mask.

    Raises
    ------
    UserError
        The mask cannot be read, or has another shape than the image.
    """
    masks = [_mask_of_file(view), _circle(view)]
    known = [mask for mask in masks if mask is not None]
    return np.logical_and.reduce(known) if known else None


def _mask_of_file(view: View) -> np.ndarray | None:
    if view.mask_path is None:
        return None
    pixels = load_image(view.mask_path)
    counts = np.asarray(pixels[..., :3].any(axis=2) != view.mask_hides)
    height, width = pixels.shape[:2]
    stored = _stored_size(view)
    # Half a pixel of rounding on each side of a reduced mask.
    if abs(width * stored[1] - height * stored[0]) > sum(stored) / 2:
        raise UserError(
            f"The mask {view.mask_path} has {width} x {height} pixels, another shape than its "
            f"image ({stored[0]} x {stored[1]}); make the mask again."
        )
    return _at_size(counts, view)


def _circle(view: View) -> np.ndarray | None:
    if view.mask_radius is None:
        return None
    width, height = _stored_size(view)
    across = np.arange(width) + 0.5 - width / 2
    down = np.arange(height) + 0.5 - height / 2
    counts = across**2 + down[:, None] ** 2 <= (view.mask_radius * width) ** 2
    return _at_size(counts, view)


def _stored_size(view: View) -> tuple[int, int]:
    return view.stored_size or (view.camera.width, view.camera.height)


def _at_size(counts: np.ndarray, view: View) -> np.ndarray:
    size = (view.camera.width, view.camera.height)
    if counts.shape[::-1] == size:
        return counts
    return np.asarray(resized(counts.astype(np.float32), size) >= _WHOLE)
