"""A loss that concentrates the weights of a ray on one surface.

Barron et al., "Mip-NeRF 360: unbounded anti-aliased neural radiance fields", 2022, section 4: the
sum over all pairs of samples of a ray of their weights times their distance, plus a third of each
squared weight times its step. The pairs are summed in linear time with prefix sums, as in Sun et
al., "Improved direct voxel grid optimization for radiance fields reconstruction", 2022.
"""

import torch
from torch import Tensor

from ..kernels.marching import PackedSamples


def distortion(weights: Tensor, samples: PackedSamples, step: float, scale: float) -> Tensor:
    """Return the mean distortion of rays; differentiable in their weights.

    Parameters
    ----------
    weights : (S,) float32
        Weight of each sample in the colour of its ray.
    samples : PackedSamples
        In order along each ray.
    step : float
        Length that each sample stands for, before `samples.log_stretch`.
    scale : float
        A length: a distance t counts as t / (t + scale), so that infinity is 1.

    Returns
    -------
    () float32
    """
    stretch = 1.0 if samples.log_stretch is None else samples.log_stretch.exp()
    distances = samples.t / (samples.t + scale)
    lengths = step * stretch * scale / (samples.t + scale).square()
    ray, offsets = samples.ray_index, samples.offsets
    before = _before(weights, offsets, ray)
    pairs = 2 * weights * (distances * before - _before(weights * distances, offsets, ray))
    return (pairs + weights.square() * lengths / 3).sum() / max(samples.rays, 1)


def _before(values: Tensor, offsets: Tensor, ray: Tensor) -> Tensor:
    """Return for each sample the sum of the values before it on its ray."""
    # In float64: differences of sums over all rays would lose the digits of a single ray.
    sums = torch.nn.functional.pad(values.double().cumsum(0), (1, 0))
    return (sums[:-1] - sums[offsets[:-1]][ray]).to(values.dtype)
