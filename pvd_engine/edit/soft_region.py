"""A region whose edge may be soft: whole inside, fading out beyond the border."""

import torch
from torch import Tensor, nn

from .distance_table import STEEPNESS, DistanceTable
from .regions import MIXED, OUTSIDE, Region


class SoftRegion(nn.Module):
    """A region with a weight at each point, the fraction of the point that belongs to it.

    Parameters
    ----------
    region : Region
    width : float
        Distance beyond the border over which the region fades out, dataset units; 0 for a sharp
        border. For meshes and grids the distance is that of a table, exact to about a 60th of the
        region's size.
    """

    def __init__(self, region: Region, width: float) -> None:
        super().__init__()
        self.region = region
        self.width = width
        self._table: DistanceTable | None = None

    @property
    def bounds(self) -> Tensor:
        """A box (2, 3) around all points that weigh more than 0."""
        low, high = self.region.bounds
        return torch.stack((low - self.width, high + self.width))

    def weight(self, points: Tensor) -> Tensor:
        """Return weights (N,) of points (N, 3): 1 in the region, smoothly to 0 at `width`."""
        inside = self.region.contains(points)
        if self.width == 0:
            return inside.to(points.dtype)
        near = (1 - self._distance(points) / self.width).clamp(0, 1)
        return torch.where(inside, 1.0, near * near * (3 - 2 * near))

    def classify(self, low: Tensor, high: Tensor) -> Tensor:
        """Return `INSIDE` for cells that certainly weigh 1, `OUTSIDE` for 0, else `MIXED`.

        Parameters
        ----------
        low, high : (M, 3) float32
            Corners of the cells, dataset frame.

        Returns
        -------
        (M,) int8
        """
        verdict = self.region.classify(low, high)
        if self.width == 0:
            return verdict
        half_diagonal = (high - low).norm(dim=-1) / 2
        near = self._distance((low + high) / 2) <= self.width + half_diagonal * STEEPNESS
        return torch.where((verdict == OUTSIDE) & near, MIXED, verdict)

    def _distance(self, points: Tensor) -> Tensor:
        exact = self.region.distance(points)
        if exact is not None:
            return exact
        if self._table is None or self._table.low.device != points.device:
            self._table = DistanceTable(self.region.contains, self.region.bounds, self.width)
        return self._table(points)
