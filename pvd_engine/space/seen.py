"""Cells of an occupancy grid that no camera sees: nothing can be learned there."""

import torch
from torch import nn

from .occupancy import OccupancyGrid
from .rays import CameraBatch, Rays, random_rays, sample_positions

RAYS = 1 << 15
"""Many for each cell of a cross-section of the grid, even where few cameras look."""

AT_ONCE = 1 << 12


@torch.no_grad()
def exclude_unseen(occupancy: OccupancyGrid, cameras: CameraBatch, step: float, seed: int) -> None:
    """Empty the cells of a new grid that no camera sees, for good.

    Without this they would keep the thin fog that every field begins with.

    Parameters
    ----------
    occupancy : OccupancyGrid
        Changed in place.
    cameras : CameraBatch
    step : float
        Ray-marching step, dataset units.
    seed : int
        Of the rays that are cast.
    """
    generator = torch.Generator().manual_seed(seed)
    rays, _ = random_rays(cameras, RAYS, generator)
    seen = torch.zeros(occupancy.resolution**3, device=occupancy.box.device)
    everything = torch.ones_like(occupancy.binary)
    for origins, directions in zip(*(part.split(AT_ONCE) for part in rays), strict=True):
        some = Rays(origins, directions)
        jitter = torch.full((len(origins),), 0.5, device=origins.device)
        points, _ = sample_positions(some, occupancy.space.march(some, everything, step, jitter))
        seen[occupancy.cells_of(points)] = 1
    # With their neighbours, as rays may have passed a cell by.
    shape = (1, 1, *occupancy.binary.shape)
    near = nn.functional.max_pool3d(seen.view(shape), 3, stride=1, padding=1)[0, 0]
    occupancy.values[near == 0] = -1
    occupancy.binary[near == 0] = 0
