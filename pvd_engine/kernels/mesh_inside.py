"""Tests of points and cells against a closed triangle mesh.

A point is inside where the winding number of the mesh about it exceeds one half, so meshes that
overlap count as their union.
"""

import math
from typing import Protocol

import torch
from torch import Tensor

from .launch import use_warp, warp_available
from .widest import widest

PAIRS_AT_ONCE = 1 << 19
"""Number of pairs of a point and a triangle in memory at once."""

CELLS_AT_ONCE = 1 << 11
"""Number of cells that are tested together, against the triangles near any of them."""


class MeshQuery(Protocol):
    """A closed mesh that points and cells are tested against."""

    def inside(self, points: Tensor) -> Tensor:
        """Return whether points (N, 3) float32, at most the mesh's size away from it, are inside.

        Returns
        -------
        (N,) bool
        """
        ...

    def crossed(self, low: Tensor, high: Tensor) -> Tensor:
        """Find the cells that the surface may cross; the others lie wholly on one side.

        A triangle may cross a cell when their bounds meet and its plane meets the cell.

        Parameters
        ----------
        low, high : (M, 3) float32
            Corners of the cells.

        Returns
        -------
        (M,) bool
        """
        ...


def mesh_query(vertices: Tensor, triangles: Tensor) -> MeshQuery:
    """Prepare a closed mesh for queries.

    Parameters
    ----------
    vertices : (V, 3) float32
    triangles : (F, 3) int64
        Facing outward.
    """
    query = WarpMeshQuery if use_warp(vertices.device) else ReferenceMeshQuery
    return query(vertices, triangles)


class ReferenceMeshQuery:
    """Compute `MeshQuery` in plain torch operations, from what `mesh_query` takes."""

    def __init__(self, vertices: Tensor, triangles: Tensor) -> None:
        self.corners = vertices[triangles]
        self.low = self.corners.amin(dim=1)
        self.high = self.corners.amax(dim=1)
        first, second, third = self.corners.unbind(dim=1)
        self.normals = torch.linalg.cross(second - first, third - first)

    def inside(self, points: Tensor) -> Tensor:
        """Return whether points (N, 3) are inside, wherever they are."""
        rows = max(1, PAIRS_AT_ONCE // len(self.corners))
        parts = [winding_number(part, self.corners) > 0.5 for part in points.split(rows)]
        return torch.cat(parts) if parts else points.new_zeros(0, dtype=torch.bool)

    def crossed(self, low: Tensor, high: Tensor) -> Tensor:
        """Find the cells that the surface may cross."""
        result = torch.zeros(len(low), dtype=torch.bool, device=low.device)
        for start in range(0, len(low), CELLS_AT_ONCE):
            part = slice(start, start + CELLS_AT_ONCE)
            near = (self.low <= high[part].amax(dim=0)) & (self.high >= low[part].amin(dim=0))
            faces = near.all(dim=1).nonzero().view(-1)
            if len(faces):
                result[part] = self._crossed_part(low[part], high[part], faces)
        return result

    def _crossed_part(self, low: Tensor, high: Tensor, faces: Tensor) -> Tensor:
        first, last, corner = self.low[faces], self.high[faces], self.corners[faces, 0]
        normals = self.normals[faces]
        parts = []
        rows = max(1, PAIRS_AT_ONCE // len(faces))
        for lower, upper in zip(low.split(rows), high.split(rows), strict=True):
            lower, upper = lower[:, None], upper[:, None]
            meets = ((first <= upper) & (last >= lower)).all(dim=-1)
            distance = ((corner - (lower + upper) / 2) * normals).sum(dim=-1)
            reach = ((upper - lower) / 2 * normals.abs()).sum(dim=-1)
            parts.append((meets & (distance.abs() <= reach)).any(dim=1))
        return torch.cat(parts)


def winding_number(points: Tensor, corners: Tensor) -> Tensor:
    """Count how often a closed mesh encloses each point.

    The count is the sum of signed solid angles over 4 pi (van Oosterom and Strackee, "The solid
    angle of a plane triangle", 1983), in float64 where the device has it.

    Parameters
    ----------
    points : (N, 3) float32
    corners : (F, 3, 3) float32
        Corners of each triangle.

    Returns
    -------
    (N,) float64 or float32
    """
    sides = widest(corners)[None] - widest(points)[:, None, None]
    first, second, third = sides.unbind(dim=2)
    a, b, c = sides.norm(dim=-1).unbind(dim=2)
    numerator = (first * torch.linalg.cross(second, third)).sum(dim=-1)
    denominator = (
        a * b * c
        + (first * second).sum(dim=-1) * c
        + (second * third).sum(dim=-1) * a
        + (third * first).sum(dim=-1) * b
    )
    return torch.atan2(numerator, denominator).sum(dim=1) / (2 * math.pi)


class WarpMeshQuery:
    """Compute `MeshQuery` by the Warp kernels, from what `mesh_query` takes.

    Gives what the reference gives, except within rounding of the surface.
    """

    def __init__(self, vertices: Tensor, triangles: Tensor) -> None:
        warp_available()  # starts it quietly
        import warp as wp

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
        """Return whether points (N, 3) are inside, at most the mesh's size away from it."""
        from .sources.mesh_inside import mesh_inside

        found = torch.zeros(len(points), dtype=torch.uint8, device=points.device)
        mesh_inside.launch(
            len(points),
            mesh=self.mesh.id,
            reach=self.reach,
            points=points.contiguous(),
            found=found,
        )
        return found.bool()

    def crossed(self, low: Tensor, high: Tensor) -> Tensor:
        """Find the cells that the surface may cross."""
        from .sources.mesh_inside import mesh_crossed

        found = torch.zeros(len(low), dtype=torch.uint8, device=low.device)
        mesh_crossed.launch(
            len(low),
            mesh=self.mesh.id,
            low=low.contiguous(),
            high=high.contiguous(),
            found=found,
        )
        return found.bool()
