"""Rays and their colours from the teacher, in a ring buffer."""

import torch
from torch import Tensor

from ..space.rays import Rays

RAY_VALUES = 6
"""Numbers of a ray: origin and direction."""

COLOR_VALUES = 4
"""Numbers of its colour: premultiplied colour and alpha."""


class RayPool:
    """A ring buffer: the newest rays replace the oldest.

    Origins and directions are float32, because half precision would move a ray by a pixel; colours
    are float16. A ray takes 32 bytes.

    Parameters
    ----------
    capacity : int
        Number of rays that are kept.
    device : torch.device
    """

    def __init__(self, capacity: int, device: torch.device) -> None:
        self.filled = self.next = 0
        self.rays = torch.zeros((capacity, RAY_VALUES), device=device)
        self.colors = torch.zeros((capacity, COLOR_VALUES), dtype=torch.float16, device=device)

    def add(self, rays: Rays, colors: Tensor) -> None:
        """Add rays (N of them) and their premultiplied colour and alpha (N, 4)."""
        capacity = len(self.rays)
        rays, colors = Rays(*(part[-capacity:] for part in rays)), colors[-capacity:]
        rows = (self.next + torch.arange(len(colors), device=self.rays.device)) % capacity
        self.rays[rows] = torch.cat(rays, dim=1)
        self.colors[rows] = colors.to(torch.float16)
        self.next = (self.next + len(colors)) % capacity
        self.filled = min(self.filled + len(colors), capacity)

    def draw(self, count: int, generator: torch.Generator) -> tuple[Rays, Tensor]:
        """Return `count` rays, drawn uniformly, and their colours (count, 4) float32."""
        device = self.rays.device
        index = torch.randint(self.filled, (count,), generator=generator, device=device)
        chosen = self.rays.index_select(0, index)
        colors = self.colors.index_select(0, index).to(torch.float32)
        return Rays(chosen[:, :3], chosen[:, 3:]), colors
