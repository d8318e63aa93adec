"""Pictures as arrays, read by Blender, and what lies between their pixels."""

import bpy
import numpy as np


def read_pixels(path):
    """An image file's own values, (H, W, 4) float32, first row on top."""
    image = bpy.data.images.load(str(path), check_existing=False)
    width, height = image.size
    values = np.empty(width * height * 4, dtype=np.float32)
    image.pixels.foreach_get(values)
    bpy.data.images.remove(image)
    return values.reshape(height, width, 4)[::-1]


def between_pixels(picture, u, v):
    """Straight colours at positions inside a picture, corner origin, interpolated linearly."""
    height, width = picture.shape[:2]
    x, y = np.clip(u - 0.5, 0, width - 1), np.clip(v - 0.5, 0, height - 1)
    x0, y0 = np.minimum(x.astype(int), width - 2), np.minimum(y.astype(int), height - 2)
    across, down = (x - x0)[..., None], (y - y0)[..., None]
    weighed = np.concatenate([picture[..., :3] * picture[..., 3:], picture[..., 3:]], axis=2)
    top = weighed[y0, x0] * (1 - across) + weighed[y0, x0 + 1] * across
    bottom = weighed[y0 + 1, x0] * (1 - across) + weighed[y0 + 1, x0 + 1] * across
    found = top * (1 - down) + bottom * down
    found[..., :3] /= np.maximum(found[..., 3:], 1e-6)
    return found
