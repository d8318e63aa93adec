"""Rays and what the teacher answered to them, in a bounded ring."""

from pathlib import Path

import torch
from torch import Tensor

from ..space.rays import Rays

RAY_VALUES = 6
COLOR_VALUES = 4


class RayPool:
    """A ring: the newest rays take the places of the oldest.

    Origins and directions are float32, for half precision would move a ray by a pixel; colours are
    float16. Together 32 bytes a ray.

    Parameters
    ----------
    capacity : int
        Rays.
    device : torch.device
    path : Path, optional
        Keep them in this file, ``PATH.rays`` and ``PATH.colors``, instead of in memory.
    """

    def __init__(self, capacity: int, device: torch.device, path: Path | None = None) -> None:
        self.device = device
        self.filled = self.next = 0
        self.files = [] if path is None else [Path(f"{path}.rays"), Path(f"{path}.colors")]
        self.rays = _table(capacity, RAY_VALUES, torch.float32, device, self.files[:1])
        self.colors = _table(capacity, COLOR_VALUES, torch.float16, device, self.files[1:])

    def add(self, rays: Rays, colors: Tensor) -> None:
        """Put in rays (N of them) and their premultiplied colour and alpha (N, 4)."""
        capacity = len(self.rays)
        rays, colors = Rays(*(part[-capacity:] for part in rays)), colors[-capacity:]
        places = (self.next + torch.arange(len(colors), device=self.rays.device)) % capacity
        self.rays[places] = torch.cat(rays, dim=1).to(self.rays.device)
        self.colors[places] = colors.to(self.colors.device, torch.float16)
        self.next = (self.next + len(colors)) % capacity
        self.filled = min(self.filled + len(colors), capacity)

    def draw(self, count: int, generator: torch.Generator) -> tuple[Rays, Tensor]:
        """`count` random rays, each as likely, and their colours (count, 4) float32."""
        index = torch.randint(self.filled, (count,), generator=generator).to(self.rays.device)
        chosen = self.rays[index].to(self.device)
        colors = self.colors[index].to(self.device, torch.float32)
        return Rays(chosen[:, :3], chosen[:, 3:]), colors

    def discard(self) -> None:
        """Delete the files, where there are some; nothing can be drawn any more."""
        self.rays = self.colors = torch.empty(0)
        for file in self.files:
            file.unlink(missing_ok=True)


def _table(
    rows: int, columns: int, dtype: torch.dtype, device: torch.device, files: list[Path]
) -> Tensor:
    """A table of zeros on a device, or in the file that is given."""
    if not files:
        return torch.zeros((rows, columns), dtype=dtype, device=device)
    files[0].parent.mkdir(parents=True, exist_ok=True)
    table = torch.from_file(str(files[0]), shared=True, size=rows * columns, dtype=dtype)
    return table.view(rows, columns)
