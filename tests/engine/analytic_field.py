"""Fields whose density and colour are formulas, for tests."""

from collections.abc import Callable

import torch
from torch import Tensor

from pvd_engine.fields.base import Field
from pvd_engine.space.occupancy import OccupancyGrid
from pvd_engine.space.space_map import BoxMap

BOX = ((-1.0, -1.0, -1.0), (1.0, 1.0, 1.0))


class AnalyticField(Field):
    """Density(points) -> (N,) and color(points, directions) -> (N, 3) as functions."""

    def __init__(
        self,
        density: Callable[[Tensor], Tensor],
        color: Callable[[Tensor, Tensor], Tensor] | None = None,
        box: tuple = BOX,
        resolution: int = 32,
    ) -> None:
        occupancy = OccupancyGrid(BoxMap(torch.tensor(box)), resolution)
        super().__init__(occupancy, 0.01, {"color_space": "srgb"})
        self.density = density
        self.color = color or (lambda points, directions: torch.full_like(points, 0.5))

    def features(self, points: Tensor, known: Tensor | None = None) -> Tensor:
        return torch.sin(points * 3)

    def log_density(self, points: Tensor) -> Tensor:
        return self.density(points).clamp(min=1e-20).log()

    def decode(self, points: Tensor, directions: Tensor, features: Tensor):
        return self.log_density(points), self.color(points, directions)


def gaussian_blob(peak: float, sigma: float) -> Callable[[Tensor], Tensor]:
    """A ball of fog about the origin."""
    return lambda points: peak * torch.exp(-points.square().sum(dim=-1) / (2 * sigma**2))


def block(density: float, low: tuple, high: tuple) -> Callable[[Tensor], Tensor]:
    """Constant density in a box."""

    def formula(points: Tensor) -> Tensor:
        inside = (points >= torch.tensor(low)) & (points <= torch.tensor(high))
        return density * inside.all(dim=-1).float()

    return formula


def uniform_points(count: int, low: float = -1.0, high: float = 1.0, seed: int = 0) -> Tensor:
    """Points (count, 3) in a cube."""
    generator = torch.Generator().manual_seed(seed)
    return torch.rand((count, 3), generator=generator) * (high - low) + low
