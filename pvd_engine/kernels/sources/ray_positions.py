"""Warp source of the positions along rays where an occupancy grid may hold density.

Work items are rays. Products and sums are not fused, so that a position is the same number that the
reference computes.
"""

# Warp reads annotations as values, and kernels in a language of its own, unknown to type checkers.
# pyright: basic, reportInvalidTypeForm=false, reportOperatorIssue=false, reportReturnType=false
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false
# pyright: reportIndexIssue=false, reportFunctionMemberAccess=false

# Warp makes a variable of int(0), but a constant of 0.
# ruff: noqa: UP018, RUF046

import warp as wp

from ..declare import Size, float32, int32, kernel, uint8
from ..launch import RAY_BLOCK


@wp.func
def cell_of_part(
    part: int,
    probes: int,
    enter: float,
    length: float,
    origin: wp.vec3,
    direction: wp.vec3,
    cells: wp.vec3i,
    low: wp.vec3,
    size: wp.vec3,
) -> int:
    """Return the flat cell in the middle of a part of a ray's way."""
    t = enter + length * ((float(part) + 0.5) / float(probes))
    index = int(0)
    for axis in range(3):
        along = (origin[axis] + direction[axis] * t - low[axis]) / size[axis]
        cell = int(along * float(cells[axis]))
        index = index * cells[axis] + wp.clamp(cell, 0, cells[axis] - 1)
    return index


@wp.func
def occupied_part(
    part: int,
    probes: int,
    enter: float,
    length: float,
    origin: wp.vec3,
    direction: wp.vec3,
    occupancy: wp.array[wp.uint8],
    cells: wp.vec3i,
    low: wp.vec3,
    size: wp.vec3,
) -> bool:
    """Return whether the cell in the middle of a part of a ray's way is occupied."""
    cell = cell_of_part(part, probes, enter, length, origin, direction, cells, low, size)
    return occupancy[cell] != wp.uint8(0)


@kernel(fused=False, block=RAY_BLOCK)
def ray_positions(
    begin: int,
    end: int,
    origins: float32("rays", 3),
    directions: float32("rays", 3),
    enters: float32("rays"),
    leaves: float32("rays"),
    occupancy: uint8("cells_x", "cells_y", "cells_z"),
    cells_x: Size,
    cells_y: Size,
    cells_z: Size,
    box: float32(2, 3),
    probes: int,
    positions: Size,
    fractions: float32("rays", "positions"),
    counts: int32("rays"),
    distances: float32("rays", "positions"),
):
    """Count a ray's occupied parts, and walk through them by fractions, which ascend.

    Without positions it is enough to know whether there is one.
    """
    low = wp.vec3(box[0], box[1], box[2])
    size = wp.vec3(box[3], box[4], box[5]) - low
    cells = wp.vec3i(cells_x, cells_y, cells_z)
    for ray in range(begin, end):
        origin = wp.vec3(origins[3 * ray], origins[3 * ray + 1], origins[3 * ray + 2])
        direction = wp.vec3(directions[3 * ray], directions[3 * ray + 1], directions[3 * ray + 2])
        enter = enters[ray]
        length = leaves[ray] - enter
        occupied = int(0)
        part = int(0)
        while length > 0.0 and part < probes and (positions > 0 or occupied == 0):
            if occupied_part(
                part, probes, enter, length, origin, direction, occupancy, cells, low, size
            ):
                occupied += 1
            part += 1
        counts[ray] = occupied
        if occupied == 0:
            for position in range(positions):
                at = ray * positions + position
                distances[at] = enter + length * fractions[at]
        elif positions > 0:
            before = int(-1)  # occupied parts passed, and where the last of them is
            part = int(-1)
            for position in range(positions):
                at = ray * positions + position
                wanted = fractions[at] * float(occupied)
                number = wp.min(int(wanted), occupied - 1)
                while before < number:
                    part += 1
                    if occupied_part(
                        part, probes, enter, length, origin, direction, occupancy, cells, low, size
                    ):
                        before += 1
                within = float(part) + (wanted - float(number))
                distances[at] = enter + length * (within / float(probes))
