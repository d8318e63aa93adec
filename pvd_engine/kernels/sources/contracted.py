"""Warp source of ray marching through contracted space.

Work items are rays. Products and sums are not fused, so that a candidate's position is the same
number that the reference computes.
"""

# Warp reads annotations as values, and kernels in a language of its own, unknown to type checkers.
# pyright: basic, reportInvalidTypeForm=false, reportOperatorIssue=false, reportReturnType=false
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false
# pyright: reportIndexIssue=false, reportFunctionMemberAccess=false

# Warp makes a variable of int(0), but a constant of 0.
# ruff: noqa: UP018, RUF046

import warp as wp

from .arrays import Bytes, Floats, Longs

wp.set_module_options({"fuse_fp": False, "enable_backward": False})


@wp.func
def contracted_cell(position: float, scale: float, cells: int) -> int:
    """Cell along one axis of a contracted coordinate in [-2, 2]."""
    return wp.clamp(int((position * scale + 2.0) * (float(cells) / 4.0)), 0, cells - 1)


@wp.kernel
def march(
    first: int,
    last: int,
    stride: int,
    origins: Floats,
    directions: Floats,
    jitter: Floats,
    nearest: Floats,
    radii: Floats,
    starts: Floats,
    ends: Floats,
    occupancy: Bytes,
    cells_x: int,
    cells_y: int,
    cells_z: int,
    step: float,
    fill: int,
    counts: Longs,
    ray_index: Longs,
    coordinates: Floats,
):
    """Count a ray's samples (fill 0), or write them (fill 1).

    When filling, `counts` holds the place of each ray's first sample.
    """
    begin = first + wp.tid() * stride
    for ray in range(begin, wp.min(begin + stride, last)):
        origin = wp.vec3(origins[3 * ray], origins[3 * ray + 1], origins[3 * ray + 2])
        direction = wp.vec3(directions[3 * ray], directions[3 * ray + 1], directions[3 * ray + 2])
        radius = radii[ray]
        place = wp.int64(0)
        stop = wp.int64(0x7FFFFFFFFFFFFFFF)
        if fill != 0:
            place = counts[ray]
            stop = counts[ray + 1]
        k = int(0)
        coordinate = starts[ray] + (float(k) + jitter[ray]) * step
        while coordinate < ends[ray] and place < stop:
            size = wp.abs(coordinate)
            reach = float(coordinate)
            if size > radius:
                reach = radius * radius / (2.0 * radius - size)
                if coordinate < 0.0:
                    reach = -reach
            t = wp.max(reach + nearest[ray], 0.0)
            x = origin[0] + t * direction[0]
            y = origin[1] + t * direction[1]
            z = origin[2] + t * direction[2]
            largest = wp.max(wp.max(wp.max(wp.abs(x), wp.abs(y)), wp.abs(z)), 1.0)
            scale = (2.0 - 1.0 / largest) / largest
            index = contracted_cell(x, scale, cells_x) * cells_y
            index = (index + contracted_cell(y, scale, cells_y)) * cells_z
            index += contracted_cell(z, scale, cells_z)
            if occupancy[index] != wp.uint8(0):
                if fill != 0:
                    ray_index[place] = wp.int64(ray)
                    coordinates[place] = coordinate
                place += wp.int64(1)
            k += 1
            coordinate = starts[ray] + (float(k) + jitter[ray]) * step
        if fill == 0:
            counts[ray] = place
