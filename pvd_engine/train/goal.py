"""The end of an optimisation by quality, before its budget is spent."""

from dataclasses import dataclass

import numpy as np

from ..data.capture import Camera
from ..fields.base import Renderable
from ..measure.image_metrics import psnr
from ..render.render import render_image


@dataclass(frozen=True)
class Goal:
    """A view that a field must match, and the PSNR at which it does.

    Attributes
    ----------
    psnr : float
        PSNR on white at which the goal is reached, decibels.
    camera : Camera
    expected : (H, W, 3) float32 array
        The picture that the camera should see, on white.
    counts : (H, W) bool array or None
        The pixels that are compared; all where it is None.
    """

    psnr: float
    camera: Camera
    expected: np.ndarray
    counts: np.ndarray | None = None

    def reached(self, field: Renderable) -> bool:
        """Return whether a field's picture is good enough."""
        picture = render_image(field, self.camera).on_white()
        return psnr(picture, self.expected, self.counts) >= self.psnr
