"""Direct projection of a field onto Gaussian splats: one in each cell of space that can be seen.

Small pictures from the teacher's viewpoints find the cells that take light, where in each the
surface lies, and how thick it is. A splat lies in the surface: it is flat along the gradient of
the density. Its colours are fitted to the teacher's in the directions from which it is seen.
"""

import math
import time
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ..data.capture import Camera
from ..data.geometry.poses import PoseDistribution
from ..data.images.downscale import scaled_camera
from ..fields.base import Field
from ..fields.quaternions import quaternions_of
from ..fields.splats import Splats
from ..kernels.compositing import transmittance
from ..kernels.harmonics import spherical_harmonics
from ..kernels.splat_rules import INRIA
from ..kernels.workload import POINTS, in_portions, workload
from ..space.rays import CameraBatch, generate_rays, image_pixels, sample_positions

VIEWS, RAYS = 48, 3 << 17
"""Viewpoints, and rays from all of them together."""

FEWEST_VIEWS = 6
"""Viewpoints that are looked from in any case."""

WIDTH, THICKNESS = 0.5, 0.15
"""Standard deviations of a splat in the surface and across it, in sides of its cell; one in fog is
round."""

CLEAR = 8
"""Optical thickness of a cell, inverted, at which its splat is nearly flat."""

DENSE, FAINTEST = 0.1, 1e-3
"""Fractions of the light that reaches a cell: one that takes the first has a splat, one that does
not take the second has none."""

LIGHT = 0.8
"""Fraction of all light that the cells with splats take at least, also where all is fog."""

SHOWN = 2.0
"""Sides of a cell by which a splat may lie behind the surface that a view shows in its pixel."""

UNSEEN = 0.01
"""What a view counts for the colours of a splat that it does not show."""

STEADY = 0.01
"""What the identity counts for the colours, in views: a few do not determine all harmonics."""

FIRST_RESOLUTION, FINEST = 128, 1 << 11
"""Cells along each axis that are tried first, and the most."""


@dataclass(frozen=True)
class _Seen:
    """What small pictures of a field show.

    Attributes
    ----------
    cameras : CameraBatch
        V cameras of one size.
    distances : (V, H, W) float32
        Expected distance of what each pixel shows; infinite where it shows nothing.
    points : (S, 3) float32
        Samples along the rays, ray by ray, and from near to far.
    ray : (S,) int64
        The ray of each.
    reaching, thickness : (S,) float32
        Fraction of the ray's light that reaches it, and its optical thickness.
    """

    cameras: CameraBatch
    distances: Tensor
    points: Tensor
    ray: Tensor
    reaching: Tensor
    thickness: Tensor


@dataclass(frozen=True)
class _Cells:
    """Cells that take light.

    Attributes
    ----------
    centers : (N, 3) float32
        Mean position of the light that each takes.
    sides : (N,) float32
        Length of its sides, dataset units.
    thickness : (N,) float32
        Mean optical thickness of a ray's way through it.
    """

    centers: Tensor
    sides: Tensor
    thickness: Tensor


@torch.no_grad()
def projected_splats(
    teacher: Field,
    poses: PoseDistribution,
    count: int,
    degree: int,
    seed: int,
    deadline: float = math.inf,
) -> Splats:
    """Return splats that show what a field shows.

    Parameters
    ----------
    teacher : Field
    poses : PoseDistribution
        Viewpoints from which the teacher is seen, counted from the origin of its map of space.
    count : int
        Most splats.
    degree : int
        Degree of the harmonics of their colours.
    seed : int
        Seed of the viewpoints.
    deadline : float
        Value of the monotonic clock after which fewer viewpoints do.

    Returns
    -------
    Splats
        Centres counted from the origin of the teacher's map of space; none where it shows nothing.
    """
    seen = _look(teacher, poses, seed, deadline)
    cells = _cells(teacher, seen, count)
    rotations = _rotations(teacher, cells)
    clear = torch.exp(-CLEAR * cells.thickness)
    across = THICKNESS + (WIDTH - THICKNESS) * clear
    wide = torch.full_like(across, WIDTH)
    shape = cells.sides[:, None] * torch.stack((wide, wide, across), dim=1)
    # Splats in a surface overlap: a cell of it has 2 pi WIDTH^2 times the thickness of a centre.
    thickness = cells.thickness / (2 * math.pi * WIDTH**2)
    opacities = (-torch.expm1(-thickness)).clamp(max=INRIA.most_opaque)
    return Splats(cells.centers, shape, rotations, opacities, _colors(teacher, seen, cells, degree))


def _look(teacher: Field, poses: PoseDistribution, seed: int, deadline: float) -> _Seen:
    """Return what small pictures from random viewpoints show."""
    device = teacher.device
    cameras = [_small(camera) for camera in poses.sample(VIEWS, np.random.default_rng(seed))]
    batch = CameraBatch.from_cameras(cameras, device)
    width, height = cameras[0].width, cameras[0].height
    pixels = image_pixels(width, height, device)
    at_once = workload(device).at_once(POINTS)
    distances, parts, rays_before = [], [], 0
    for number in range(VIEWS):
        if number >= FEWEST_VIEWS and time.monotonic() > deadline:
            break
        index = torch.full((len(pixels),), number, device=device)
        rays = generate_rays(batch, index, pixels)
        middle = torch.full((len(pixels),), 0.5, device=device)
        samples, _ = teacher.visible_samples(rays, middle)
        points, _ = sample_positions(rays, samples)
        density = torch.cat([teacher.log_density(part) for part in points.split(at_once)])
        reaching = transmittance(density, samples, teacher.step)
        if samples.log_stretch is not None:
            density = density + samples.log_stretch
        thickness = density.exp() * teacher.step
        weights = reaching * -torch.expm1(-thickness)
        sums = torch.zeros((len(pixels), 2), device=device)
        sums.index_add_(0, samples.ray_index, torch.stack((weights * samples.t, weights), dim=1))
        distance = torch.where(sums[:, 1] > 0.5, sums[:, 0] / sums[:, 1], math.inf)
        distances.append(distance.view(height, width))
        parts.append((points, samples.ray_index + rays_before, reaching, thickness))
        rays_before += len(pixels)
    return _Seen(batch, torch.stack(distances), *(torch.cat(v) for v in zip(*parts, strict=True)))


def _small(camera: Camera) -> Camera:
    factor = math.sqrt(RAYS / VIEWS / (camera.width * camera.height))
    size = (max(round(side * factor), 1) for side in (camera.width, camera.height))
    return scaled_camera(camera, *size)


def _cells(teacher: Field, seen: _Seen, count: int) -> _Cells:
    """Return at most `count` cells that take light, as small as can be."""
    space = teacher.space
    fractions = space.to_grid(seen.points)
    weights = seen.reaching * -torch.expm1(-seen.thickness)
    resolution = FIRST_RESOLUTION
    for _ in range(3):
        ids, inverse = _flat(fractions, resolution).unique(return_inverse=True)
        light = torch.zeros(len(ids), device=ids.device).index_add_(0, inverse, weights)
        found = len(_dense(light, _entering(inverse, seen, len(ids))))
        # Cells of a surface are as many as the square of the resolution.
        resolution = round(resolution * math.sqrt(count / max(found, 1)))
        resolution = min(max(resolution, 1), FINEST)
    ids, inverse = _flat(fractions, resolution).unique(return_inverse=True)
    thickness = (seen.reaching * seen.thickness)[:, None]
    columns = torch.cat((weights[:, None], weights[:, None] * seen.points, thickness), dim=1)
    sums = torch.zeros((len(ids), 5), device=ids.device).index_add_(0, inverse, columns)
    reached = _entering(inverse, seen, len(ids))
    kept = _dense(sums[:, 0], reached)
    kept = kept[sums[kept, 0].topk(min(count, len(kept))).indices]
    centers = sums[kept, 1:4] / sums[kept, :1]
    side = 2 * space.half_side / resolution
    sides = side * torch.as_tensor(space.log_stretch(centers)).exp().to(centers)
    return _Cells(centers, sides.expand(len(kept)), sums[kept, 4] / reached[kept])


def _dense(light: Tensor, reached: Tensor) -> Tensor:
    """Return the cells (K,) int64 that have splats, those that let least light pass first."""
    taken, order = (light / reached).sort(descending=True, stable=True)
    ordered = light[order].double()
    before = ordered.cumsum(0) - ordered
    needed = (taken > DENSE) | (before < LIGHT * ordered.sum())
    return order[needed & (taken > FAINTEST)]


def _flat(fractions: Tensor, resolution: int) -> Tensor:
    index = (fractions * resolution).long().clamp(0, resolution - 1)
    return (index[:, 0] * resolution + index[:, 1]) * resolution + index[:, 2]


def _entering(cell: Tensor, seen: _Seen, count: int) -> Tensor:
    """Return the light (count,) that enters each cell along all rays."""
    new = torch.ones_like(cell, dtype=torch.bool)
    new[1:] = (cell[1:] != cell[:-1]) | (seen.ray[1:] != seen.ray[:-1])
    return torch.zeros(count, device=cell.device).index_add_(0, cell[new], seen.reaching[new])


def _rotations(teacher: Field, cells: _Cells) -> Tensor:
    """Return quaternions (N, 4) that turn the third axis along the gradient of the density."""
    centers, half = cells.centers, cells.sides[:, None] / 2
    at_once = workload(centers.device).at_once(POINTS)
    slopes = []
    for axis in torch.eye(3, device=centers.device):
        ends = [
            torch.cat(
                [
                    teacher.log_density(part)
                    for part in (centers + sign * half * axis).split(at_once)
                ]
            )
            for sign in (1, -1)
        ]
        slopes.append(ends[0] - ends[1])
    normal = torch.nn.functional.normalize(torch.stack(slopes, dim=1), dim=1, eps=1e-6)
    flat = normal.abs().amax(dim=1) < 0.5
    normal[flat] = normal.new_tensor((0.0, 0.0, 1.0))
    helper = torch.eye(3, device=centers.device)[normal.abs().argmin(dim=1)]
    first = torch.nn.functional.normalize(torch.linalg.cross(helper, normal), dim=1)
    second = torch.linalg.cross(normal, first)
    return quaternions_of(torch.stack((first, second, normal), dim=2))


def _colors(teacher: Field, seen: _Seen, cells: _Cells, degree: int) -> Tensor:
    """Return coefficients (N, K, 3) of the colours, by least squares over the views."""
    count = (degree + 1) ** 2

    def part(of: slice) -> Tensor:
        points, sides = cells.centers[of], cells.sides[of]
        features = teacher.features(points)
        normal = points.new_zeros((len(points), count, count))
        moment = points.new_zeros((len(points), count, 3))
        for view in range(len(seen.distances)):
            directions = torch.nn.functional.normalize(points - seen.cameras.positions[view], dim=1)
            _, color = teacher.decode(points, directions, features)
            basis = spherical_harmonics(directions, degree)
            weighted = basis * _shown(seen, view, points, sides)[:, None]
            normal += weighted[:, :, None] * basis[:, None, :]
            moment += weighted[:, :, None] * (color - 0.5)[:, None, :]
        normal += STEADY * torch.eye(count, device=points.device)
        return torch.linalg.solve(normal, moment)

    device = cells.centers.device
    parts = list(in_portions(device, POINTS, len(cells.centers), part, weight=4))
    return torch.cat(parts) if parts else cells.centers.new_zeros((0, count, 3))


def _shown(seen: _Seen, view: int, points: Tensor, sides: Tensor) -> Tensor:
    """Return what a view counts (N,) for splats: 1 where it shows them."""
    cameras = seen.cameras
    local = (points - cameras.positions[view]) @ cameras.rotations[view].to(points)
    ahead = -local[:, 2]
    fx, fy, cx, cy = cameras.intrinsics[view].tolist()
    _, height, width = seen.distances.shape
    x = (fx * local[:, 0] / ahead + cx).nan_to_num(-1).floor().clamp(-1, width).long()
    y = (cy - fy * local[:, 1] / ahead).nan_to_num(-1).floor().clamp(-1, height).long()
    inside = (ahead > 0) & (x >= 0) & (x < width) & (y >= 0) & (y < height)
    shown = seen.distances[view, y.clamp(0, height - 1), x.clamp(0, width - 1)]
    inside &= local.norm(dim=1) < shown + SHOWN * sides
    return torch.where(inside, 1.0, UNSEEN)
