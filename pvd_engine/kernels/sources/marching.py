"""Warp source of ray marching through an occupancy grid.

Work items are rays. A ray's candidates, which lie a step apart, are tested in groups whose cells
are computed in vector registers: on a processor that is faster than skipping empty cells one by
one, as steps are about as long as cells. Products and sums are not fused, so that a candidate's
position is the same number that the reference computes.
"""

# Annotations are values here, unknown to type checkers.
# pyright: reportInvalidTypeForm=false

from ..declare import Size, float32, int32, int64, kernel, uint8
from ..launch import RAY_BLOCK

RUNS = 16
"""Runs of successive candidates that are noted for a ray when its samples are counted."""

MARCH = """
#if defined(__CUDA_ARCH__)
    constexpr int GROUP = 1;
    auto lowest_bit = [](unsigned int) { return 0; };
#else
    constexpr int GROUP = 16;
    auto lowest_bit = [](unsigned int bits) { return __builtin_ctz(bits); };
#endif
    constexpr unsigned int ALL = (1u << GROUP) - 1u;
    const float low_x = box.data[0], low_y = box.data[1], low_z = box.data[2];
    const float scale_x = scales.data[0], scale_y = scales.data[1], scale_z = scales.data[2];
    const float last_x = (float)(cells_x - 1), last_y = (float)(cells_y - 1);
    const float last_z = (float)(cells_z - 1);
    for (int ray = begin; ray < end; ++ray) {
        const float* o = origins.data + 3 * (size_t)ray;
        const float* d = directions.data + 3 * (size_t)ray;
        const float shift = jitter.data[ray];
        float near = 0.0f, far = 1.0e30f;
        for (int axis = 0; axis < 3; ++axis) {
            const float factor = 1.0f / (wp::abs(d[axis]) < 1.0e-12f ? 1.0e-12f : d[axis]);
            const float a = (box.data[axis] - o[axis]) * factor;
            const float b = (box.data[3 + axis] - o[axis]) * factor;
            near = wp::max(near, wp::min(a, b));
            far = wp::min(far, wp::max(a, b));
        }
        int* noted = runs.data + 2 * RUNS * (size_t)ray;
        long long sample = 0, stop = 0;
        int k = 0;
        if (fill) {
            sample = offsets.data[ray];
            stop = offsets.data[ray + 1];
            for (int run = 0; run < RUNS && sample < stop; ++run) {
                for (k = noted[2 * run]; k < noted[2 * run + 1]; ++k, ++sample) {
                    ray_index.data[sample] = ray;
                    distances.data[sample] = near + ((float)k + shift) * step;
                }
            }
        }
        int turn = 0;
        unsigned int running = 0;
        while (near + ((float)k + shift) * step < far && (!fill || sample < stop)) {
            float t[GROUP];
            int cell[GROUP];
            for (int j = 0; j < GROUP; ++j) {
                t[j] = near + ((float)(k + j) + shift) * step;
                const float x = (o[0] + t[j] * d[0] - low_x) * scale_x;
                const float y = (o[1] + t[j] * d[1] - low_y) * scale_y;
                const float z = (o[2] + t[j] * d[2] - low_z) * scale_z;
                const int i = (int)(x > 0.0f ? (x < last_x ? x : last_x) : 0.0f);
                const int l = (int)(y > 0.0f ? (y < last_y ? y : last_y) : 0.0f);
                const int m = (int)(z > 0.0f ? (z < last_z ? z : last_z) : 0.0f);
                cell[j] = (i * cells_y + l) * cells_z + m;
            }
            unsigned int kept = 0;
            for (int j = 0; j < GROUP; ++j)
                kept |= (unsigned int)(occupancy.data[cell[j]] != 0 && t[j] < far) << j;
            // Bits of the candidates at which a run begins, or has ended.
            unsigned int turns = kept ^ (kept << 1 | running);
            running = kept >> (GROUP - 1);
            if (fill) {
                for (; kept; kept &= kept - 1, ++sample) {
                    ray_index.data[sample] = ray;
                    distances.data[sample] = t[lowest_bit(kept)];
                }
            } else {
                for (turns &= ALL; turns; turns &= turns - 1, ++turn) {
                    const int at = k + lowest_bit(turns);
                    sample += turn % 2 ? at : -at;
                    if (turn < 2 * RUNS)
                        noted[turn] = at;
                }
            }
            k += GROUP;
        }
        if (!fill) {
            if (running) {
                sample += k;
                if (turn < 2 * RUNS)
                    noted[turn] = k;
                ++turn;
            }
            for (; turn < 2 * RUNS; ++turn)
                noted[turn] = 0;
            offsets.data[ray + 1] = sample;
        }
    }
"""


@kernel(MARCH.replace("RUNS", str(RUNS)), fused=False, block=RAY_BLOCK)
def march_rays(
    begin: int,
    end: int,
    origins: float32("rays", 3),
    directions: float32("rays", 3),
    jitter: float32("rays"),
    occupancy: uint8("cells_x", "cells_y", "cells_z"),
    cells_x: Size,
    cells_y: Size,
    cells_z: Size,
    box: float32(2, 3),
    scales: float32(3),
    step: float,
    fill: int,
    runs: int32("rays", RUNS, 2),
    offsets: int64("rays + 1"),
    ray_index: int64("samples"),
    distances: float32("samples"),
):
    """Count each ray's samples in `offsets`, behind its own entry (fill 0), or write them (fill 1).

    Counting notes the first `RUNS` runs of successive candidates in `runs`, so that filling
    tests only what is behind them. When filling, `offsets` holds the index of each ray's first
    sample.
    """
    ...
