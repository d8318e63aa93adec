"""Warp source of compositing, forward and backward; work items are rays."""

# Warp reads annotations as values, and kernels in a language of its own, unknown to type checkers.
# pyright: basic, reportInvalidTypeForm=false, reportOperatorIssue=false, reportReturnType=false
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false
# pyright: reportIndexIssue=false, reportFunctionMemberAccess=false

from functools import cache
from typing import Any

import warp as wp

from .arrays import Floats, Longs

FORWARD = """
    for (int ray = begin; ray < end; ++ray) {
        float reaching = 1.0f, r = 0.0f, g = 0.0f, b = 0.0f, a = 0.0f, d = 0.0f;
        for (wp::int64 i = offsets.data[ray]; i < offsets.data[ray + 1]; ++i) {
            const float w = opacity.data[i] * reaching;
            reaching *= 1.0f - opacity.data[i];
            weights.data[i] = w;
            r += w * color.data[3 * i];
            g += w * color.data[3 * i + 1];
            b += w * color.data[3 * i + 2];
            a += w;
            d += w * t.data[i];
        }
        ray_color.data[3 * ray] = r;
        ray_color.data[3 * ray + 1] = g;
        ray_color.data[3 * ray + 2] = b;
        ray_alpha.data[ray] = a;
        ray_depth.data[ray] = d;
    }
"""

# With v the gradient of a sample's weight w, and T the light that leaves the sample, its
# thickness has the gradient T v - sum of w v over the samples behind it. T is found from the
# front, the sum from the back.
BACKWARD = """
    for (int ray = begin; ray < end; ++ray) {
        const wp::int64 start = offsets.data[ray], stop = offsets.data[ray + 1];
        const float r = of_ray_color.data[3 * ray], g = of_ray_color.data[3 * ray + 1];
        const float b = of_ray_color.data[3 * ray + 2];
        const float a = of_ray_alpha.data[ray], d = of_ray_depth.data[ray];
        float leaving = 1.0f;
        for (wp::int64 i = start; i < stop; ++i) {
            leaving *= 1.0f - opacity.data[i];
            of_thickness.data[i] = leaving;
        }
        float behind = 0.0f;
        for (wp::int64 i = stop - 1; i >= start; --i) {
            const float w = weights.data[i];
            const float v = r * color.data[3 * i] + g * color.data[3 * i + 1]
                + b * color.data[3 * i + 2] + a + d * t.data[i] + of_weights.data[i];
            of_thickness.data[i] = of_thickness.data[i] * v - behind;
            behind += w * v;
            of_color.data[3 * i] = w * r;
            of_color.data[3 * i + 1] = w * g;
            of_color.data[3 * i + 2] = w * b;
        }
    }
"""

TRANSMITTANCE = """
    for (int ray = begin; ray < end; ++ray) {
        float light = 1.0f;
        for (wp::int64 i = offsets.data[ray]; i < offsets.data[ray + 1]; ++i) {
            reaching.data[i] = light;
            light *= passing.data[i];
        }
    }
"""


@cache
def forward_kernel() -> Any:
    """Weights of the samples and sums of the rays, from opacities."""

    @wp.func_native(FORWARD)
    def composite_rays(
        begin: int,
        end: int,
        offsets: Longs,
        t: Floats,
        opacity: Floats,
        color: Floats,
        weights: Floats,
        ray_color: Floats,
        ray_alpha: Floats,
        ray_depth: Floats,
    ): ...

    @wp.kernel(enable_backward=False, module="unique")
    def composite_forward(
        first: int,
        last: int,
        stride: int,
        offsets: Longs,
        t: Floats,
        opacity: Floats,
        color: Floats,
        weights: Floats,
        ray_color: Floats,
        ray_alpha: Floats,
        ray_depth: Floats,
    ):
        begin = first + wp.tid() * stride
        end = wp.min(begin + stride, last)
        composite_rays(
            begin, end, offsets, t, opacity, color, weights, ray_color, ray_alpha, ray_depth
        )

    return composite_forward


@cache
def backward_kernel() -> Any:
    """Gradients of each sample's optical thickness and colour."""

    @wp.func_native(BACKWARD)
    def differentiate_rays(
        begin: int,
        end: int,
        offsets: Longs,
        t: Floats,
        opacity: Floats,
        color: Floats,
        weights: Floats,
        of_ray_color: Floats,
        of_ray_alpha: Floats,
        of_ray_depth: Floats,
        of_weights: Floats,
        of_thickness: Floats,
        of_color: Floats,
    ): ...

    @wp.kernel(enable_backward=False, module="unique")
    def composite_backward(
        first: int,
        last: int,
        stride: int,
        offsets: Longs,
        t: Floats,
        opacity: Floats,
        color: Floats,
        weights: Floats,
        of_ray_color: Floats,
        of_ray_alpha: Floats,
        of_ray_depth: Floats,
        of_weights: Floats,
        of_thickness: Floats,
        of_color: Floats,
    ):
        begin = first + wp.tid() * stride
        end = wp.min(begin + stride, last)
        differentiate_rays(
            begin,
            end,
            offsets,
            t,
            opacity,
            color,
            weights,
            of_ray_color,
            of_ray_alpha,
            of_ray_depth,
            of_weights,
            of_thickness,
            of_color,
        )

    return composite_backward


@cache
def transmittance_kernel() -> Any:
    """Light that reaches each sample, from the share that each lets pass."""

    @wp.func_native(TRANSMITTANCE)
    def attenuate_rays(
        begin: int,
        end: int,
        offsets: Longs,
        passing: Floats,
        reaching: Floats,
    ): ...

    @wp.kernel(enable_backward=False, module="unique")
    def transmittance(
        first: int,
        last: int,
        stride: int,
        offsets: Longs,
        passing: Floats,
        reaching: Floats,
    ):
        begin = first + wp.tid() * stride
        attenuate_rays(begin, wp.min(begin + stride, last), offsets, passing, reaching)

    return transmittance
