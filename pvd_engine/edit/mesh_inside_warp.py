"""Inside tests of a closed triangle mesh by NVIDIA Warp's bounding-volume hierarchy.

Gives what `mesh_inside.TorchMeshQuery` gives, except within rounding of the surface. Winding
numbers of far parts are approximated as in Barill et al., "Fast winding numbers for soups and
clouds", 2018.
"""

# Warp reads kernel annotations as values, which type checkers do not know.
# pyright: reportInvalidTypeForm=false, reportOperatorIssue=false, reportArgumentType=false
# pyright: reportAttributeAccessIssue=false, reportCallIssue=false, reportIndexIssue=false

from typing import Any

import torch
import warp as wp
from torch import Tensor

from ..kernels.launch import launch

Floats: Any = wp.array(dtype=wp.float32)
Bytes: Any = wp.array(dtype=wp.uint8)


@wp.func
def _vector(values: Floats, index: int):
    return wp.vec3(values[3 * index], values[3 * index + 1], values[3 * index + 2])


@wp.kernel(enable_backward=False)
def inside_kernel(
    first: int,
    last: int,
    stride: int,
    mesh: wp.uint64,
    reach: float,
    points: Floats,
    found: Bytes,
):
    """1 in `found` for each point that the mesh winds around."""
    begin = first + wp.tid() * stride
    for index in range(begin, wp.min(begin + stride, last)):
        query = wp.mesh_query_point_sign_winding_number(mesh, _vector(points, index), reach)
        if query.result and query.sign < 0.0:
            found[index] = wp.uint8(1)


@wp.kernel(enable_backward=False)
def crossed_kernel(
    first: int,
    last: int,
    stride: int,
    mesh: wp.uint64,
    low: Floats,
    high: Floats,
    found: Bytes,
):
    """1 in `found` for each cell that meets the bounds and the plane of a triangle."""
    begin = first + wp.tid() * stride
    for index in range(begin, wp.min(begin + stride, last)):
        lower = _vector(low, index)
        upper = _vector(high, index)
        center = (lower + upper) * 0.5
        half = (upper - lower) * 0.5
        query = wp.mesh_query_aabb(mesh, lower, upper)
        face = int(0)  # noqa: UP018, RUF046 - makes it a variable for Warp, not a constant
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


class WarpMeshQuery:
    """Questions to a closed mesh.

    Parameters
    ----------
    vertices : (V, 3) float32
    triangles : (F, 3) int64
        Facing outward.
    """

    def __init__(self, vertices: Tensor, triangles: Tensor) -> None:
        self.vertices = vertices.contiguous()
        self.indices = triangles.to(torch.int32).reshape(-1).contiguous()
        self.mesh = wp.Mesh(
            points=wp.from_torch(self.vertices, dtype=wp.vec3),
            indices=wp.from_torch(self.indices),
            support_winding_number=True,
        )
        spread = self.vertices.amax(dim=0) - self.vertices.amin(dim=0)
        self.reach = 2 * float(spread.norm())

    def inside(self, points: Tensor) -> Tensor:
        """Whether points (N, 3) float32, at most the mesh's size away from it, are inside."""
        return self._ask(inside_kernel, self.reach, points)

    def crossed(self, low: Tensor, high: Tensor) -> Tensor:
        """Cells (M, 3), (M, 3) float32 that the surface may cross: (M,) bool."""
        return self._ask(crossed_kernel, low, high)

    def _ask(self, kernel: Any, *arguments: Tensor | float) -> Tensor:
        packed = [v.contiguous() if isinstance(v, Tensor) else v for v in arguments]
        count = len(arguments[-1])
        found = torch.zeros(count, dtype=torch.uint8, device=self.vertices.device)
        launch(kernel, count, [int(self.mesh.id), *packed, found], self.vertices.device)
        return found.bool()
