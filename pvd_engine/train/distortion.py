"""A loss that concentrates the weights of a ray on one surface.

Barron et al., "Mip-NeRF 360: unbounded anti-aliased neural radiance fields", 2022, section 4: the
sum over all pairs of samples of a ray of their weights times their distance, plus a third of each
squared weight times its step. The pairs are summed in linear time with prefix sums, as in Sun et
al., "Improved direct voxel grid optimization for radiance fields reconstruction", 2022.
"""

from torch import Tensor

from ..kernels.marching import PackedSamples
from ..kernels.widest import sums_before


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
    before = sums_before(weights, offsets, ray)
    pairs = 2 * weights * (distances * before - sums_before(weights * distances, offsets, ray))
    return (pairs + weights.square() * lengths / 3).sum() / max(samples.rays, 1)
