"""Pictures of anything that can be rendered."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from ..data.capture import Camera
from ..fields.base import Renderable


@dataclass(frozen=True)
class RenderedImage:
    """A picture of a field.

    Attributes
    ----------
    color : (H, W, 3) float32 array
        In the field's colour space, premultiplied by alpha.
    alpha : (H, W) float32 array
    depth : (H, W) float32 array
        Expected distance along the ray, dataset units; 0 where alpha is 0, and everywhere in the
        picture of a light field, which has no depth.
    """

    color: np.ndarray
    alpha: np.ndarray
    depth: np.ndarray

    def over(self, background: float | np.ndarray) -> np.ndarray:
        """Return the colour (H, W, 3) composited on a background: a grey, or a colour (3,)."""
        return self.color + background * (1 - self.alpha[..., None])

    def on_white(self) -> np.ndarray:
        """Return the colour (H, W, 3) on white, in [0, 1]: the picture that is compared."""
        return self.over(1.0).clip(0, 1)

    def to_uint8(self) -> np.ndarray:
        """Return straight-alpha RGBA (H, W, 4) uint8, as a PNG file holds it."""
        return self._quantized(np.uint8)

    def to_uint16(self) -> np.ndarray:
        """Return straight-alpha RGBA (H, W, 4) uint16, as a PNG file of 16 bits holds it."""
        return self._quantized(np.uint16)

    def _quantized(self, dtype: type[np.unsignedinteger]) -> np.ndarray:
        straight = self.color / np.maximum(self.alpha[..., None], 1e-6)
        rgba = np.concatenate((straight, self.alpha[..., None]), axis=-1)
        return (rgba.clip(0, 1) * np.float32(np.iinfo(dtype).max) + 0.5).astype(dtype)


@torch.no_grad()
def render_image(
    field: Renderable, camera: Camera, progress: Callable[[float], None] | None = None
) -> RenderedImage:
    """Return the picture of a field from a camera.

    Parameters
    ----------
    field : Renderable
    camera : Camera
        Dataset frame.
    progress : callable, optional
        Called with the fraction that is done after each part of the picture; may raise to stop.
    """
    total, parts, done = camera.width * camera.height, [], 0
    for seen in field.picture(camera):
        parts.append(torch.cat((seen.color, seen.alpha[:, None], seen.depth[:, None]), dim=1))
        done += len(seen.alpha)
        if progress is not None:
            progress(done / total)
    image = torch.cat(parts).view(camera.height, camera.width, 5).cpu().numpy()
    alpha = image[..., 3]
    return RenderedImage(image[..., :3], alpha, image[..., 4] / np.maximum(alpha, 1e-6))
