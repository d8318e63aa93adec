"""The training images as one table of pixels with their rays."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ..data.capture import View
from ..data.downscale import load_view
from ..render.rays import CameraBatch, Rays, generate_rays


@dataclass(frozen=True)
class PixelTable:
    """Every pixel of a set of views.

    Attributes
    ----------
    cameras : CameraBatch
    colors : (P, 4) uint8
        sRGB, straight alpha; views one after another, rows from the top.
    starts : (V + 1,) int64
        First pixel of each view, and P.
    widths : (V,) int64
    """

    cameras: CameraBatch
    colors: Tensor
    starts: Tensor
    widths: Tensor

    @classmethod
    def load(cls, views: Sequence[View], device: torch.device) -> "PixelTable":
        """Read the images of views; those without an image are passed over.

        Raises
        ------
        UserError
            When an image cannot be read.
        """
        cameras, images = [], []
        for view in views:
            if view.image_path is not None:
                images.append(load_view(view).reshape(-1, 4))
                cameras.append(view.camera)
        starts = np.cumsum([0] + [len(image) for image in images])
        return cls(
            CameraBatch.from_cameras(cameras, device),
            torch.from_numpy(np.concatenate(images)).to(device),
            torch.from_numpy(starts).to(device),
            torch.tensor([camera.width for camera in cameras], device=device),
        )

    def draw(self, count: int, generator: torch.Generator) -> tuple[Rays, Tensor]:
        """Random pixels of all views together.

        Returns
        -------
        rays : Rays
            `count` of them, dataset frame.
        rgba : (count, 4) float32
            sRGB-encoded, straight alpha, in [0, 1].
        """
        device = self.colors.device
        index = torch.randint(len(self.colors), (count,), generator=generator).to(device)
        view = torch.searchsorted(self.starts, index, right=True) - 1
        inside = index - self.starts[view]
        width = self.widths[view]
        pixels = torch.stack((inside % width, inside // width), dim=-1) + 0.5
        return generate_rays(self.cameras, view, pixels), self.colors[index].float() / 255
