"""Warp source of tests against a closed triangle mesh, by Warp's bounding-volume hierarchy.

Winding numbers of far parts are approximated as in Barill et al., "Fast winding numbers for soups
and clouds", 2018.
"""

# Warp reads annotations as values, and kernels in a language of its own, unknown to type checkers.
# pyright: basic, reportInvalidTypeForm=false, reportOperatorIssue=false, reportReturnType=false
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false
# pyright: reportIndexIssue=false, reportFunctionMemberAccess=false

# Warp makes a variable of int(0), but a constant of 0.
# ruff: noqa: UP018, RUF046

import warp as wp

from ..declare import float32, kernel, uint8


@wp.func
def vector(values: wp.array[wp.float32], index: int) -> wp.vec3:
    """Return three successive numbers of a flat array, row `index`."""
    return wp.vec3(values[3 * index], values[3 * index + 1], values[3 * index + 2])


@kernel()
def mesh_inside(
    begin: int,
    end: int,
    mesh: wp.uint64,
    reach: float,
    points: float32("points", 3),
    found: uint8("points"),
):
    """Set 1 in `found` for each point that the mesh winds around."""
    for index in range(begin, end):
        query = wp.mesh_query_point_sign_winding_number(mesh, vector(points, index), reach)
        if query.result and query.sign < 0.0:
            found[index] = wp.uint8(1)


@kernel()
def mesh_crossed(
    begin: int,
    end: int,
    mesh: wp.uint64,
    low: float32("cells", 3),
    high: float32("cells", 3),
    found: uint8("cells"),
):
    """Set 1 in `found` for each cell that meets the bounds and the plane of a triangle."""
    for index in range(begin, end):
        lower = vector(low, index)
        upper = vector(high, index)
        center = (lower + upper) * 0.5
        half = (upper - lower) * 0.5
        query = wp.mesh_query_aabb(mesh, lower, upper)
        face = int(0)
        while wp.mesh_query_aabb_next(query, face):
            a = wp.mesh_get_point(mesh, face * 3)
            b = wp.mesh_get_point(mesh, face * 3 + 1)
            c = wp.mesh_get_point(mesh, face * 3 + 2)
            normal = wp.cross(b - a, c - a)
            distance = wp.dot(a - center, normal)
            span = wp.dot(half, wp.abs(normal))
            if wp.abs(distance) <= span:
                found[index] = wp.uint8(1)
                break
