"""Warp source of sparse-grid interpolation, forward and backward."""

# Warp reads annotations as values, and kernels in a language of its own, unknown to type checkers.
# pyright: basic, reportInvalidTypeForm=false, reportOperatorIssue=false, reportReturnType=false
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false
# pyright: reportIndexIssue=false, reportFunctionMemberAccess=false

from functools import cache
from typing import Any

import warp as wp

from .arrays import Floats, Integers

WEIGHTS = """
            const float* p = points.data + 3 * (size_t)i;
            const int size[3] = {size_x, size_y, size_z};
            float f[3];
            int cell[3];
            for (int axis = 0; axis < 3; ++axis) {
                float x = p[axis] > 0.0f ? p[axis] : 0.0f;
                x = (x < 1.0f ? x : 1.0f) * (float)(size[axis] - 1);
                cell[axis] = wp::min((int)x, size[axis] - 2);
                f[axis] = x - (float)cell[axis];
            }
            const float gx = 1.0f - f[0], gy = 1.0f - f[1], gz = 1.0f - f[2];
            const float weights[8] = {
                gx * gy * gz, f[0] * gy * gz, gx * f[1] * gz, f[0] * f[1] * gz,
                gx * gy * f[2], f[0] * gy * f[2], gx * f[1] * f[2], f[0] * f[1] * f[2]};
"""

FORWARD = (
    """
        for (int i = begin; i < end; ++i) {
"""
    + WEIGHTS
    + """
            const wp::int32* corner = links.data
                + ((size_t)cell[0] * size_y + cell[1]) * size_z + cell[2];
            float* __restrict__ out = sampled.data + (size_t)i * channels;
            for (int k = 0; k < 8; ++k) {
                const size_t along_x = (k & 1) ? (size_t)size_y * size_z : 0;
                const size_t along_y = (k & 2) ? (size_t)size_z : 0;
                const wp::int32 row = corner[along_x + along_y + (k >> 2)];
                if (save)
                    rows.data[8 * (size_t)i + k] = row;
                const float* __restrict__ v =
                    row < 0 ? empty.data : values.data + (size_t)row * channels;
                const float w = weights[k];
                if (k == 0)
                    for (int c = 0; c < channels; ++c)
                        out[c] = w * v[c];
                else
                    for (int c = 0; c < channels; ++c)
                        out[c] += w * v[c];
            }
        }
"""
)

BACKWARD = (
    """
#if defined(__CUDA_ARCH__)
        const int point_begin = begin, point_end = end;
        const unsigned int row_begin = 0u, row_count = 0x80000000u;
#else
        const int point_begin = 0, point_end = count;
        const unsigned int row_begin = begin, row_count = end - begin;
#endif
        for (int i = point_begin; i < point_end; ++i) {
            const wp::int32* __restrict__ row = rows.data + 8 * (size_t)i;
            // As an unsigned number a link of -1, or a row before the range, is beyond the range.
            bool mine = false;
            for (int k = 0; k < 8; ++k)
                mine |= (unsigned int)row[k] - row_begin < row_count;
            if (!mine)
                continue;
"""
    + WEIGHTS
    + """
            const float* __restrict__ g = gradient.data + (size_t)i * channels;
            for (int k = 0; k < 8; ++k) {
                if ((unsigned int)row[k] - row_begin >= row_count)
                    continue;
                float* __restrict__ v = of_values.data + (size_t)row[k] * channels;
                const float w = weights[k];
                for (int c = 0; c < channels; ++c)
                    wp::atomic_add(v + c, w * g[c]);
            }
        }
"""
)


@cache
def forward_kernel() -> Any:
    """Interpolate; work items are points. Writes the corners' links to `rows` where `save`."""

    @wp.func_native(FORWARD)
    def sample_points(
        begin: int,
        end: int,
        channels: int,
        points: Floats,
        links: Integers,
        size_x: int,
        size_y: int,
        size_z: int,
        values: Floats,
        empty: Floats,
        sampled: Floats,
        save: int,
        rows: Integers,
    ): ...

    @wp.kernel(enable_backward=False, module="unique")
    def sparse_grid_forward(
        first: int,
        last: int,
        stride: int,
        channels: int,
        points: Floats,
        links: Integers,
        size_x: int,
        size_y: int,
        size_z: int,
        values: Floats,
        empty: Floats,
        sampled: Floats,
        save: int,
        rows: Integers,
    ):
        begin = first + wp.tid() * stride
        sample_points(
            begin,
            wp.min(begin + stride, last),
            channels,
            points,
            links,
            size_x,
            size_y,
            size_z,
            values,
            empty,
            sampled,
            save,
            rows,
        )

    return sparse_grid_forward


@cache
def backward_kernel() -> Any:
    """Gradient of the values; work items are points on CUDA and rows of values on the CPU."""

    @wp.func_native(BACKWARD)
    def scatter_points(
        begin: int,
        end: int,
        count: int,
        channels: int,
        points: Floats,
        size_x: int,
        size_y: int,
        size_z: int,
        rows: Integers,
        gradient: Floats,
        of_values: Floats,
    ): ...

    @wp.kernel(enable_backward=False, module="unique")
    def sparse_grid_backward(
        first: int,
        last: int,
        stride: int,
        count: int,
        channels: int,
        points: Floats,
        size_x: int,
        size_y: int,
        size_z: int,
        rows: Integers,
        gradient: Floats,
        of_values: Floats,
    ):
        begin = first + wp.tid() * stride
        scatter_points(
            begin,
            wp.min(begin + stride, last),
            count,
            channels,
            points,
            size_x,
            size_y,
            size_z,
            rows,
            gradient,
            of_values,
        )

    return sparse_grid_backward
