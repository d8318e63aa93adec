"""A fixed number of places along each ray, all where an occupancy grid may hold density.

The way of a ray through the grid's box is cut into equal parts; a part is occupied when the cell in
its middle is.
"""

import torch
from torch import Tensor

from .launch import launch, use_warp
from .marching import through_box


@torch.no_grad()
def ray_places(
    origins: Tensor, directions: Tensor, occupancy: Tensor, box: Tensor, looks: int, shares: Tensor
) -> tuple[Tensor, Tensor]:
    """Places at given shares of the occupied parts of each ray's way through a box.

    Parameters
    ----------
    origins, directions : (N, 3) float32
        Same frame as the box.
    occupancy : (X, Y, Z) uint8
        Non-zero where there may be density; cells of equal size fill the box.
    box : (2, 3) float32
        Minimum and maximum corner.
    looks : int
        Parts of a ray's way.
    shares : (N, P) float32
        Ascending along each ray: 0 is the start of its first occupied part, 1 the end of its last,
        and what lies between occupied parts does not count. P may be 0.

    Returns
    -------
    distances : (N, P) float32
        From the origins. Of a ray that meets nothing occupied, shares of its way through the box.
    met : (N,) bool
        Whether a ray meets anything occupied.
    """
    if occupancy.ndim != 3 or occupancy.dtype != torch.uint8:
        raise ValueError("occupancy must be (X, Y, Z) uint8")
    if shares.ndim != 2 or shares.shape[0] != origins.shape[0]:
        raise ValueError("shares must be (N, P), a row for each ray")
    enter, leave = through_box(origins, directions, box)
    found = ray_places_warp if use_warp(origins.device) else ray_places_reference
    return found(origins, directions, enter, leave, occupancy, box, looks, shares)


def ray_places_reference(
    origins: Tensor,
    directions: Tensor,
    enter: Tensor,
    leave: Tensor,
    occupancy: Tensor,
    box: Tensor,
    looks: int,
    shares: Tensor,
) -> tuple[Tensor, Tensor]:
    """`ray_places` in plain torch operations, between where rays enter and leave the box."""
    length = leave - enter
    parts = torch.arange(looks, device=enter.device)
    middles = enter[:, None] + length[:, None] * ((parts + 0.5) / looks)
    points = origins[:, None] + directions[:, None] * middles[..., None]
    limit = torch.tensor(occupancy.shape, device=enter.device)
    cells = ((points - box[0]) / (box[1] - box[0]) * limit).long().clamp(min=0)
    x, y, z = cells.minimum(limit - 1).unbind(-1)
    index = (x * occupancy.shape[1] + y) * occupancy.shape[2] + z
    occupied = (occupancy.reshape(-1)[index] != 0) & (length > 0)[:, None]
    within, met = spread(occupied, shares)
    return enter[:, None] + length[:, None] * within, met


def spread(occupied: Tensor, shares: Tensor) -> tuple[Tensor, Tensor]:
    """Shares of the occupied parts of rays, as shares of all their parts.

    Parameters
    ----------
    occupied : (N, L) bool
        Whether each part of a ray's way is.
    shares : (N, P) float32

    Returns
    -------
    within : (N, P) float32
        Of a ray without occupied parts, `shares`.
    met : (N,) bool
        Whether a ray has any.
    """
    looks = occupied.shape[1]
    # The i-th occupied part is the one before which i parts are passed.
    passed = occupied.long().cumsum(dim=1)
    total = passed[:, -1:]
    wanted = shares * total
    number = wanted.long().minimum(total - 1).clamp(min=0)
    part = (passed[:, None] <= number[..., None]).long().sum(dim=-1)
    return torch.where(total > 0, (part + (wanted - number)) / looks, shares), total[:, 0] > 0


def ray_places_warp(
    origins: Tensor,
    directions: Tensor,
    enter: Tensor,
    leave: Tensor,
    occupancy: Tensor,
    box: Tensor,
    looks: int,
    shares: Tensor,
) -> tuple[Tensor, Tensor]:
    """`ray_places` by the Warp kernel."""
    from .sources.ray_places import ray_places as kernel

    counts = torch.empty(len(origins), dtype=torch.int32, device=origins.device)
    distances = torch.empty_like(shares)
    tensors = (origins, directions, enter, leave, occupancy)
    launch(
        kernel,
        len(origins),
        [
            *(tensor.contiguous() for tensor in tensors),
            *occupancy.shape,
            box.contiguous(),
            looks,
            shares.shape[1],
            shares.contiguous(),
            counts,
            distances,
        ],
        origins.device,
    )
    return distances, counts > 0
