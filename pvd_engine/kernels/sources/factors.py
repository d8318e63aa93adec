"""Warp source of products of interpolated factors: planes times lines, and lines alone.

On CUDA `LANES` threads share a point, or a point of one mode: each takes every `LANES`-th channel,
so that together they read and add to successive numbers.
"""

# Annotations are values here, unknown to type checkers.
# pyright: reportInvalidTypeForm=false, reportCallIssue=false

from ..declare import Size, float32, kernel

CHANNELS_A_PART = 16
"""Number of channels whose gradients are made at once: a line of cache. On the CPU a thread owns
such a part."""

LANES = 8
"""Threads that share a point on CUDA: their numbers fill a sector of memory, 32 bytes."""

RANGES = """
#if LANES > 1
    constexpr int WIDTH = 1;
#else
    constexpr int WIDTH = CHANNELS_A_PART;
    const int parts = (channels + WIDTH - 1) / WIDTH;
#endif
    // One destination a loop: several in one loop might overlap, so that it is not vectorised.
    auto add = [](float* __restrict__ sums, float weight, const float* __restrict__ v, int n) {
        for (int k = 0; k < n; ++k)
            wp::atomic_add(sums + k, weight * v[k]);
    };
    for (int item = begin; item < end; ++item) {
#if LANES > 1
        // A work item is a point of one mode.
        const int mode = item / count;
        const int first_point = item % count, last_point = first_point + 1;
        const int first_channel = lane, last_channel = channels;
#else
        // A work item is a part of the channels of one mode, for all points.
        const int mode = item / parts;
        const int first_point = 0, last_point = count;
        const int first_channel = item % parts * WIDTH;
        const int last_channel = wp::min(first_channel + WIDTH, channels);
#endif
""".replace("CHANNELS_A_PART", str(CHANNELS_A_PART))

LOCATE = """
    // An array that is indexed by the mode would be in memory on CUDA.
    auto size = [&](int axis) { return axis == 0 ? size_x : axis == 1 ? size_y : size_z; };
    auto locate = [&](int i, int axis, int& cell, float& upper, float& lower) {
        float x = points.data[3 * (size_t)i + axis];
        x = x > 0.0f ? x : 0.0f;
        x = (x < 1.0f ? x : 1.0f) * (float)(size(axis) - 1);
        cell = wp::min((int)x, size(axis) - 2);
        upper = x - (float)cell;
        lower = 1.0f - upper;
    };
    int i0, i1, i2;
    float f0, f1, f2, g0, g1, g2;
"""

OFFSETS = """
        const int a = mode == 2 ? 1 : 0, b = mode == 0 ? 1 : 2, c = 2 - mode;
        size_t plane_row = 0, line_row = 0;
        for (int m = 0; m < mode; ++m) {
            plane_row += (size_t)size(m == 2 ? 1 : 0) * size(m == 0 ? 1 : 2);
            line_row += size(2 - m);
        }
"""

CORNERS = """
            locate(i, a, i0, f0, g0);
            locate(i, b, i1, f1, g1);
            locate(i, c, i2, f2, g2);
            const size_t p0 = (plane_row + (size_t)i0 * size(b) + i1) * channels;
            const size_t p1 = p0 + channels, p2 = p0 + (size_t)size(b) * channels;
            const size_t p3 = p2 + channels;
            const size_t l0 = (line_row + i2) * channels, l1 = l0 + channels;
            const float w0 = g0 * g1, w1 = g0 * f1, w2 = f0 * g1, w3 = f0 * f1;
            const float* __restrict__ P = planes.data;
            const float* __restrict__ L = lines.data;
"""

PLANES_FORWARD = (
    LOCATE
    + """
    for (int item = begin; item < end;) {
        const int mode = item / count;
        const int stop = wp::min(end, (mode + 1) * count) - mode * count;
"""
    + OFFSETS
    + """
        for (int i = item - mode * count; i < stop; ++i) {
"""
    + CORNERS
    + """
            float* __restrict__ out = products.data + ((size_t)i * 3 + mode) * channels;
            for (int k = lane; k < channels; k += LANES)
                out[k] = (w0 * P[p0 + k] + w1 * P[p1 + k] + w2 * P[p2 + k] + w3 * P[p3 + k])
                    * (g2 * L[l0 + k] + f2 * L[l1 + k]);
        }
        item = mode * count + stop;
    }
"""
)

PLANES_BACKWARD = (
    LOCATE
    + RANGES
    + OFFSETS
    + """
        for (int i = first_point; i < last_point; ++i) {
"""
    + CORNERS
    + """
            const float* __restrict__ G = products.data + ((size_t)i * 3 + mode) * channels;
            for (int first = first_channel; first < last_channel; first += LANES * WIDTH) {
                const int n = wp::min(WIDTH, last_channel - first);
                float gp[WIDTH], gl[WIDTH];
                for (int k = 0; k < n; ++k) {
                    const int j = first + k;
                    const float plane = w0 * P[p0 + j] + w1 * P[p1 + j] + w2 * P[p2 + j]
                        + w3 * P[p3 + j];
                    gp[k] = G[j] * (g2 * L[l0 + j] + f2 * L[l1 + j]);
                    gl[k] = G[j] * plane;
                }
                add(of_planes.data + p0 + first, w0, gp, n);
                add(of_planes.data + p1 + first, w1, gp, n);
                add(of_planes.data + p2 + first, w2, gp, n);
                add(of_planes.data + p3 + first, w3, gp, n);
                add(of_lines.data + l0 + first, g2, gl, n);
                add(of_lines.data + l1 + first, f2, gl, n);
            }
        }
    }
"""
)

LINE_ROWS = """
            locate(i, 0, i0, f0, g0);
            locate(i, 1, i1, f1, g1);
            locate(i, 2, i2, f2, g2);
            const size_t x0 = (size_t)i0 * channels, x1 = x0 + channels;
            const size_t y0 = ((size_t)size_x + i1) * channels, y1 = y0 + channels;
            const size_t z0 = ((size_t)size_x + size_y + i2) * channels, z1 = z0 + channels;
            const float* __restrict__ L = lines.data;
"""

LINES_FORWARD = (
    LOCATE
    + """
        for (int i = begin; i < end; ++i) {
"""
    + LINE_ROWS
    + """
            float* __restrict__ out = products.data + (size_t)i * channels;
            for (int k = lane; k < channels; k += LANES)
                out[k] = (g0 * L[x0 + k] + f0 * L[x1 + k])
                    * (g1 * L[y0 + k] + f1 * L[y1 + k])
                    * (g2 * L[z0 + k] + f2 * L[z1 + k]);
        }
"""
)

LINES_BACKWARD = (
    LOCATE
    + RANGES
    + """
        for (int i = first_point; i < last_point; ++i) {
"""
    + LINE_ROWS
    + """
            const float* __restrict__ G = products.data + (size_t)i * channels;
            for (int first = first_channel; first < last_channel; first += LANES * WIDTH) {
                const int n = wp::min(WIDTH, last_channel - first);
                float gx[WIDTH], gy[WIDTH], gz[WIDTH];
                for (int k = 0; k < n; ++k) {
                    const int j = first + k;
                    const float x = g0 * L[x0 + j] + f0 * L[x1 + j];
                    const float y = g1 * L[y0 + j] + f1 * L[y1 + j];
                    const float z = g2 * L[z0 + j] + f2 * L[z1 + j];
                    gx[k] = G[j] * y * z;
                    gy[k] = G[j] * x * z;
                    gz[k] = G[j] * x * y;
                }
                add(of_lines.data + x0 + first, g0, gx, n);
                add(of_lines.data + x1 + first, f0, gx, n);
                add(of_lines.data + y0 + first, g1, gy, n);
                add(of_lines.data + y1 + first, f1, gy, n);
                add(of_lines.data + z0 + first, g2, gz, n);
                add(of_lines.data + z1 + first, f2, gz, n);
            }
        }
    }
"""
)


@kernel(PLANES_FORWARD, lanes=LANES)
def plane_products_forward(
    begin: int,
    end: int,
    lane: int,
    count: Size,
    channels: Size,
    points: float32("count", 3),
    size_x: int,
    size_y: int,
    size_z: int,
    planes: float32("plane_rows", "channels"),
    lines: float32("line_rows", "channels"),
    products: float32("count", 3, "channels"),
):
    """Compute products of planes and lines; work items are points, mode by mode."""


@kernel(PLANES_BACKWARD, lanes=LANES)
def plane_products_backward(
    begin: int,
    end: int,
    lane: int,
    count: Size,
    channels: Size,
    points: float32("count", 3),
    size_x: int,
    size_y: int,
    size_z: int,
    planes: float32("plane_rows", "channels"),
    lines: float32("line_rows", "channels"),
    products: float32("count", 3, "channels"),
    of_planes: float32("plane_rows", "channels"),
    of_lines: float32("line_rows", "channels"),
):
    """Add gradients of planes and lines, from the gradient of their products.

    Work items are points, mode by mode, where lanes share them; else parts of the channels of a
    mode.
    """


@kernel(LINES_FORWARD, lanes=LANES)
def line_products_forward(
    begin: int,
    end: int,
    lane: int,
    count: Size,
    channels: Size,
    points: float32("count", 3),
    size_x: int,
    size_y: int,
    size_z: int,
    lines: float32("line_rows", "channels"),
    products: float32("count", "channels"),
):
    """Compute products of three lines; work items are points."""


@kernel(LINES_BACKWARD, lanes=LANES)
def line_products_backward(
    begin: int,
    end: int,
    lane: int,
    count: Size,
    channels: Size,
    points: float32("count", 3),
    size_x: int,
    size_y: int,
    size_z: int,
    lines: float32("line_rows", "channels"),
    products: float32("count", "channels"),
    of_lines: float32("line_rows", "channels"),
):
    """Add gradients of lines.

    Work items are points where lanes share them, else parts of the channels.
    """
