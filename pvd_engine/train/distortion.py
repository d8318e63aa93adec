"""A loss that draws what a ray sees together into one surface.

Barron et al., "Mip-NeRF 360: Unbounded Anti-Aliased Neural Radiance Fields", 2022, section 4:
the sum over all pairs of samples of a ray of their weights times their distance, plus a third of
each squared weight times its step. The pairs are summed in linear time with prefix sums, as in
Sun et al., "Improved Direct Voxel Grid Optimization for Radiance Fields Reconstruction", 2022.
"""

import torch
from torch import Tensor

from ..kernels.marching import PackedSamples


def distortion(weights: Tensor, samples: PackedSamples, step: float, scale: float) -> Tensor:
    """The mean distortion of rays; differentiable in their weights.

    Parameters
    ----------
    weights : (S,) float32
        Each sample's share in its ray.
    samples : PackedSamples
        In order along each ray.
    step : float
        Length each sample stands for, in units of `samples.t`.
    scale : float
        A length to measure distances by, in the same units.

    Returns
    -------
    () float32
    """
    counts = samples.offsets[1:] - samples.offsets[:-1]
    if len(weights) == 0:
        return weights.sum()
    ray = torch.repeat_interleave(counts)
    distances = samples.t / scale
    weight_before = _before(weights, samples.offsets, ray)
    moment_before = _before(weights * distances, samples.offsets, ray)
    pairs = 2 * weights * (distances * weight_before - moment_before)
    own = weights.square() * (step / scale / 3)
    return (pairs + own).sum() / len(counts)


def _before(values: Tensor, offsets: Tensor, ray: Tensor) -> Tensor:
    """For each sample the sum of the values before it on its ray."""
    # Double precision: differences of sums over all rays would lose what a single one holds.
    sums = torch.nn.functional.pad(values.double().cumsum(0), (1, 0))
    return (sums[:-1] - sums[offsets[:-1]][ray]).to(values.dtype)
