"""Sample distances along rays, only where an occupancy grid may hold density."""

from dataclasses import dataclass

import torch
from torch import Tensor

from .launch import split, use_warp

TINY = 1e-12
"""Size of a direction's component below which a ray counts as parallel to the faces."""

CANDIDATES = 1 << 21
"""Number of candidates that the reference tests at once."""


@dataclass(frozen=True)
class PackedSamples:
    """Samples of many rays, one after the other, ray by ray and from near to far.

    Attributes
    ----------
    ray_index : (S,) int64
        The ray of each sample.
    t : (S,) float32
        Distance of each sample from its ray's origin, in units of the direction's length.
    offsets : (R + 1,) int64
        Samples of ray r are those from offsets[r] up to, but without, offsets[r + 1].
    log_stretch : (S,) float32, optional
        Logarithm of the steps that each sample stands for, where that is not one.
    """

    ray_index: Tensor
    t: Tensor
    offsets: Tensor
    log_stretch: Tensor | None = None

    @property
    def rays(self) -> int:
        """Number of rays, with samples or without."""
        return len(self.offsets) - 1

    def __len__(self) -> int:
        return len(self.t)


def select(samples: PackedSamples, kept: Tensor) -> PackedSamples:
    """Return the samples with the numbers `kept` (K,) int64, which ascend."""
    stretch = samples.log_stretch
    return PackedSamples(
        samples.ray_index.index_select(0, kept),
        samples.t.index_select(0, kept),
        torch.searchsorted(kept, samples.offsets),
        None if stretch is None else stretch.index_select(0, kept),
    )


@torch.no_grad()
def march_rays(
    origins: Tensor,
    directions: Tensor,
    occupancy: Tensor,
    box: Tensor,
    step: float,
    jitter: Tensor,
) -> PackedSamples:
    """Return the candidates of each ray that lie in occupied cells.

    Candidate k = 0, 1, ... of a ray lies at t = t_near + (k + jitter) * step < t_far, where
    [t_near, t_far] is the ray's interval in the box, t_near not below 0.

    Parameters
    ----------
    origins, directions : (R, 3) float32
        Same frame as the box; directions of length 1.
    occupancy : (X, Y, Z) uint8
        Non-zero where there may be density; cells of equal size fill the box.
    box : (2, 3) float32
        Minimum and maximum corner.
    step : float
        Distance between candidates.
    jitter : (R,) float32
        In [0, 1): shifts a ray's candidates by that fraction of a step.

    Returns
    -------
    PackedSamples
        A ray that misses the box has none.
    """
    if occupancy.ndim != 3 or occupancy.dtype != torch.uint8:
        raise ValueError("occupancy must be (X, Y, Z) uint8")
    if not step > 0:
        raise ValueError("the step must be greater than zero")
    march = march_rays_warp if use_warp(origins.device) else march_rays_reference
    return march(origins, directions, occupancy, box, step, jitter)


def _cell_scale(occupancy: Tensor, box: Tensor) -> Tensor:
    """Return the cells per unit of length along each axis: (3,)."""
    sides = (box[1] - box[0]).unbind()
    return torch.stack([count / side for count, side in zip(occupancy.shape, sides, strict=True)])


def march_rays_reference(
    origins: Tensor,
    directions: Tensor,
    occupancy: Tensor,
    box: Tensor,
    step: float,
    jitter: Tensor,
) -> PackedSamples:
    """Compute `march_rays` in plain torch operations, which test every candidate."""
    near, far = through_box(origins, directions, box)
    longest = float((far - near).clamp(min=0).max()) if len(near) else 0.0
    candidates = int(longest / step) + 2
    chunk = max(CANDIDATES // candidates, 1)
    k = torch.arange(candidates, device=origins.device, dtype=torch.float32)
    scale = _cell_scale(occupancy, box)
    limit = torch.tensor(occupancy.shape, device=origins.device) - 1
    found = [(torch.zeros(0, dtype=torch.int64, device=origins.device), origins.new_zeros(0))]
    for start in range(0, len(origins), chunk):
        part = slice(start, start + chunk)
        t = near[part, None] + (k + jitter[part, None]) * step
        ray, column = (t < far[part, None]).nonzero(as_tuple=True)
        t = t[ray, column]
        ray = ray + start
        position = origins[ray] + t[:, None] * directions[ray]
        cell = ((position - box[0]) * scale).long().clamp(min=0).minimum(limit)
        kept = occupancy[cell[:, 0], cell[:, 1], cell[:, 2]] != 0
        found.append((ray[kept], t[kept]))
    ray_index = torch.cat([ray for ray, _ in found])
    counts = torch.bincount(ray_index, minlength=len(origins))
    offsets = torch.cat((counts.new_zeros(1), counts.cumsum(0)))
    return PackedSamples(ray_index, torch.cat([t for _, t in found]), offsets)


def through_box(origins: Tensor, directions: Tensor, box: Tensor) -> tuple[Tensor, Tensor]:
    """Return the distances (N,) at which rays enter and leave a box (2, 3).

    From inside, a ray enters at 0. Of a ray that passes by, both are the same distance.
    """
    factor = 1 / torch.where(directions.abs() < TINY, TINY, directions)
    a = (box[0] - origins) * factor
    b = (box[1] - origins) * factor
    near = torch.minimum(a, b).amax(dim=-1).clamp(min=0)
    return near, torch.maximum(near, torch.maximum(a, b).amin(dim=-1))


def march_rays_warp(
    origins: Tensor,
    directions: Tensor,
    occupancy: Tensor,
    box: Tensor,
    step: float,
    jitter: Tensor,
) -> PackedSamples:
    """Compute `march_rays` by the Warp kernel."""
    from .sources.marching import RUNS
    from .sources.marching import march_rays as march

    device = origins.device
    rays = len(origins)
    # Rays differ much in work, so parts are small.
    parts = split(rays, grain=256, parts_per_thread=8)
    shared = {
        "origins": origins.contiguous(),
        "directions": directions.contiguous(),
        "jitter": jitter.contiguous(),
        "occupancy": occupancy.contiguous(),
        "box": box.contiguous(),
        "scales": _cell_scale(occupancy, box),
        "step": step,
        "runs": torch.empty((rays, RUNS, 2), dtype=torch.int32, device=device),
    }
    offsets = torch.zeros(rays + 1, dtype=torch.int64, device=device)
    none = {"ray_index": offsets[:0], "distances": jitter[:0]}
    march.launch(rays, parts, fill=0, offsets=offsets, **none, **shared)
    offsets = offsets.cumsum(0)
    samples = int(offsets[-1])
    ray_index, t = offsets.new_empty(samples), jitter.new_empty(samples)
    march.launch(rays, parts, fill=1, offsets=offsets, ray_index=ray_index, distances=t, **shared)
    return PackedSamples(ray_index, t, offsets)
