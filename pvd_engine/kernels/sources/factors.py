"""Warp source of products of interpolated factors: planes times lines, and lines alone."""

# Annotations are values here, unknown to type checkers.
# pyright: reportInvalidTypeForm=false, reportCallIssue=false

from ..declare import Size, float32, kernel

CHANNELS_A_PART = 16
"""Number of channels whose gradients are made at once: a line of cache. On the CPU a thread owns
such a part."""

RANGES = """
    constexpr int WIDTH = CHANNELS_A_PART;
    // One destination a loop: several in one loop might overlap, so that it is not vectorised.
    auto add = [](float* __restrict__ sums, float weight, const float* __restrict__ v, int n) {
        for (int k = 0; k < n; ++k)
            wp::atomic_add(sums + k, weight * v[k]);
    };
#if defined(__CUDA_ARCH__)
    // A work item is a point of one mode.
    const int first_channel = 0, last_channel = channels;
    const int first_point = begin % count, last_point = first_point + 1;
    for (int mode = begin / count; mode == begin / count; ++mode) {
#else
    // A work item is a part of the channels of one mode, for all points.
    const int parts = (channels + WIDTH - 1) / WIDTH;
    const int first_point = 0, last_point = count;
    for (int item = begin; item < end; ++item) {
        const int mode = item / parts;
        const int first_channel = item % parts * WIDTH;
        const int last_channel = wp::min(first_channel + WIDTH, channels);
#endif
""".replace("CHANNELS_A_PART", str(CHANNELS_A_PART))

LOCATE = """
    const int size[3] = {size_x, size_y, size_z};
    int cell[3];
    float f[3], g[3];
    auto locate = [&](int i) {
        for (int axis = 0; axis < 3; ++axis) {
            float x = points.data[3 * (size_t)i + axis];
            x = x > 0.0f ? x : 0.0f;
            x = (x < 1.0f ? x : 1.0f) * (float)(size[axis] - 1);
            cell[axis] = wp::min((int)x, size[axis] - 2);
            f[axis] = x - (float)cell[axis];
            g[axis] = 1.0f - f[axis];
        }
    };
"""

OFFSETS = """
        const int a = mode == 2 ? 1 : 0, b = mode == 0 ? 1 : 2, c = 2 - mode;
        size_t plane_row = 0, line_row = 0;
        for (int m = 0; m < mode; ++m) {
            plane_row += (size_t)size[m == 2 ? 1 : 0] * size[m == 0 ? 1 : 2];
            line_row += size[2 - m];
        }
"""

CORNERS = """
            locate(i);
            const size_t p0 = (plane_row + (size_t)cell[a] * size[b] + cell[b]) * channels;
            const size_t p1 = p0 + channels, p2 = p0 + (size_t)size[b] * channels;
            const size_t p3 = p2 + channels;
            const size_t l0 = (line_row + cell[c]) * channels, l1 = l0 + channels;
            const float w0 = g[a] * g[b], w1 = g[a] * f[b], w2 = f[a] * g[b], w3 = f[a] * f[b];
            const float v0 = g[c], v1 = f[c];
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
            for (int k = 0; k < channels; ++k)
                out[k] = (w0 * P[p0 + k] + w1 * P[p1 + k] + w2 * P[p2 + k] + w3 * P[p3 + k])
                    * (v0 * L[l0 + k] + v1 * L[l1 + k]);
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
            for (int first = first_channel; first < last_channel; first += WIDTH) {
                const int n = wp::min(WIDTH, last_channel - first);
                float gp[WIDTH], gl[WIDTH];
                for (int k = 0; k < n; ++k) {
                    const int j = first + k;
                    const float plane = w0 * P[p0 + j] + w1 * P[p1 + j] + w2 * P[p2 + j]
                        + w3 * P[p3 + j];
                    gp[k] = G[j] * (v0 * L[l0 + j] + v1 * L[l1 + j]);
                    gl[k] = G[j] * plane;
                }
                add(of_planes.data + p0 + first, w0, gp, n);
                add(of_planes.data + p1 + first, w1, gp, n);
                add(of_planes.data + p2 + first, w2, gp, n);
                add(of_planes.data + p3 + first, w3, gp, n);
                add(of_lines.data + l0 + first, v0, gl, n);
                add(of_lines.data + l1 + first, v1, gl, n);
            }
        }
    }
"""
)

LINE_ROWS = """
            locate(i);
            const size_t x0 = (size_t)cell[0] * channels, x1 = x0 + channels;
            const size_t y0 = ((size_t)size[0] + cell[1]) * channels, y1 = y0 + channels;
            const size_t z0 = ((size_t)size[0] + size[1] + cell[2]) * channels, z1 = z0 + channels;
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
            for (int k = 0; k < channels; ++k)
                out[k] = (g[0] * L[x0 + k] + f[0] * L[x1 + k])
                    * (g[1] * L[y0 + k] + f[1] * L[y1 + k])
                    * (g[2] * L[z0 + k] + f[2] * L[z1 + k]);
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
            for (int first = first_channel; first < last_channel; first += WIDTH) {
                const int n = wp::min(WIDTH, last_channel - first);
                float gx[WIDTH], gy[WIDTH], gz[WIDTH];
                for (int k = 0; k < n; ++k) {
                    const int j = first + k;
                    const float x = g[0] * L[x0 + j] + f[0] * L[x1 + j];
                    const float y = g[1] * L[y0 + j] + f[1] * L[y1 + j];
                    const float z = g[2] * L[z0 + j] + f[2] * L[z1 + j];
                    gx[k] = G[j] * y * z;
                    gy[k] = G[j] * x * z;
                    gz[k] = G[j] * x * y;
                }
                add(of_lines.data + x0 + first, g[0], gx, n);
                add(of_lines.data + x1 + first, f[0], gx, n);
                add(of_lines.data + y0 + first, g[1], gy, n);
                add(of_lines.data + y1 + first, f[1], gy, n);
                add(of_lines.data + z0 + first, g[2], gz, n);
                add(of_lines.data + z1 + first, f[2], gz, n);
            }
        }
    }
"""
)


@kernel(PLANES_FORWARD)
def plane_products_forward(
    begin: int,
    end: int,
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


@kernel(PLANES_BACKWARD)
def plane_products_backward(
    begin: int,
    end: int,
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

    Work items are points, mode by mode, on CUDA; on the CPU parts of the channels of a mode.
    """


@kernel(LINES_FORWARD)
def line_products_forward(
    begin: int,
    end: int,
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


@kernel(LINES_BACKWARD)
def line_products_backward(
    begin: int,
    end: int,
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
    """Add gradients of lines; work items are points on CUDA, parts of the channels on the CPU."""
