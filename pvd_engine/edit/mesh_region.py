"""The inside of a closed mesh as a region."""

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..kernels.mesh_inside import MeshQuery, mesh_query
from .mesh_shape import closed_mesh
from .regions import INSIDE, MIXED, OUTSIDE, Region, boxes_apart, verdicts

TABLE_CELLS = 48
"""Cells of a `SideTable` along each axis."""

TABLE_POINTS = 1 << 14
"""Points from which on it pays to make a `SideTable`."""

TABLE_MARGIN = 1e-3
"""Fraction of a cell by which it is enlarged before it is tested, against rounding."""


class SideTable:
    """Cells over a mesh's bounds that lie wholly on one side of it, for a quick first test.

    Cells that the surface does not cross and that touch are on the same side, so one inside test
    for each connected group of them is enough.

    Parameters
    ----------
    query : MeshQuery
    low, high : (3,) float32
        Bounds of the mesh, in the frame of the query.
    """

    def __init__(self, query: MeshQuery, low: Tensor, high: Tensor) -> None:
        from scipy.ndimage import label

        self.low, self.size = low, (high - low) / TABLE_CELLS
        axis = torch.arange(TABLE_CELLS, device=low.device)
        cells = torch.stack(torch.meshgrid(axis, axis, axis, indexing="ij"), dim=-1).view(-1, 3)
        margin = self.size * TABLE_MARGIN
        crossed = query.crossed(
            low + cells * self.size - margin, low + (cells + 1) * self.size + margin
        )
        labels = np.empty((TABLE_CELLS,) * 3, np.int32)
        label(~crossed.view(labels.shape).cpu().numpy(), output=labels)
        groups = torch.from_numpy(labels).long().view(-1).to(low.device)
        member = torch.zeros(int(labels.max()) + 1, dtype=torch.int64, device=low.device)
        member[groups] = torch.arange(len(groups), device=low.device)
        inside = query.inside(low + (cells[member] + 0.5) * self.size)
        self.verdict = torch.where(inside[groups], INSIDE, OUTSIDE).to(torch.int8)
        self.verdict[crossed] = MIXED

    def __call__(self, points: Tensor) -> Tensor:
        """Return `INSIDE`, `OUTSIDE` or `MIXED` (N,) int8 for points (N, 3) within the bounds."""
        cell = ((points - self.low) / self.size).long().clamp(0, TABLE_CELLS - 1)
        flat = (cell[:, 0] * TABLE_CELLS + cell[:, 1]) * TABLE_CELLS + cell[:, 2]
        return self.verdict[flat]


class MeshRegion(Region):
    """The inside of a closed mesh; parts that overlap count as their union.

    Parameters
    ----------
    vertices : (V, 3) array
        Dataset frame.
    faces : sequence of sequences of int, or (F, 3) array
        Polygons, all facing the same way.
    """

    kind = "mesh"
    vertices: Tensor
    triangles: Tensor
    bounds: Tensor
    center: Tensor

    def __init__(self, vertices: np.ndarray, faces: Sequence[Sequence[int]] | np.ndarray) -> None:
        super().__init__()
        corners, triangles = closed_mesh(vertices, faces)
        bounds = np.stack((corners.min(axis=0), corners.max(axis=0)))
        self.exact_vertices = corners
        self.scale = float(np.ptp(bounds, axis=0).max())
        self.register_buffer("vertices", torch.tensor(corners, dtype=torch.float32))
        self.register_buffer("triangles", torch.from_numpy(triangles))
        self.register_buffer("bounds", torch.tensor(bounds, dtype=torch.float32))
        self.register_buffer("center", torch.tensor(bounds.mean(axis=0), dtype=torch.float32))
        self._query: MeshQuery | None = None
        self._sides: SideTable | None = None

    def __getstate__(self) -> dict[str, Any]:
        """Return the state without the query, which a copy makes itself: Warp owns its memory."""
        return {**self.__dict__, "_query": None, "_sides": None}

    def _apply(self, *args: Any, **kwargs: Any) -> Any:
        """Forget the query and the table, which stay on the device that they were made on."""
        self._query = self._sides = None
        return super()._apply(*args, **kwargs)

    @property
    def query(self) -> MeshQuery:
        """The query in the mesh's own unit frame, on the device of the tensors."""
        if self._query is None:
            self._query = mesh_query(self._local(self.vertices), self.triangles)
        return self._query

    def _local(self, points: Tensor) -> Tensor:
        return (points - self.center) / self.scale

    def contains(self, points: Tensor) -> Tensor:
        """Return whether points (N, 3) are inside; only those near the surface query the mesh."""
        found = torch.zeros(len(points), dtype=torch.bool, device=points.device)
        near = ((points >= self.bounds[0]) & (points <= self.bounds[1])).all(dim=-1)
        near = near.nonzero().view(-1)
        if len(near):
            found[near] = self._inside(self._local(points[near]))
        return found

    def _inside(self, local: Tensor) -> Tensor:
        """Return whether points (N, 3) of the unit frame, within the bounds, are inside."""
        if self._sides is None:
            if len(local) < TABLE_POINTS:
                return self.query.inside(local)
            self._sides = SideTable(self.query, *self._local(self.bounds))
        verdict = self._sides(local)
        inside = verdict == INSIDE
        unsure = (verdict == MIXED).nonzero().view(-1)
        inside[unsure] = self.query.inside(local[unsure])
        return inside

    def classify(self, low: Tensor, high: Tensor) -> Tensor:
        """Classify cells: one that no triangle may cross lies where its centre lies."""
        outside = boxes_apart(low, high, self.bounds)
        near = (~outside).nonzero().view(-1)
        inside = torch.zeros_like(outside)
        if len(near):
            low, high = low[near], high[near]
            clear = ~self.query.crossed(self._local(low), self._local(high))
            within = self.contains((low + high) / 2)
            inside[near] = clear & within
            outside[near] = clear & ~within
        return verdicts(inside, outside)

    def data_hash(self) -> str:
        """Return the SHA-256 of vertices and triangles."""
        digest = hashlib.sha256(self.exact_vertices.tobytes())
        digest.update(self.triangles.cpu().numpy().tobytes())
        return digest.hexdigest()

    def description(self) -> dict[str, Any]:
        """Return the mesh's counts and hash."""
        return {
            "mesh": {
                "vertices": len(self.vertices),
                "triangles": len(self.triangles),
                "sha256": self.data_hash(),
            }
        }

    def tensors(self) -> dict[str, Tensor]:
        """Return vertices in float64 and triangles in int32."""
        return {
            "vertices": torch.from_numpy(self.exact_vertices),
            "triangles": self.triangles.to("cpu", torch.int32),
        }
