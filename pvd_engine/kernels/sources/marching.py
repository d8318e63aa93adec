"""Warp source of ray marching through an occupancy grid.

Work items are rays. Candidates of a ray lie a step apart; those in empty cells are skipped a cell
at a time (Amanatides and Woo, "A fast voxel traversal algorithm", 1987, with the crossing computed
afresh in each cell). Products and sums are not fused, so that a candidate's position is the same
number that the reference computes.
"""

import warp as wp

wp.set_module_options({"fuse_fp": False, "enable_backward": False})

MARGIN = wp.constant(1.0e-5)
"""Share of the distances involved by which a skip ends early, against rounding."""

TINY = wp.constant(1.0e-12)


@wp.func
def inverse(direction: float) -> float:
    """1 / direction, of a very small direction where it is zero."""
    if wp.abs(direction) < TINY:
        return 1.0 / TINY
    return 1.0 / direction


@wp.func
def cell_of(position: float, low: float, scale: float, cells: int) -> int:
    """Cell along one axis; positions outside take the nearest."""
    return wp.clamp(int((position - low) * scale), 0, cells - 1)


@wp.func
def distance_to_face(cell: int, origin: float, direction: float, low: float, scale: float) -> float:
    """Ray parameter where the ray leaves the cell along one axis."""
    if wp.abs(direction) < TINY:
        return 1.0e30
    face = float(cell)
    if direction > 0.0:
        face = float(cell + 1)
    return (low + face / scale - origin) / direction


@wp.func
def next_occupied(
    k: int,
    limit: float,
    near: float,
    offset: float,
    step: float,
    origin: wp.vec3,
    direction: wp.vec3,
    occupancy: wp.array(dtype=wp.uint8),
    cells: wp.vec3i,
    low: wp.vec3,
    scale: wp.vec3,
    margin: float,
) -> int:
    """The first candidate from the k-th on that lies in an occupied cell; -1 if there is none."""
    t = near + (float(k) + offset) * step
    while t < limit:
        x = cell_of(origin[0] + t * direction[0], low[0], scale[0], cells[0])
        y = cell_of(origin[1] + t * direction[1], low[1], scale[1], cells[1])
        z = cell_of(origin[2] + t * direction[2], low[2], scale[2], cells[2])
        if occupancy[(x * cells[1] + y) * cells[2] + z] != wp.uint8(0):
            return k
        leave = wp.min(
            distance_to_face(x, origin[0], direction[0], low[0], scale[0]),
            wp.min(
                distance_to_face(y, origin[1], direction[1], low[1], scale[1]),
                distance_to_face(z, origin[2], direction[2], low[2], scale[2]),
            ),
        )
        # Every candidate skipped lies before the face by more than rounding can move it.
        leave = wp.min(leave, limit) - margin
        k = wp.max(k + 1, int((leave - near) / step - offset))
        t = near + (float(k) + offset) * step
    return -1


@wp.func
def interval(origin: wp.vec3, direction: wp.vec3, low: wp.vec3, high: wp.vec3) -> wp.vec2:
    """Where the ray is inside the box: entry, not before 0, and exit."""
    near = 0.0
    far = 1.0e30
    for axis in range(3):
        factor = inverse(direction[axis])
        a = (low[axis] - origin[axis]) * factor
        b = (high[axis] - origin[axis]) * factor
        near = wp.max(near, wp.min(a, b))
        far = wp.min(far, wp.max(a, b))
    return wp.vec2(near, far)


@wp.kernel
def march(
    first: int,
    last: int,
    stride: int,
    origins: wp.array(dtype=wp.float32),
    directions: wp.array(dtype=wp.float32),
    jitter: wp.array(dtype=wp.float32),
    occupancy: wp.array(dtype=wp.uint8),
    cells_x: int,
    cells_y: int,
    cells_z: int,
    box: wp.array(dtype=wp.float32),
    scales: wp.array(dtype=wp.float32),
    step: float,
    fill: int,
    starts: wp.array(dtype=wp.int32),
    counts: wp.array(dtype=wp.int64),
    ray_index: wp.array(dtype=wp.int64),
    distances: wp.array(dtype=wp.float32),
):
    """Count a ray's samples and note the first (fill 0), or write them (fill 1).

    When filling, `counts` holds the place of each ray's first sample.
    """
    low = wp.vec3(box[0], box[1], box[2])
    high = wp.vec3(box[3], box[4], box[5])
    scale = wp.vec3(scales[0], scales[1], scales[2])
    cells = wp.vec3i(cells_x, cells_y, cells_z)
    begin = first + wp.tid() * stride
    for ray in range(begin, wp.min(begin + stride, last)):
        origin = wp.vec3(origins[3 * ray], origins[3 * ray + 1], origins[3 * ray + 2])
        direction = wp.vec3(directions[3 * ray], directions[3 * ray + 1], directions[3 * ray + 2])
        inside = interval(origin, direction, low, high)
        near = inside[0]
        far = inside[1]
        margin = MARGIN * (wp.abs(near) + wp.abs(far) + wp.length(high - low))
        offset = jitter[ray]
        if fill == 0:
            count = wp.int64(0)
            k = next_occupied(
                0, far, near, offset, step, origin, direction, occupancy, cells, low, scale, margin
            )
            starts[ray] = k
            while k >= 0:
                count += wp.int64(1)
                k = next_occupied(
                    k + 1,
                    far,
                    near,
                    offset,
                    step,
                    origin,
                    direction,
                    occupancy,
                    cells,
                    low,
                    scale,
                    margin,
                )
            counts[ray] = count
        else:
            place = counts[ray]
            stop = counts[ray + 1]
            k = starts[ray]
            while place < stop:
                ray_index[place] = wp.int64(ray)
                distances[place] = near + (float(k) + offset) * step
                place += wp.int64(1)
                if place < stop:
                    k = next_occupied(
                        k + 1,
                        far,
                        near,
                        offset,
                        step,
                        origin,
                        direction,
                        occupancy,
                        cells,
                        low,
                        scale,
                        margin,
                    )
