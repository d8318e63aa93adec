"""Pictures front to back in rounds: what lies behind an opaque surface is never evaluated."""

from collections.abc import Callable

import torch
from torch import Tensor

from ..kernels.compositing import composite
from ..kernels.marching import PackedSamples
from ..space.rays import Rays, sample_positions

FIRST_ROUND = 2
"""Samples of each ray in the first two rounds; every later round takes twice as many."""


@torch.no_grad()
def composite_in_rounds(
    shaded: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]],
    rays: Rays,
    samples: PackedSamples,
    step: float,
    hidden: float,
) -> tuple[Tensor, Tensor, Tensor]:
    """Composite samples of rays, evaluating only those that light can reach.

    A ray ends after the round in which its transmittance falls below `hidden`. Most rays end after
    a few samples, so that a picture takes a third of the evaluations of asking all samples first
    for their density.

    Parameters
    ----------
    shaded : callable
        points (N, 3), directions (N, 3) -> log-density (N,), colour (N, 3).
    rays : Rays
        R of them.
    samples : PackedSamples
        Theirs.
    step : float
        As for `composite`.
    hidden : float

    Returns
    -------
    color : (R, 3) float32
        Premultiplied by alpha.
    alpha, depth : (R,) float32
        As of `Composited`.
    """
    device = samples.t.device
    sums = torch.zeros((samples.rays, 5), device=device)
    start, end = samples.offsets[:-1].clone(), samples.offsets[1:]
    alive, going = torch.arange(samples.rays, device=device), start < end
    size, done = FIRST_ROUND, 0
    while True:
        count = (end[alive] - start[alive]).clamp(max=size) * going
        # A device is waited for once in a round, for these two sizes.
        rays_left, total = torch.stack((going.sum(), count.sum())).tolist()
        if rays_left == 0:
            break
        left = _true(going, rays_left)
        alive, count = alive[left], count[left]
        part = _next_samples(samples, start[alive], count, total)
        result = composite(*shaded(*sample_positions(rays.chosen(alive), part)), part, step)
        through = 1 - sums[alive, 3]
        seen = torch.cat((result.color, result.alpha[:, None], result.depth[:, None]), dim=1)
        sums[alive] += through[:, None] * seen
        start[alive] += count
        going = (1 - sums[alive, 3] > hidden) & (start[alive] < end[alive])
        done += size
        size = done
    return sums[:, :3], sums[:, 3], sums[:, 4]


def _true(values: Tensor, count: int) -> Tensor:
    """Return the indices (count,) of values (N,) bool that are true, as many as there are."""
    numbers = torch.arange(1, count + 1, device=values.device)
    return torch.searchsorted(values.cumsum(0), numbers)


def _next_samples(
    samples: PackedSamples, start: Tensor, count: Tensor, total: int
) -> PackedSamples:
    """Return `count` (R,) samples of each ray, `total` in all, from `start` (R,) on."""
    device = count.device
    offsets = torch.nn.functional.pad(count.cumsum(0), (1, 0))
    rays = torch.arange(len(count), device=device)
    ray = torch.repeat_interleave(rays, count, output_size=total)
    chosen = torch.arange(total, device=device) + (start - offsets[:-1])[ray]
    stretch = samples.log_stretch
    return PackedSamples(
        ray,
        samples.t.index_select(0, chosen),
        offsets,
        None if stretch is None else stretch.index_select(0, chosen),
    )
