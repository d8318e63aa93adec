"""Samples along rays through all of space, which is contracted outside the cube [-1, 1]^3.

A point whose largest coordinate m is beyond 1 goes to (2 - 1/m) / m of itself, so that all of space
fills the cube [-2, 2]^3 (Barron et al., "Mip-NeRF 360", 2022, equation 10, by the largest
coordinate). A ray is sampled evenly in a coordinate of its own, which is contracted alike: the
distance r from its point nearest to the centre, up to a radius, and beyond it twice the radius less
radius^2 / r.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from .launch import split, use_warp
from .marching import CANDIDATES, PackedSamples
from .ray_positions import spread
from .visible_positions import spread_by_light

FARTHEST = 1e3
"""Distance at which a ray ends, in radii of that ray."""


class RayCoordinate(NamedTuple):
    """Coordinate of rays along which they are sampled evenly; each attribute (R,) float32.

    Attributes
    ----------
    nearest : distance of the point nearest to the centre; may be negative.
    radius : distance from that point up to which the coordinate is distance itself.
    start, end : coordinate at the ray's origin and at its end.
    """

    nearest: Tensor
    radius: Tensor
    start: Tensor
    end: Tensor

    @classmethod
    def of(cls, origins: Tensor, directions: Tensor) -> "RayCoordinate":
        """Return the coordinate of rays (R, 3), whose directions are unit vectors."""
        nearest = -(origins * directions).sum(dim=-1)
        passing = ((origins * origins).sum(dim=-1) - nearest * nearest).clamp(min=0)
        radius = (1 + passing).sqrt()
        beyond = nearest.abs().maximum(radius)
        inside = torch.where(
            nearest.abs() > radius, 2 * radius - radius * radius / beyond, nearest.abs()
        )
        return cls(nearest, radius, -inside * nearest.sign(), radius * (2 - 1 / FARTHEST))

    def distances(self, coordinate: Tensor, ray: Tensor) -> Tensor:
        """Return distances from the origins at coordinates of the rays with these indices."""
        radius = self.radius[ray]
        size = coordinate.abs()
        outside = radius * radius / (2 * radius - size)
        reach = torch.where(size > radius, outside * coordinate.sign(), coordinate)
        return (reach + self.nearest[ray]).clamp(min=0)


def contract(points: Tensor) -> Tensor:
    """Map points (..., 3) of all space into the cube [-2, 2]^3."""
    largest = points.abs().amax(dim=-1, keepdim=True).clamp(min=1)
    return points * ((2 - 1 / largest) / largest)


def expand(points: Tensor, farthest: float) -> Tensor:
    """Invert `contract`; no largest coordinate exceeds `farthest`."""
    largest = points.abs().amax(dim=-1, keepdim=True).clamp(1, 2 - 1 / farthest)
    return points / ((2 - largest) * largest)


@torch.no_grad()
def march_contracted(
    origins: Tensor, directions: Tensor, occupancy: Tensor, step: float, jitter: Tensor
) -> PackedSamples:
    """Return the candidates of each ray that lie in occupied cells.

    Candidate k = 0, 1, ... of a ray lies where its coordinate is (k + jitter) * step beyond its
    origin's.

    Parameters
    ----------
    origins, directions : (R, 3) float32
        In the frame in which the cube has half side 1; directions of length 1.
    occupancy : (X, Y, Z) uint8
        Non-zero where there may be density; cells of equal size fill the contracted cube.
    step : float
    jitter : (R,) float32
        In [0, 1).

    Returns
    -------
    PackedSamples
        With `log_stretch`.
    """
    if occupancy.ndim != 3 or occupancy.dtype != torch.uint8:
        raise ValueError("occupancy must be (X, Y, Z) uint8")
    if not step > 0:
        raise ValueError("the step must be greater than zero")
    rays = RayCoordinate.of(origins, directions)
    march = march_contracted_warp if use_warp(origins.device) else march_contracted_reference
    ray, coordinate, offsets = march(origins, directions, rays, occupancy, step, jitter)
    t = rays.distances(coordinate, ray)
    radius = rays.radius[ray]
    stretch = 2 * ((t - rays.nearest[ray]).abs() / radius).clamp(min=1).log()
    return PackedSamples(ray, t, offsets, stretch)


def _cells(origins: Tensor, directions: Tensor, t: Tensor, ray: Tensor, grid: Tensor) -> Tensor:
    """Return what a grid holds at the positions at distances t along rays."""
    contracted = contract(origins[ray] + t[..., None] * directions[ray])
    limit = torch.tensor(grid.shape, device=t.device)
    cell = ((contracted + 2) * (limit / 4)).long().clamp(min=0).minimum(limit - 1)
    x, y, z = cell.unbind(-1)
    index = (x * grid.shape[1] + y) * grid.shape[2] + z
    return grid.reshape(-1)[index]


def march_contracted_reference(
    origins: Tensor,
    directions: Tensor,
    rays: RayCoordinate,
    occupancy: Tensor,
    step: float,
    jitter: Tensor,
) -> tuple[Tensor, Tensor, Tensor]:
    """Return ray index and coordinate of each sample, and offsets; plain torch operations."""
    device = origins.device
    longest = float((rays.end - rays.start).max()) if len(origins) else 0.0
    candidates = int(longest / step) + 2
    chunk = max(CANDIDATES // candidates, 1)
    k = torch.arange(candidates, device=device, dtype=torch.float32)
    found = [(torch.zeros(0, dtype=torch.int64, device=device), origins.new_zeros(0))]
    for start in range(0, len(origins), chunk):
        part = slice(start, start + chunk)
        coordinate = rays.start[part, None] + (k + jitter[part, None]) * step
        ray, column = (coordinate < rays.end[part, None]).nonzero(as_tuple=True)
        coordinate, ray = coordinate[ray, column], ray + start
        t = rays.distances(coordinate, ray)
        kept = _cells(origins, directions, t, ray, occupancy) != 0
        found.append((ray[kept], coordinate[kept]))
    ray_index = torch.cat([ray for ray, _ in found])
    counts = torch.bincount(ray_index, minlength=len(origins))
    offsets = torch.cat((counts.new_zeros(1), counts.cumsum(0)))
    return ray_index, torch.cat([coordinate for _, coordinate in found]), offsets


def march_contracted_warp(
    origins: Tensor,
    directions: Tensor,
    rays: RayCoordinate,
    occupancy: Tensor,
    step: float,
    jitter: Tensor,
) -> tuple[Tensor, Tensor, Tensor]:
    """Return what `march_contracted_reference` does, by the Warp kernel."""
    from .sources.contracted import march_contracted as march

    count = len(origins)
    parts = split(count, grain=256, parts_per_thread=8)
    shared = {
        "origins": origins.contiguous(),
        "directions": directions.contiguous(),
        "jitter": jitter.contiguous(),
        "nearest": rays.nearest.contiguous(),
        "radii": rays.radius.contiguous(),
        "starts": rays.start.contiguous(),
        "ends": rays.end.contiguous(),
        "occupancy": occupancy.contiguous(),
        "step": step,
    }
    offsets = torch.zeros(count + 1, dtype=torch.int64, device=origins.device)
    none = {"ray_index": offsets[:0], "coordinates": jitter[:0]}
    march.launch(count, parts, fill=0, offsets=offsets, **none, **shared)
    offsets = offsets.cumsum(0)
    samples = int(offsets[-1])
    ray_index, coordinates = offsets.new_empty(samples), jitter.new_empty(samples)
    march.launch(
        count,
        parts,
        fill=1,
        offsets=offsets,
        ray_index=ray_index,
        coordinates=coordinates,
        **shared,
    )
    return ray_index, coordinates, offsets


@torch.no_grad()
def positions_contracted(
    origins: Tensor, directions: Tensor, occupancy: Tensor, probes: int, fractions: Tensor
) -> tuple[Tensor, Tensor]:
    """Return positions at fractions of the occupied parts of each ray's way through all of space.

    Parameters and results are those of `ray_positions.ray_positions`, in the frame in which the
    cube has half side 1. The parts are equal in the ray's coordinate.
    """
    rays, length, along = _parts(origins, directions, occupancy, probes)
    within, met = spread(along != 0, fractions)
    return rays.distances(rays.start[:, None] + length * within, _rows(within)), met


@torch.no_grad()
def visible_positions_contracted(
    origins: Tensor,
    directions: Tensor,
    codes: Tensor,
    extinctions: Tensor,
    probes: int,
    fractions: Tensor,
) -> Tensor:
    """Return positions at fractions of the light that each ray gets on its way through all space.

    Parameters and results are those of `visible_positions.visible_positions`, in the frame in which
    the cube has half side 1; extinctions are per unit of contracted length.
    """
    rays, length, along = _parts(origins, directions, codes, probes)
    within = spread_by_light(extinctions[along.long()] * (length / probes), fractions)
    return rays.distances(rays.start[:, None] + length * within, _rows(within))


def _parts(
    origins: Tensor, directions: Tensor, grid: Tensor, probes: int
) -> tuple[RayCoordinate, Tensor, Tensor]:
    """Cut the ways of rays through all of space into parts, equal in the rays' coordinate.

    Returns
    -------
    rays : RayCoordinate
    length : (N, 1) float32
        Of the whole way of each ray.
    along : (N, L) uint8
        What the grid holds in the middle of each part.
    """
    rays = RayCoordinate.of(origins, directions)
    length = (rays.end - rays.start)[:, None]
    parts = torch.arange(probes, device=origins.device)
    middles = rays.start[:, None] + length * ((parts + 0.5) / probes)
    ray = _rows(middles)
    along = _cells(origins, directions, rays.distances(middles, ray), ray, grid)
    return rays, length, along


def _rows(values: Tensor) -> Tensor:
    """Return the number (N, 1) of each row of values (N, ...)."""
    return torch.arange(values.shape[0], device=values.device)[:, None]
