"""Masks: which pixels of an image count.

A mask is an image of its own. Where it is black, the image's pixel is neither learned from nor
measured; where it is anything else, the pixel counts. So do nerfstudio (``mask_path`` of a frame
in ``transforms.json``) and COLMAP (a folder ``masks`` that has, for the image ``a/b.jpg``, the mask
``a/b.jpg.png``).
"""

from pathlib import Path, PurePosixPath

import numpy as np
from PIL import Image

from ...errors import UserError
from ...files.images import load_image
from ..capture import View

FOLDER = "masks"
"""Of COLMAP's masks, beside its images; written captures have theirs here, too."""

_WHOLE = 1 - 1e-4
"""Share of a smaller pixel that must count. All of it; one of the 64² pixels of the smallest size
is more than the rounding that this leaves room for."""


def beside_images(folder: Path, image: PurePosixPath) -> Path | None:
    """The mask that COLMAP's convention gives an image, where there is one.

    Parameters
    ----------
    folder : Path
        Of the capture.
    image : PurePosixPath
        Relative to the folder of images.
    """
    path = folder.joinpath(FOLDER, *image.parent.parts, f"{image.name}.png")
    return path if path.is_file() else None


def load_mask(view: View) -> np.ndarray | None:
    """Which pixels of a view count, at its camera's size.

    A mask of another size than the image is stretched over it. Where the camera is smaller than
    the mask, a pixel counts when all that it covers does, so that nothing masked bleeds in.

    Returns
    -------
    (height, width) bool array or None
        None where the view has no mask.

    Raises
    ------
    UserError
        The mask cannot be read, or is of another shape than the image.
    """
    if view.mask_path is None:
        return None
    pixels = load_image(view.mask_path)
    counts = np.asarray(pixels[..., :3].any(axis=2))
    height, width = pixels.shape[:2]
    size = (view.camera.width, view.camera.height)
    stored = view.stored_size or size
    # Half a pixel of rounding on each side of a mask that was made smaller.
    if abs(width * stored[1] - height * stored[0]) > sum(stored) / 2:
        raise UserError(
            f"The mask {view.mask_path} has {width} x {height} pixels, another shape than its "
            f"image ({stored[0]} x {stored[1]}); make it again."
        )
    if (width, height) == size:
        return counts
    shares = Image.fromarray(counts.astype(np.float32)).resize(size, Image.Resampling.BOX)
    return np.asarray(np.asarray(shares) >= _WHOLE)
