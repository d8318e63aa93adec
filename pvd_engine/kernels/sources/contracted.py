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

from ..declare import Size, float32, int64, kernel, uint8
from ..launch import RAY_BLOCK


@wp.func
def contracted_cell(position: float, scale: float, cells: int) -> int:
    """Return the cell along one axis of a contracted coordinate in [-2, 2]."""
    return wp.clamp(int((position * scale + 2.0) * (float(cells) / 4.0)), 0, cells - 1)


@kernel(fused=False, block=RAY_BLOCK)
def march_contracted(
    begin: int,
    end: int,
    origins: float32("rays", 3),
    directions: float32("rays", 3),
    jitter: float32("rays"),
    nearest: float32("rays"),
    radii: float32("rays"),
    starts: float32("rays"),
    ends: float32("rays"),
    occupancy: uint8("cells_x", "cells_y", "cells_z"),
    cells_x: Size,
    cells_y: Size,
    cells_z: Size,
    step: float,
    fill: int,
    offsets: int64("rays + 1"),
    ray_index: int64("samples"),
    coordinates: float32("samples"),
):
    """Count each ray's samples in `offsets`, behind its own entry (fill 0), or write them (fill 1).

    When filling, `offsets` holds the index of each ray's first sample.
    """
    for ray in range(begin, end):
        origin = wp.vec3(origins[3 * ray], origins[3 * ray + 1], origins[3 * ray + 2])
        direction = wp.vec3(directions[3 * ray], directions[3 * ray + 1], directions[3 * ray + 2])
        radius = radii[ray]
        sample = wp.int64(0)
        stop = wp.int64(0x7FFFFFFFFFFFFFFF)
        if fill != 0:
            sample = offsets[ray]
            stop = offsets[ray + 1]
        k = int(0)
        coordinate = starts[ray] + (float(k) + jitter[ray]) * step
        while coordinate < ends[ray] and sample < stop:
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
                    ray_index[sample] = wp.int64(ray)
                    coordinates[sample] = coordinate
                sample += wp.int64(1)
            k += 1
            coordinate = starts[ray] + (float(k) + jitter[ray]) * step
        if fill == 0:
            offsets[ray + 1] = sample
