"""Unseen cells of an occupancy grid: no camera sees them, so nothing can be learned there."""

import torch
from torch import nn

from ..kernels.workload import PICTURE_RAYS, in_portions
from .occupancy import OccupancyGrid
from .rays import CameraBatch, Rays, random_rays, sample_positions

RAYS = 1 << 15
"""Number of rays: many for each cell of a cross-section, even where few cameras look."""

CELLS_A_STEP = 2.0
"""Length of a ray's steps in cells; cells two apart cover with their neighbours what is between."""

WEIGHT = 4
"""Rays of a picture that one of these counts for, whose samples are all kept."""


@torch.no_grad()
def exclude_unseen(occupancy: OccupancyGrid, cameras: CameraBatch, seed: int) -> None:
    """Empty permanently the cells of a new grid that no camera sees.

    Otherwise they would keep the thin fog of a field before training.

    Parameters
    ----------
    occupancy : OccupancyGrid
        The grid, changed in place.
    cameras : CameraBatch
    seed : int
        Seed of the random rays.
    """
    box = occupancy.box
    step = CELLS_A_STEP * float((box[1] - box[0]).min()) / occupancy.resolution
    generator = torch.Generator(box.device).manual_seed(seed)
    rays, _ = random_rays(cameras, RAYS, generator)
    seen = torch.zeros(occupancy.resolution**3, device=box.device)
    everything = torch.ones_like(occupancy.binary)

    def see(part: slice) -> None:
        some = Rays(*(values[part] for values in rays))
        jitter = torch.full((len(some.origins),), 0.5, device=box.device)
        points, _ = sample_positions(some, occupancy.space.march(some, everything, step, jitter))
        seen[occupancy.cells_of(points)] = 1

    for _ in in_portions(box.device, PICTURE_RAYS, RAYS, see, WEIGHT):
        pass
    # Neighbours count as seen too, because the rays may miss a cell.
    shape = (1, 1, *occupancy.binary.shape)
    near = nn.functional.max_pool3d(seen.view(shape), 3, stride=1, padding=1)[0, 0]
    occupancy.values[near == 0] = -1
    occupancy.binary[near == 0] = 0
