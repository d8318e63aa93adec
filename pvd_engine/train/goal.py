"""The end of an optimisation by quality, before its budget is spent."""

from dataclasses import dataclass

import numpy as np

from ..data.capture import Camera
from ..fields.base import Renderable
from ..measure.image_metrics import psnr
from ..render.render import render_image


@dataclass(frozen=True)
class Goal:
    """A picture that a field is to show well enough.

    Attributes
    ----------
    psnr : float
        Decibel, on white.
    camera : Camera
    expected : (H, W, 3) float32 array
        What the camera is to see, on white.
    counts : (H, W) bool array or None
        The pixels that are compared; all where it is None.
    """

    psnr: float
    camera: Camera
    expected: np.ndarray
    counts: np.ndarray | None = None

    def reached(self, field: Renderable) -> bool:
        """Return whether a field's picture is good enough now."""
        picture = render_image(field, self.camera).over(1.0)
        return psnr(picture, self.expected, self.counts) >= self.psnr
