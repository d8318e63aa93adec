"""Warp source of the hash-grid encoding (Müller et al. 2022, section 3; tiny-cuda-nn `grid.h`).

Work items are level-major: item = level * points + point. A level at a time keeps its table in
the cache, and indices and weights of a block of points are computed in vector registers before
the table is touched one entry at a time, which beats the processor's gather instructions. CUDA
reads an entry at once, and from compute capability 9.0 on adds to one at once.
"""

# Annotations are values here, unknown to type checkers.
# pyright: reportInvalidTypeForm=false, reportCallIssue=false

from ..declare import Kernel, Size, float32, int32, kernel, uint8
from ..row_gradient import BLOCK_ROWS

FEATURE_COUNTS = (1, 2, 4, 8)
"""Numbers of features per level for which there is a kernel."""

PREAMBLE = """
#if defined(__CUDA_ARCH__)
    constexpr int BLOCK = 1;
#else
    constexpr int BLOCK = 128;
#endif
    constexpr int F = FEATURES;
    const float* __restrict__ P = points.data;
    unsigned int rows[8][BLOCK];
    float weights[8][BLOCK];
    for (int item = begin; item < end;) {
        const int level = item / count;
        const int stop = wp::min(end, (level + 1) * count) - level * count;
        const float s = scales.data[level];
        const unsigned int res = (unsigned int)resolutions.data[level];
        const unsigned int size = (unsigned int)sizes.data[level];
        const unsigned int mask = size - 1u;
        const bool dense = is_dense.data[level] != 0;
        const unsigned int first = (unsigned int)offsets.data[level];
        float* __restrict__ T = table.data + (size_t)first * F;
        float* __restrict__ O = encoded.data + (size_t)level * F * count;
#if !defined(__CUDA_ARCH__)
        // To fetch a table in order takes less than to miss the cache at each of its lines.
        const size_t numbers = (size_t)size * F, line = 16;
        if (8 * line * (size_t)(stop - (item - level * count)) > numbers)
            for (size_t i = 0; i < numbers; i += line)
                __builtin_prefetch(T + i);
#endif
        for (int start = item - level * count; start < stop; start += BLOCK) {
            const int n = wp::min(BLOCK, stop - start);
            for (int j = 0; j < n; ++j) {
                const float* p = P + 3 * (size_t)(start + j);
                float x = p[0] > 0.0f ? p[0] : 0.0f, y = p[1] > 0.0f ? p[1] : 0.0f;
                float z = p[2] > 0.0f ? p[2] : 0.0f;
                x = (x < 1.0f ? x : 1.0f) * s + 0.5f;
                y = (y < 1.0f ? y : 1.0f) * s + 0.5f;
                z = (z < 1.0f ? z : 1.0f) * s + 0.5f;
                const int ix = (int)x, iy = (int)y, iz = (int)z;
                const float fx = x - (float)ix, fy = y - (float)iy, fz = z - (float)iz;
                const float gx = 1.0f - fx, gy = 1.0f - fy, gz = 1.0f - fz;
                const float w0 = gy * gz, w1 = fy * gz, w2 = gy * fz, w3 = fy * fz;
                weights[0][j] = gx * w0; weights[1][j] = fx * w0;
                weights[2][j] = gx * w1; weights[3][j] = fx * w1;
                weights[4][j] = gx * w2; weights[5][j] = fx * w2;
                weights[6][j] = gx * w3; weights[7][j] = fx * w3;
                const unsigned int x0 = (unsigned int)ix, x1 = x0 + 1u;
                if (dense) {
                    const unsigned int y0 = (unsigned int)iy * res, y1 = y0 + res;
                    const unsigned int z0 = (unsigned int)iz * res * res, z1 = z0 + res * res;
                    const unsigned int r[8] = {x0 + y0 + z0, x1 + y0 + z0, x0 + y1 + z0,
                        x1 + y1 + z0, x0 + y0 + z1, x1 + y0 + z1, x0 + y1 + z1, x1 + y1 + z1};
                    // Modulo size: an index is less than twice the size, and unsigned
                    // subtraction makes a huge number of what would be negative.
                    for (int k = 0; k < 8; ++k)
                        rows[k][j] = wp::min(r[k], r[k] - size);
                } else {
                    const unsigned int y0 = (unsigned int)iy * 2654435761u, y1 = y0 + 2654435761u;
                    const unsigned int z0 = (unsigned int)iz * 805459861u, z1 = z0 + 805459861u;
                    rows[0][j] = (x0 ^ y0 ^ z0) & mask; rows[1][j] = (x1 ^ y0 ^ z0) & mask;
                    rows[2][j] = (x0 ^ y1 ^ z0) & mask; rows[3][j] = (x1 ^ y1 ^ z0) & mask;
                    rows[4][j] = (x0 ^ y0 ^ z1) & mask; rows[5][j] = (x1 ^ y0 ^ z1) & mask;
                    rows[6][j] = (x0 ^ y1 ^ z1) & mask; rows[7][j] = (x1 ^ y1 ^ z1) & mask;
                }
            }
"""

EPILOGUE = """
        }
        item = level * count + stop;
    }
"""

ENTRY = """
#if defined(__CUDA_ARCH__)
    // What is aligned is read at once.
    constexpr int ALIGNED = FEATURES < 4 ? 4 * FEATURES : 16;
#else
    constexpr int ALIGNED = 4;
#endif
    struct alignas(ALIGNED) Entry {
        float values[FEATURES];
    };
"""

FORWARD = (
    ENTRY
    + PREAMBLE
    + """
            for (int j = 0; j < n; ++j) {
                float sum[F] = {};
                for (int k = 0; k < 8; ++k) {
                    const Entry entry = *(const Entry*)(T + (size_t)rows[k][j] * F);
                    for (int f = 0; f < F; ++f)
                        sum[f] += weights[k][j] * entry.values[f];
                }
                for (int f = 0; f < F; ++f)
                    O[(size_t)f * count + start + j] = sum[f];
            }
"""
    + EPILOGUE
)

ADD = """
    // Adds the products of a weight and an entry's numbers to an entry.
    auto add = [](float* entry, float weight, const float* g) {
#if __CUDA_ARCH__ >= 900 && FEATURES == 2
        atomicAdd((float2*)entry, make_float2(weight * g[0], weight * g[1]));
#elif __CUDA_ARCH__ >= 900 && FEATURES > 2
        for (int f = 0; f < FEATURES; f += 4)
            atomicAdd((float4*)(entry + f), make_float4(
                weight * g[f], weight * g[f + 1], weight * g[f + 2], weight * g[f + 3]));
#else
        for (int f = 0; f < FEATURES; ++f)
            wp::atomic_add(entry + f, weight * g[f]);
#endif
    };
"""

BACKWARD = (
    ADD
    + PREAMBLE
    + """
            for (int j = 0; j < n; ++j) {
                float g[F];
                for (int f = 0; f < F; ++f)
                    g[f] = O[(size_t)f * count + start + j];
                for (int k = 0; k < 8; ++k) {
                    add(T + (size_t)rows[k][j] * F, weights[k][j], g);
                    wp::uint8* mark = touched.data + (first + rows[k][j]) / BLOCK_ROWS;
                    // Reading a mark is cheaper than writing it, where many threads do so.
                    if (*mark == 0)
                        *mark = 1;
                }
            }
"""
    + EPILOGUE
)


def _declare_forward(features: int) -> Kernel:
    """Declare the encoding for this number of features."""

    @kernel(FORWARD.replace("FEATURES", str(features)), name=f"hash_grid_forward_{features}")
    def hash_grid(
        begin: int,
        end: int,
        count: Size,
        points: float32("count", 3),
        table: float32("rows", features),
        encoded: float32("levels", features, "count"),
        scales: float32("levels"),
        resolutions: int32("levels"),
        sizes: int32("levels"),
        offsets: int32("levels"),
        is_dense: int32("levels"),
    ): ...

    return hash_grid


def _declare_backward(features: int) -> Kernel:
    """Declare the gradient for this number of features."""
    native = BACKWARD.replace("FEATURES", str(features)).replace("BLOCK_ROWS", f"{BLOCK_ROWS}u")

    @kernel(native, name=f"hash_grid_backward_{features}")
    def hash_grid(
        begin: int,
        end: int,
        count: Size,
        points: float32("count", 3),
        table: float32("rows", features),
        touched: uint8("blocks"),
        encoded: float32("levels", features, "count"),
        scales: float32("levels"),
        resolutions: int32("levels"),
        sizes: int32("levels"),
        offsets: int32("levels"),
        is_dense: int32("levels"),
    ): ...

    return hash_grid


FORWARD_KERNELS = {n: _declare_forward(n) for n in FEATURE_COUNTS}
"""The encoding, by features of a level: reads `table`, writes `encoded`."""

BACKWARD_KERNELS = {n: _declare_backward(n) for n in FEATURE_COUNTS}
"""The gradient, by features of a level: reads that of the encoding, `encoded`, adds to `table` its
own, and marks the blocks of rows to which it adds. On the CPU no two threads may work on the same
level at once."""
