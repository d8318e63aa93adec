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
    sums = torch.zeros((samples.rays, 5), device=samples.t.device)
    start, end = samples.offsets[:-1].clone(), samples.offsets[1:]
    alive, size, done = (start < end).nonzero().view(-1), FIRST_ROUND, 0
    while len(alive):
        count = (end[alive] - start[alive]).clamp(max=size)
        part = _next_samples(samples, start[alive], count)
        result = composite(*shaded(*sample_positions(rays.chosen(alive), part)), part, step)
        through = 1 - sums[alive, 3]
        seen = torch.cat((result.color, result.alpha[:, None], result.depth[:, None]), dim=1)
        sums[alive] += through[:, None] * seen
        start[alive] += count
        alive = alive[(1 - sums[alive, 3] > hidden) & (start[alive] < end[alive])]
        done += size
        size = done
    return sums[:, :3], sums[:, 3], sums[:, 4]


def _next_samples(samples: PackedSamples, start: Tensor, count: Tensor) -> PackedSamples:
    """Return `count` (R,) samples of each ray, from `start` (R,) on, as of R rays."""
    offsets = torch.nn.functional.pad(count.cumsum(0), (1, 0))
    ray = torch.repeat_interleave(torch.arange(len(count), device=count.device), count)
    chosen = torch.arange(len(ray), device=count.device) + (start - offsets[:-1])[ray]
    stretch = samples.log_stretch
    return PackedSamples(
        ray,
        samples.t.index_select(0, chosen),
        offsets,
        None if stretch is None else stretch.index_select(0, chosen),
    )
