"""Distances from a shape that is only known by the points that it contains."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

TABLE_CELLS = 64
"""Cells along each axis; the distance is exact to about one of them."""

STEEPNESS = 3**0.5
"""Largest change of the interpolated distance along a path of one unit."""


class DistanceTable:
    """Distances on a grid around a shape, interpolated in between.

    Parameters
    ----------
    contains : callable
        (N, 3) points, dataset frame -> (N,) bool.
    bounds : (2, 3) tensor
        Corners of a box around the shape.
    reach : float
        Largest distance that the table must resolve, dataset units.
    """

    def __init__(self, contains: Callable[[Tensor], Tensor], bounds: Tensor, reach: float) -> None:
        from scipy.ndimage import distance_transform_edt

        cell = (bounds[1] - bounds[0] + 2 * reach) / (TABLE_CELLS - 4)
        self.low = bounds[0] - reach - 2 * cell
        self.high = bounds[1] + reach + 2 * cell
        axis = (torch.arange(TABLE_CELLS, device=bounds.device) + 0.5) / TABLE_CELLS
        grid = torch.stack(torch.meshgrid(axis, axis, axis, indexing="ij"), dim=-1).view(-1, 3)
        inside = contains(self.low + grid * (self.high - self.low))
        inside = inside.view((TABLE_CELLS,) * 3).cpu().numpy()
        if inside.any():
            distance = distance_transform_edt(~inside, sampling=cell.cpu().tolist())
            distance = np.maximum(distance - float(cell.max()) / 2, 0)  # type: ignore[operator]
        else:
            distance = np.full(inside.shape, np.inf)
        table = torch.tensor(distance, dtype=torch.float32, device=bounds.device)
        self.table = table.clamp(max=2 * reach + float(cell.sum()) * TABLE_CELLS)

    def __call__(self, points: Tensor) -> Tensor:
        """Return the distance (N,), dataset units, of points (N, 3); outside, that of the edge."""
        position = ((points - self.low) / (self.high - self.low) * 2 - 1).flip(-1)
        found = torch.nn.functional.grid_sample(
            self.table[None, None],
            position[None, None, None],
            padding_mode="border",
            align_corners=False,
        )
        return found.view(-1)
