"""Warp source of sparse-grid interpolation, forward and backward.

On CUDA `LANES` threads share a point: each takes every `LANES`-th channel, so that together they
read and add to successive numbers.
"""

# Annotations are values here, unknown to type checkers.
# pyright: reportInvalidTypeForm=false, reportCallIssue=false

from ..declare import Size, float32, int32, kernel

LANES = 32
"""Threads that share a point on CUDA: a warp, which takes the 28 channels of colours by spherical
harmonics at once."""

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
            const float* v[8];
            for (int k = 0; k < 8; ++k) {
                const size_t along_x = (k & 1) ? (size_t)size_y * size_z : 0;
                const size_t along_y = (k & 2) ? (size_t)size_z : 0;
                const wp::int32 row = corner[along_x + along_y + (k >> 2)];
                if (saved && k % LANES == lane)
                    rows.data[8 * (size_t)i + k] = row;
                v[k] = row < 0 ? empty.data : values.data + (size_t)row * channels;
            }
            float* __restrict__ out = sampled.data + (size_t)i * channels;
            for (int c = lane; c < channels; c += LANES) {
                float sum = weights[0] * v[0][c];
                for (int k = 1; k < 8; ++k)
                    sum += weights[k] * v[k][c];
                out[c] = sum;
            }
        }
"""
)

BACKWARD = (
    """
#if LANES > 1
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
                for (int c = lane; c < channels; c += LANES)
                    wp::atomic_add(v + c, w * g[c]);
            }
        }
"""
)


@kernel(FORWARD, lanes=LANES)
def sparse_grid_forward(
    begin: int,
    end: int,
    lane: int,
    channels: Size,
    points: float32("count", 3),
    links: int32("size_x", "size_y", "size_z"),
    size_x: Size,
    size_y: Size,
    size_z: Size,
    values: float32("values", "channels"),
    empty: float32("channels"),
    sampled: float32("count", "channels"),
    saved: Size,
    rows: int32("saved", 8),
):
    """Interpolate, and write the corners' links to `rows` unless it is empty; items are points."""


@kernel(BACKWARD, lanes=LANES)
def sparse_grid_backward(
    begin: int,
    end: int,
    lane: int,
    count: Size,
    channels: Size,
    points: float32("count", 3),
    size_x: int,
    size_y: int,
    size_z: int,
    rows: int32("count", 8),
    gradient: float32("count", "channels"),
    of_values: float32("values", "channels"),
):
    """Add the gradient of the values.

    Work items are points where lanes share them, else rows of the values.
    """
