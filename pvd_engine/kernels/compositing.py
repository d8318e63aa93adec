"""Volume rendering of packed samples: weights, colour, opacity and depth of each ray.

Max, "Optical models for direct volume rendering", 1995: a sample of extinction s over a step d has
opacity 1 - exp(-s d), and weighs its opacity times the transmittance of all samples before it.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from .launch import Part, split, use_warp
from .marching import PackedSamples
from .widest import sums_before

LARGEST_LOG_DENSITY = 15.0
"""Largest exponent; larger ones are cut, as in instant-ngp, so that nothing overflows."""


@dataclass(frozen=True)
class Composited:
    """Sums over the samples of each ray.

    Attributes
    ----------
    color : (R, 3) float32
        Premultiplied by alpha.
    alpha : (R,) float32
        Opacity, the sum of the ray's weights.
    depth : (R,) float32
        Weighted sum of the distances; divided by alpha it is the expected distance.
    weights : (S,) float32
        Each sample's fraction of its ray.
    """

    color: Tensor
    alpha: Tensor
    depth: Tensor
    weights: Tensor


def composite(
    log_density: Tensor, color: Tensor, samples: PackedSamples, step: float
) -> Composited:
    """Composite samples front to back; differentiable in log-density and colour.

    Parameters
    ----------
    log_density : (S,) float32
        Logarithm of the extinction per unit of `samples.t`.
    color : (S, 3) float32
    samples : PackedSamples
    step : float
        Length that a sample stands for, before `samples.log_stretch`.
    """
    run = composite_warp if use_warp(color.device) else composite_reference
    return run(_per_step(log_density, samples), color, samples, step)


@torch.no_grad()
def transmittance(log_density: Tensor, samples: PackedSamples, step: float) -> Tensor:
    """Return the fraction of light (S,) from its ray's origin that reaches each sample."""
    run = transmittance_warp if use_warp(log_density.device) else transmittance_reference
    return run(_per_step(log_density, samples), samples, step)


def _per_step(log_density: Tensor, samples: PackedSamples) -> Tensor:
    """Return the log-density as if every sample stood for one step."""
    return log_density if samples.log_stretch is None else log_density + samples.log_stretch


class _TruncatedExp(torch.autograd.Function):
    """exp with its argument cut from above; the gradient is the cut value, never zero."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        value = x.clamp(max=LARGEST_LOG_DENSITY).exp()
        ctx.save_for_backward(value)
        return value

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        return gradients[0] * ctx.saved_tensors[0]


def composite_reference(
    log_density: Tensor, color: Tensor, samples: PackedSamples, step: float
) -> Composited:
    """Compute `composite` in plain torch operations, differentiated by autograd."""
    thickness = _TruncatedExp.apply(log_density) * step
    weights = -torch.expm1(-thickness) * _reaching(thickness, samples)
    channels = torch.cat((color, torch.ones_like(color[:, :1]), samples.t[:, None]), dim=1)
    sums = channels.new_zeros((samples.rays, 5)).index_add(
        0, samples.ray_index, weights[:, None] * channels
    )
    return Composited(sums[:, :3], sums[:, 3], sums[:, 4], weights)


def transmittance_reference(log_density: Tensor, samples: PackedSamples, step: float) -> Tensor:
    """Compute `transmittance` in plain torch operations."""
    return _reaching(log_density.clamp(max=LARGEST_LOG_DENSITY).exp() * step, samples)


def _reaching(thickness: Tensor, samples: PackedSamples) -> Tensor:
    """Return the transmittance before each sample, from all samples' optical thickness."""
    return torch.exp(-sums_before(thickness, samples.offsets, samples.ray_index))


def composite_warp(
    log_density: Tensor, color: Tensor, samples: PackedSamples, step: float
) -> Composited:
    """Compute `composite` by the Warp kernels, with their own backward pass."""
    return Composited(*_Composite.apply(log_density, color, samples, step))


def transmittance_warp(log_density: Tensor, samples: PackedSamples, step: float) -> Tensor:
    """Compute `transmittance` by the Warp kernel."""
    from .sources.compositing import transmittance as kernel

    thickness = _thickness(log_density, step)
    reaching = torch.empty_like(thickness)
    kernel.launch(
        samples.rays,
        _parts(samples),
        offsets=samples.offsets,
        passing=torch.exp(-thickness),
        reaching=reaching,
    )
    return reaching


def _thickness(log_density: Tensor, step: float) -> Tensor:
    """Return the optical thickness of each sample; torch's exp is vectorised, unlike a kernel's."""
    return log_density.detach().clamp(max=LARGEST_LOG_DENSITY).exp_().mul_(step).contiguous()


def _parts(samples: PackedSamples) -> list[Part]:
    """Return ranges of rays, which are small because rays differ in samples."""
    return split(samples.rays, grain=256, parts_per_thread=4)


class _Composite(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, log_density: Tensor, color: Tensor, samples: PackedSamples, step: float
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        from .sources.compositing import composite_forward

        thickness = _thickness(log_density, step)
        opacity = torch.expm1(-thickness).neg_()
        color = color.detach().contiguous()
        weights = torch.empty_like(thickness)
        rays = samples.rays
        ray_color = color.new_empty((rays, 3))
        ray_alpha, ray_depth = color.new_empty(rays), color.new_empty(rays)
        composite_forward.launch(
            rays,
            _parts(samples),
            offsets=samples.offsets,
            t=samples.t,
            opacity=opacity,
            color=color,
            weights=weights,
            ray_color=ray_color,
            ray_alpha=ray_alpha,
            ray_depth=ray_depth,
        )
        ctx.save_for_backward(thickness, opacity, color, weights)
        ctx.samples = samples
        return ray_color, ray_alpha, ray_depth, weights

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, None, None]:
        from .sources.compositing import composite_backward

        thickness, opacity, color, weights = ctx.saved_tensors
        samples = ctx.samples
        of_thickness = torch.empty_like(thickness)
        of_color = torch.empty_like(color)
        of_ray_color, of_ray_alpha, of_ray_depth, of_weights = (g.contiguous() for g in gradients)
        composite_backward.launch(
            samples.rays,
            _parts(samples),
            offsets=samples.offsets,
            t=samples.t,
            opacity=opacity,
            color=color,
            weights=weights,
            of_ray_color=of_ray_color,
            of_ray_alpha=of_ray_alpha,
            of_ray_depth=of_ray_depth,
            of_weights=of_weights,
            of_thickness=of_thickness,
            of_color=of_color,
        )
        return of_thickness.mul_(thickness), of_color, None, None
