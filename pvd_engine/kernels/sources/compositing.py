"""Warp source of compositing, forward and backward; work items are rays."""

# Annotations are values here, unknown to type checkers.
# pyright: reportInvalidTypeForm=false, reportCallIssue=false

from ..declare import float32, int64, kernel
from ..launch import RAY_BLOCK

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


@kernel(FORWARD, block=RAY_BLOCK)
def composite_forward(
    begin: int,
    end: int,
    offsets: int64("rays + 1"),
    t: float32("samples"),
    opacity: float32("samples"),
    color: float32("samples", 3),
    weights: float32("samples"),
    ray_color: float32("rays", 3),
    ray_alpha: float32("rays"),
    ray_depth: float32("rays"),
):
    """Compute weights of the samples and sums of the rays, from opacities."""


@kernel(BACKWARD, block=RAY_BLOCK)
def composite_backward(
    begin: int,
    end: int,
    offsets: int64("rays + 1"),
    t: float32("samples"),
    opacity: float32("samples"),
    color: float32("samples", 3),
    weights: float32("samples"),
    of_ray_color: float32("rays", 3),
    of_ray_alpha: float32("rays"),
    of_ray_depth: float32("rays"),
    of_weights: float32("samples"),
    of_thickness: float32("samples"),
    of_color: float32("samples", 3),
):
    """Compute gradients of each sample's optical thickness and colour."""


@kernel(TRANSMITTANCE, block=RAY_BLOCK)
def transmittance(
    begin: int,
    end: int,
    offsets: int64("rays + 1"),
    passing: float32("samples"),
    reaching: float32("samples"),
):
    """Compute the light that reaches each sample, from the fraction that each lets pass."""
