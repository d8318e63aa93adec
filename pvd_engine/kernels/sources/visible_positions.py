"""Warp source of the positions along rays that are spread by the light which they get.

Work items are rays.
"""

# Warp reads annotations as values, and kernels in a language of its own, unknown to type checkers.
# pyright: basic, reportInvalidTypeForm=false, reportOperatorIssue=false, reportReturnType=false
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false
# pyright: reportIndexIssue=false, reportFunctionMemberAccess=false

# Warp makes a variable of int(0), but a constant of 0.
# ruff: noqa: UP018, RUF046

import warp as wp

from ..declare import Size, float32, kernel, uint8
from ..launch import RAY_BLOCK
from .ray_positions import cell_of_part


@wp.func
def weight_of_part(
    light: wp.array[float], first: int, part: int, parts: int, everywhere: float
) -> float:
    """Return the weight of a part: the largest light of it and its neighbours, and its share."""
    own = light[first + part]
    if own < 0.0:
        return 0.0
    if part > 0:
        own = wp.max(own, light[first + part - 1])
    if part + 1 < parts:
        own = wp.max(own, light[first + part + 1])
    return own + everywhere


@kernel(block=RAY_BLOCK)
def visible_positions(
    begin: int,
    end: int,
    origins: float32("rays", 3),
    directions: float32("rays", 3),
    enters: float32("rays"),
    leaves: float32("rays"),
    codes: uint8("cells_x", "cells_y", "cells_z"),
    cells_x: Size,
    cells_y: Size,
    cells_z: Size,
    extinctions: float32(256),
    box: float32(2, 3),
    everywhere: float,
    positions: Size,
    fractions: float32("rays", "positions"),
    probes: Size,
    light: float32("rays", "probes"),
    distances: float32("rays", "positions"),
):
    """Write the light of a ray's parts, and walk through it by fractions, which ascend.

    The light of an empty part is written as -1.
    """
    low = wp.vec3(box[0], box[1], box[2])
    size = wp.vec3(box[3], box[4], box[5]) - low
    cells = wp.vec3i(cells_x, cells_y, cells_z)
    for ray in range(begin, end):
        origin = wp.vec3(origins[3 * ray], origins[3 * ray + 1], origins[3 * ray + 2])
        direction = wp.vec3(directions[3 * ray], directions[3 * ray + 1], directions[3 * ray + 2])
        enter = enters[ray]
        length = leaves[ray] - enter
        first = ray * probes
        part_length = length / float(probes)
        passed = float(0.0)
        occupied = int(0)
        last = int(0)
        for part in range(probes):
            own = float(-1.0)
            if length > 0.0:
                cell = cell_of_part(
                    part, probes, enter, length, origin, direction, cells, low, size
                )
                thickness = extinctions[int(codes[cell])] * part_length
                if thickness > 0.0:
                    own = wp.exp(-passed) * (1.0 - wp.exp(-thickness))
                    passed += thickness
                    occupied += 1
                    last = part
            light[first + part] = own
        if occupied == 0:
            for position in range(positions):
                at = ray * positions + position
                distances[at] = enter + length * fractions[at]
        else:
            share = everywhere / float(occupied)
            total = float(0.0)
            for part in range(last + 1):
                total += weight_of_part(light, first, part, probes, share)
            part = int(0)
            before = float(0.0)
            weight = weight_of_part(light, first, part, probes, share)
            for position in range(positions):
                at = ray * positions + position
                wanted = fractions[at] * total
                while part < last and before + weight <= wanted:
                    before += weight
                    part += 1
                    weight = weight_of_part(light, first, part, probes, share)
                into = wp.clamp((wanted - before) / weight, 0.0, 1.0)
                distances[at] = enter + length * ((float(part) + into) / float(probes))
