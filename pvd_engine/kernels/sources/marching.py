"""Warp source of ray marching through an occupancy grid.

Work items are rays. Candidates of a ray lie a step apart; those in empty cells are skipped a cell
at a time (Amanatides and Woo, "A fast voxel traversal algorithm", 1987, with the crossing computed
again in each cell). Products and sums are not fused, so that a candidate's position is the same
number that the reference computes.
"""

# Warp reads annotations as values, and kernels in a language of its own, unknown to type checkers.
# pyright: basic, reportInvalidTypeForm=false, reportOperatorIssue=false, reportReturnType=false
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false
# pyright: reportIndexIssue=false, reportFunctionMemberAccess=false

# Warp makes a variable of int(0), but a constant of 0.
# ruff: noqa: UP018, RUF046

import warp as wp

from ..declare import Size, float32, int32, int64, kernel, uint8

MARGIN = wp.constant(1.0e-5)
"""Fraction of the distances involved by which a skip ends early, against rounding."""

TINY = wp.constant(1.0e-12)

BLOCK = wp.constant(8)
"""Cells along an axis of the blocks that are crossed in one move where they are all empty."""

RUNS = wp.constant(16)
"""Runs of successive candidates that are noted for a ray when its samples are counted."""


@wp.func
def inverse(direction: float) -> float:
    """Return 1 / direction, limited where the direction is near zero."""
    if wp.abs(direction) < TINY:
        return 1.0 / TINY
    return 1.0 / direction


@wp.func
def cell_of(position: float, low: float, scale: float, cells: int) -> int:
    """Return the cell along one axis; the nearest for positions outside."""
    return wp.clamp(int((position - low) * scale), 0, cells - 1)


@wp.func
def blocks_along(cells: int) -> int:
    """Return the number of blocks along an axis of `cells` cells."""
    return (cells + BLOCK - 1) / BLOCK


@wp.func
def last_in_block(cell: int, direction: float) -> int:
    """Return the cell of the same block that a ray along `direction` leaves last."""
    start = cell - cell % BLOCK
    if direction > 0.0:
        return start + BLOCK - 1
    return start


@wp.func_native("""
    unsigned char any[8] = {};
    for (int x = x0; x < x1; ++x) {
        for (int y = y0; y < y1; ++y) {
            const unsigned char* row = occupancy.data + ((size_t)x * cells_y + y) * cells_z;
            if (z1 - z0 == 8)
                for (int i = 0; i < 8; ++i)
                    any[i] |= row[z0 + i];
            else
                for (int z = z0; z < z1; ++z)
                    any[0] |= row[z];
        }
    }
    unsigned char all = 0;
    for (int i = 0; i < 8; ++i)
        all |= any[i];
    return all;
""")
def any_in_box(
    occupancy: wp.array[wp.uint8],
    x0: int,
    x1: int,
    y0: int,
    y1: int,
    z0: int,
    z1: int,
    cells_y: int,
    cells_z: int,
) -> wp.uint8:
    """Return non-zero if any cell of a box is; eight cells along z are read as one number."""
    ...


@kernel()
def gather_blocks(
    begin: int,
    end: int,
    occupancy: uint8("cells_x", "cells_y", "cells_z"),
    cells_x: Size,
    cells_y: Size,
    cells_z: Size,
    blocks: uint8("blocks"),
):
    """Compute whether any cell of each block is occupied; work items are blocks."""
    along_y = blocks_along(cells_y)
    along_z = blocks_along(cells_z)
    for block in range(begin, end):
        x0 = block / (along_y * along_z) * BLOCK
        y0 = (block / along_z) % along_y * BLOCK
        z0 = block % along_z * BLOCK
        blocks[block] = any_in_box(
            occupancy,
            x0,
            wp.min(x0 + BLOCK, cells_x),
            y0,
            wp.min(y0 + BLOCK, cells_y),
            z0,
            wp.min(z0 + BLOCK, cells_z),
            cells_y,
            cells_z,
        )


@wp.func
def next_occupied(
    k: int,
    near: float,
    far: float,
    skip_limit: float,
    offset: float,
    step: float,
    per_step: float,
    origin: wp.vec3,
    direction: wp.vec3,
    occupancy: wp.array[wp.uint8],
    cells: wp.vec3i,
    blocks: wp.array[wp.uint8],
    low: wp.vec3,
    scale: wp.vec3,
    face_start: wp.vec3,
    face_growth: wp.vec3,
) -> wp.vec2i:
    """Return the first candidates in an occupied cell from the k-th on: first, one past the last.

    The first is -1 if there is none. A ray leaves cell i of an axis at
    `face_start + face_growth * i`, made a little smaller so that all candidates before it are in
    the cell despite rounding.
    """
    t = near + (float(k) + offset) * step
    while t < far:
        x = cell_of(origin[0] + t * direction[0], low[0], scale[0], cells[0])
        y = cell_of(origin[1] + t * direction[1], low[1], scale[1], cells[1])
        z = cell_of(origin[2] + t * direction[2], low[2], scale[2], cells[2])
        occupied = occupancy[(x * cells[1] + y) * cells[2] + z] != wp.uint8(0)
        if not occupied:
            row = (x / BLOCK) * blocks_along(cells[1]) + y / BLOCK
            if blocks[row * blocks_along(cells[2]) + z / BLOCK] == wp.uint8(0):
                x = last_in_block(x, direction[0])
                y = last_in_block(y, direction[1])
                z = last_in_block(z, direction[2])
        leave = wp.min(
            wp.min(face_start[0] + face_growth[0] * float(x), skip_limit),
            wp.min(
                face_start[1] + face_growth[1] * float(y), face_start[2] + face_growth[2] * float(z)
            ),
        )
        after = wp.max(k + 1, int((leave - near) * per_step - offset))
        if occupied:
            return wp.vec2i(k, after)
        k = after
        t = near + (float(k) + offset) * step
    return wp.vec2i(-1, -1)


@kernel(fused=False)
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
    blocks: uint8("blocks"),
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
    marches only through what is behind them. When filling, `offsets` holds the index of each ray's
    first sample.
    """
    low = wp.vec3(box[0], box[1], box[2])
    high = wp.vec3(box[3], box[4], box[5])
    scale = wp.vec3(scales[0], scales[1], scales[2])
    cells = wp.vec3i(cells_x, cells_y, cells_z)
    per_step = 1.0 / step
    for ray in range(begin, end):
        origin = wp.vec3(origins[3 * ray], origins[3 * ray + 1], origins[3 * ray + 2])
        direction = wp.vec3(directions[3 * ray], directions[3 * ray + 1], directions[3 * ray + 2])
        offset = jitter[ray]
        near = float(0.0)
        far = float(1.0e30)
        for axis in range(3):
            factor = inverse(direction[axis])
            a = (low[axis] - origin[axis]) * factor
            b = (high[axis] - origin[axis]) * factor
            near = wp.max(near, wp.min(a, b))
            far = wp.min(far, wp.max(a, b))
        margin = MARGIN * (near + wp.abs(far) + wp.length(high - low))
        face_start = wp.vec3()
        face_growth = wp.vec3()
        for axis in range(3):
            if wp.abs(direction[axis]) < TINY:
                face_start[axis] = 1.0e30
            else:
                factor = inverse(direction[axis])
                face_growth[axis] = factor / scale[axis]
                face_start[axis] = (low[axis] - origin[axis]) * factor - margin
                if factor > 0.0:
                    face_start[axis] = face_start[axis] + face_growth[axis]
        sample = wp.int64(0)
        stop = wp.int64(0x7FFFFFFFFFFFFFFF)
        k = int(0)
        if fill != 0:
            sample = offsets[ray]
            stop = offsets[ray + 1]
            for run in range(RUNS):
                start_of_run = runs[2 * (RUNS * ray + run)]
                end_of_run = runs[2 * (RUNS * ray + run) + 1]
                if sample < stop and start_of_run < end_of_run:
                    for i in range(start_of_run, end_of_run):
                        ray_index[sample] = wp.int64(ray)
                        distances[sample] = near + (float(i) + offset) * step
                        sample += wp.int64(1)
                    k = end_of_run
        noted = int(0)
        start = int(0)
        end = int(0)
        while sample < stop and k >= 0:
            found = next_occupied(
                k,
                near,
                far,
                far - margin,
                offset,
                step,
                per_step,
                origin,
                direction,
                occupancy,
                cells,
                blocks,
                low,
                scale,
                face_start,
                face_growth,
            )
            k = found[1]
            if fill == 0:
                if found[0] != end:
                    if start < end and noted < RUNS:
                        runs[2 * (RUNS * ray + noted)] = start
                        runs[2 * (RUNS * ray + noted) + 1] = end
                        noted += 1
                    start = found[0]
                end = found[1]
                if k >= 0:
                    sample += wp.int64(end - found[0])
            elif k >= 0:
                for i in range(found[0], found[1]):
                    ray_index[sample] = wp.int64(ray)
                    distances[sample] = near + (float(i) + offset) * step
                    sample += wp.int64(1)
        if fill == 0:
            offsets[ray + 1] = sample
            if noted < RUNS:
                runs[2 * (RUNS * ray + noted)] = 0
                runs[2 * (RUNS * ray + noted) + 1] = 0
