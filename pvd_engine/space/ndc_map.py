"""The map of forward-facing scenes: normalised device coordinates of one reference camera.

Mildenhall et al., "NeRF: representing scenes as neural radiance fields for view synthesis", 2020,
appendix C: depth w from the reference camera's plane becomes 1 - 2 n / w, which maps depths from
the near plane n to infinity to [-1, 1]; distances from the axis are divided by depth. Straight rays
stay straight.
"""

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..kernels.marching import PackedSamples, march_rays
from ..kernels.ray_positions import ray_positions
from ..kernels.visible_positions import visible_positions
from ..kernels.widest import widest
from .rays import Rays
from .space_map import SpaceMap

FARTHEST = 1e4
"""Depth, in depths of the near plane, beyond which all points count as equally deep."""


class NdcMap(SpaceMap):
    """Half of space, seen from a reference camera.

    Parameters
    ----------
    box : (2, 3) tensor
        Dataset frame.
    reference : (4, 4) tensor
        Camera to world, OpenGL axes, dataset frame.
    tangents : (2,) tensor
        Tangents of the half angles that the cube covers horizontally and vertically.
    near : float
        Depth of the near plane, dataset units.
    origin : (3,) float64 array, optional
        As for `SpaceMap`; the reference is counted from it as well.
    """

    kind = "forward_facing"
    coarseness = 2.0  # on fern, with as many samples per step, 0.4 dB better than 1
    reference: Tensor
    tangents: Tensor
    cube: Tensor

    def __init__(
        self,
        box: Tensor,
        reference: Tensor,
        tangents: Tensor,
        near: float,
        origin: np.ndarray | None = None,
    ) -> None:
        super().__init__(box, origin)
        self.register_buffer("reference", reference.to(torch.float32))
        self.register_buffer("tangents", tangents.to(torch.float32))
        self.register_buffer("cube", torch.tensor([[-1.0] * 3, [1.0] * 3]), persistent=False)
        self.near = near

    def _to_camera(self, points: Tensor) -> Tensor:
        reference = self.reference.to(points.dtype)
        return (points - reference[:3, 3]) @ reference[:3, :3]

    def _from_camera(self, points: Tensor) -> Tensor:
        reference = self.reference.to(points.dtype)
        return points @ reference[:3, :3].T + reference[:3, 3]

    def _depth(self, points: Tensor) -> Tensor:
        """Return the depth (...,) of points, at least that of the near plane."""
        return (-self._to_camera(points)[..., 2]).clamp(min=self.near)

    def to_cube(self, points: Tensor) -> Tensor:
        """Return dataset-frame points (..., 3) in normalised device coordinates."""
        position = self._to_camera(points)
        depth = (-position[..., 2:]).clamp(min=self.near)
        aside = position[..., :2] / (depth * self.tangents.to(points.dtype))
        return torch.cat((aside, 1 - 2 * self.near / depth), dim=-1)

    def from_cube(self, points: Tensor) -> Tensor:
        """Return the inverse of `to_cube`; depth 1 maps to `FARTHEST`."""
        depth = 2 * self.near / (1 - points[..., 2:]).clamp(min=2 / FARTHEST)
        aside = points[..., :2] * depth * self.tangents.to(points.dtype)
        return self._from_camera(torch.cat((aside, -depth), dim=-1))

    def contains(self, points: Tensor) -> Tensor:
        """Return whether points lie beyond the near plane and within the angles."""
        position = self._to_camera(points)
        depth = -position[..., 2]
        aside = position[..., :2].abs() <= depth[..., None] * self.tangents
        return (depth >= self.near) & aside.all(dim=-1)

    def log_stretch(self, points: Tensor) -> Tensor:
        """Return the logarithm of the slope of depth along the third axis, in half sides."""
        return 2 * self._depth(points).log() - math.log(2 * self.near * self.half_side)

    def dataset_bounds(self, low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
        """Return bounds of the frustum that each box of the grid is."""
        low, high = widest(low) * 2 - 1, widest(high) * 2 - 1
        far_limit = 2 / FARTHEST
        depths = [2 * self.near / (1 - end[..., 2:]).clamp(min=far_limit) for end in (low, high)]
        tangents = widest(self.tangents)
        corners = torch.stack([end[..., :2] * w * tangents for end in (low, high) for w in depths])
        return _turned(
            torch.cat((corners.amin(dim=0), -depths[1]), dim=-1),
            torch.cat((corners.amax(dim=0), -depths[0]), dim=-1),
            widest(self.reference)[:3, :3],
            self._from_camera,
        )

    def grid_bounds(self, low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
        """Return bounds of the mapped points of each box."""
        turn = widest(self.reference)[:3, :3].T
        low, high = _turned(widest(low), widest(high), turn, self._to_camera)
        depths = [(-end[..., 2:]).clamp(min=self.near) for end in (high, low)]
        tangents = widest(self.tangents)
        aside = [end[..., :2] / (w * tangents) for end in (low, high) for w in depths]
        corners = torch.stack(aside)
        ahead = [1 - 2 * self.near / w for w in depths]
        cube_low = torch.cat((corners.amin(dim=0), ahead[0]), dim=-1)
        cube_high = torch.cat((corners.amax(dim=0), ahead[1]), dim=-1)
        return (cube_low + 1) / 2, (cube_high + 1) / 2

    def march(self, rays: Rays, occupancy: Tensor, step: float, jitter: Tensor) -> PackedSamples:
        """Return samples in equal steps along the line that each ray is in the cube."""
        line = _Line(self, rays)
        found = march_rays(
            line.origins, line.directions, occupancy, self.cube, step / self.half_side, jitter
        )
        ray = found.ray_index
        t = line.distances(found.t, ray)
        depth = line.depth[ray] + (t - line.start[ray]) * line.growth[ray]
        stretch = 2 * depth.log() - (line.speed[ray] * self.half_side).log()
        return PackedSamples(ray, t, found.offsets, stretch)

    def positions(
        self, rays: Rays, occupancy: Tensor, probes: int, fractions: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return positions at fractions of the line that each ray is in the cube."""
        line = _Line(self, rays)
        along, met = ray_positions(
            line.origins, line.directions, occupancy, self.cube, probes, fractions
        )
        return line.all_distances(along), met

    def visible_positions(
        self, rays: Rays, codes: Tensor, extinctions: Tensor, probes: int, fractions: Tensor
    ) -> Tensor:
        """Return positions at fractions of the light along the line of each ray in the cube."""
        line = _Line(self, rays)
        along = visible_positions(
            line.origins, line.directions, codes, extinctions, self.cube, probes, fractions
        )
        return line.all_distances(along)

    def to_json(self) -> dict[str, Any]:
        """Return the kind, the reference camera, its tangents and its near plane."""
        return {
            **super().to_json(),
            "reference": self.reference.cpu().double().tolist(),
            "tangents": self.tangents.cpu().double().tolist(),
            "near": self.near,
        }


class _Line:
    """Rays as lines in the cube, each from its first point beyond the near plane.

    A ray has depth w at its start, and its depth grows by w' with each dataset unit. So its
    position in the cube after a distance d is that of its start plus v d / (w (w + w' d)), with a
    constant v.
    """

    def __init__(self, space: NdcMap, rays: Rays) -> None:
        position = space._to_camera(rays.origins)
        turned = rays.directions @ space.reference[:3, :3]
        depth, self.growth = -position[:, 2], -turned[:, 2]
        ahead = (depth < space.near) & (self.growth > 0)
        wanted = (space.near - depth) / torch.where(ahead, self.growth, 1)
        self.start = torch.where(ahead, wanted, 0)
        self.depth = torch.where(ahead, space.near, depth)
        misses = (depth < space.near) & ~ahead
        self.depth = torch.where(misses, space.near, self.depth)
        position = position + self.start[:, None] * turned
        w, growth = self.depth[:, None], self.growth[:, None]
        aside = (turned[:, :2] * w - position[:, :2] * growth) / space.tangents
        velocity = torch.cat((aside, 2 * space.near * growth), dim=1)
        self.speed = torch.linalg.vector_norm(velocity, dim=1)
        self.directions = velocity / self.speed[:, None]
        begin = torch.cat((position[:, :2] / (w * space.tangents), 1 - 2 * space.near / w), dim=1)
        # A ray that never passes the near plane starts outside the cube.
        self.origins = torch.where(misses[:, None], begin + 4 * self.directions.sign(), begin)

    def distances(self, along: Tensor, ray: Tensor) -> Tensor:
        """Return distances from the rays' origins for lengths `along` their lines."""
        depth, speed = self.depth[ray], self.speed[ray]
        left = speed - along * depth * self.growth[ray]
        # Where the line reaches depth 1, the ray is infinitely far away.
        return self.start[ray] + along * depth.square() / left.maximum(speed / FARTHEST)

    def all_distances(self, along: Tensor) -> Tensor:
        """Return distances (R, P) from the rays' origins for lengths (R, P), a row for each ray."""
        ray = torch.arange(along.shape[0], device=along.device)[:, None].expand(along.shape)
        return self.distances(along, ray)


def _turned(low: Tensor, high: Tensor, rotation: Tensor, motion: Any) -> tuple[Tensor, Tensor]:
    """Return axis-aligned boxes around boxes moved by `motion`, which has this rotation."""
    center = motion((low + high) / 2)
    reach = (high - low) / 2 @ rotation.abs().T
    return center - reach, center + reach
