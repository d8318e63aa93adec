"""The map of unbounded scenes: all of space, contracted outside a cube.

Barron et al., "Mip-NeRF 360: unbounded anti-aliased neural radiance fields", 2022, equation 10,
with the largest coordinate in place of the length, as suits grids: a point x, in half sides of the
cube, stays where it is inside the cube, and moves to (2 - 1/|x|) x/|x| outside.
"""

import torch
from torch import Tensor

from ..kernels.contracted import (
    contract,
    expand,
    march_contracted,
    positions_contracted,
    visible_positions_contracted,
)
from ..kernels.marching import PackedSamples
from ..kernels.widest import widest
from .rays import Rays
from .space_map import SpaceMap

FARTHEST = 1e4
"""Distance, in half sides of the cube, beyond which all points count as equally far."""


class ContractedMap(SpaceMap):
    """All of space: the cube around the box unchanged, all outside contracted to twice its size.

    Cells fill the contracted cube, so half of them along each axis lie inside. Rays are sampled in
    equal steps near the cube, and in equal steps of inverse distance beyond it.
    """

    kind = "unbounded"
    probes_per_cell = 16  # cells are large and surfaces thin: 4 left a hole in the head of fox

    def _to_unit(self, points: Tensor) -> Tensor:
        return (points - self.center.to(points.dtype)) / self.half_side

    def to_cube(self, points: Tensor) -> Tensor:
        """Return dataset-frame points (..., 3), contracted."""
        return contract(self._to_unit(points)) / 2

    def from_cube(self, points: Tensor) -> Tensor:
        """Return the inverse of `to_cube`; the cube's surface maps to `FARTHEST`."""
        return expand(points * 2, FARTHEST) * self.half_side + self.center.to(points.dtype)

    def contains(self, points: Tensor) -> Tensor:
        """Return True for all points."""
        return torch.ones(len(points), dtype=torch.bool, device=points.device)

    def log_stretch(self, points: Tensor) -> Tensor:
        """Return the logarithm of the squared largest coordinate, in half sides; 0 in the cube."""
        largest = self._to_unit(points).abs().amax(dim=-1).clamp(1, FARTHEST)
        return 2 * largest.log()

    def dataset_bounds(self, low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
        """Return bounds from the smallest and largest scale of the contraction in each box."""
        low, high = widest(low) * 4 - 2, widest(high) * 4 - 2
        near, far = _largest(low, high)
        growth = torch.stack((_growth(near), _growth(far)))[..., None]
        corners = torch.cat((low * growth, high * growth))
        half, center = self.half_side, widest(self.center)
        return corners.amin(dim=0) * half + center, corners.amax(dim=0) * half + center

    def grid_bounds(self, low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
        """Return bounds from the smallest and largest scale of the contraction in each box."""
        low, high = self._to_unit(widest(low)), self._to_unit(widest(high))
        near, far = (largest.clamp(min=1) for largest in _largest(low, high))
        shrinkage = torch.stack(((2 - 1 / near) / near, (2 - 1 / far) / far))[..., None]
        corners = torch.cat((low * shrinkage, high * shrinkage))
        return (corners.amin(dim=0) + 2) / 4, (corners.amax(dim=0) + 2) / 4

    def march(self, rays: Rays, occupancy: Tensor, step: float, jitter: Tensor) -> PackedSamples:
        """Return samples in equal steps of each ray's own contraction about the cube's centre."""
        half = self.half_side
        unit = march_contracted(
            self._to_unit(rays.origins), rays.directions, occupancy, step / half, jitter
        )
        return PackedSamples(unit.ray_index, unit.t * half, unit.offsets, unit.log_stretch)

    def positions(
        self, rays: Rays, occupancy: Tensor, probes: int, fractions: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return positions at fractions of each ray's own contraction."""
        distances, met = positions_contracted(
            self._to_unit(rays.origins), rays.directions, occupancy, probes, fractions
        )
        return distances * self.half_side, met

    def visible_positions(
        self, rays: Rays, codes: Tensor, extinctions: Tensor, probes: int, fractions: Tensor
    ) -> Tensor:
        """Return positions at fractions of the light along each ray's own contraction."""
        origins = self._to_unit(rays.origins)
        found = visible_positions_contracted(
            origins, rays.directions, codes, extinctions, probes, fractions
        )
        return found * self.half_side


def _largest(low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
    """Return the smallest and largest value (N,) of the largest coordinate in boxes."""
    least = torch.where((low <= 0) & (high >= 0), 0, torch.minimum(low.abs(), high.abs()))
    return least.amax(dim=-1), torch.maximum(low.abs(), high.abs()).amax(dim=-1)


def _growth(contracted: Tensor) -> Tensor:
    """Return the scale from contracted to real for a point's largest contracted coordinate."""
    m = contracted.clamp(1, 2 - 1 / FARTHEST)
    return 1 / ((2 - m) * m)
