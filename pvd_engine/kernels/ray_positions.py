"""A fixed number of positions along each ray, all where an occupancy grid may hold density.

The way of a ray through the grid's box is cut into equal parts; each is probed in its middle, and
is occupied when the cell there is.
"""

import torch
from torch import Tensor

from .launch import use_warp
from .marching import through_box


@torch.no_grad()
def ray_positions(
    origins: Tensor,
    directions: Tensor,
    occupancy: Tensor,
    box: Tensor,
    probes: int,
    fractions: Tensor,
) -> tuple[Tensor, Tensor]:
    """Return positions at given fractions of the occupied parts of each ray's way through a box.

    Parameters
    ----------
    origins, directions : (N, 3) float32
        Same frame as the box.
    occupancy : (X, Y, Z) uint8
        Non-zero where there may be density; cells of equal size fill the box.
    box : (2, 3) float32
        Minimum and maximum corner.
    probes : int
        Number of parts of a ray's way.
    fractions : (N, P) float32
        Ascending along each ray: 0 is the start of its first occupied part, 1 the end of its last,
        and what lies between occupied parts does not count. P may be 0.

    Returns
    -------
    distances : (N, P) float32
        From the origins. Where a ray meets nothing occupied, the fractions are of its whole way
        through the box.
    met : (N,) bool
        Whether a ray meets anything occupied.
    """
    if occupancy.ndim != 3 or occupancy.dtype != torch.uint8:
        raise ValueError("occupancy must be (X, Y, Z) uint8")
    if fractions.ndim != 2 or fractions.shape[0] != origins.shape[0]:
        raise ValueError("fractions must be (N, P), a row for each ray")
    enter, leave = through_box(origins, directions, box)
    found = ray_positions_warp if use_warp(origins.device) else ray_positions_reference
    return found(origins, directions, enter, leave, occupancy, box, probes, fractions)


def ray_positions_reference(
    origins: Tensor,
    directions: Tensor,
    enter: Tensor,
    leave: Tensor,
    occupancy: Tensor,
    box: Tensor,
    probes: int,
    fractions: Tensor,
) -> tuple[Tensor, Tensor]:
    """Compute `ray_positions` in plain torch operations, from the distances at the box."""
    along = cells_along(origins, directions, enter, leave, occupancy, box, probes)
    within, met = spread(along != 0, fractions)
    return enter[:, None] + (leave - enter)[:, None] * within, met


def cells_along(
    origins: Tensor,
    directions: Tensor,
    enter: Tensor,
    leave: Tensor,
    grid: Tensor,
    box: Tensor,
    probes: int,
) -> Tensor:
    """Return what a grid holds in the middle of each part of rays' ways through its box.

    Parameters
    ----------
    origins, directions : (N, 3) float32
    enter, leave : (N,) float32
        Distances at the box, from `through_box`.
    grid : (X, Y, Z) uint8
    box : (2, 3) float32
    probes : int
        Number L of parts.

    Returns
    -------
    (N, L) uint8
        Zeros where a ray passes by the box.
    """
    length = leave - enter
    parts = torch.arange(probes, device=enter.device)
    middles = enter[:, None] + length[:, None] * ((parts + 0.5) / probes)
    points = origins[:, None] + directions[:, None] * middles[..., None]
    limit = torch.tensor(grid.shape, device=enter.device)
    cells = ((points - box[0]) / (box[1] - box[0]) * limit).long().clamp(min=0)
    x, y, z = cells.minimum(limit - 1).unbind(-1)
    index = (x * grid.shape[1] + y) * grid.shape[2] + z
    return grid.reshape(-1)[index] * (length > 0)[:, None]


def spread(occupied: Tensor, fractions: Tensor) -> tuple[Tensor, Tensor]:
    """Turn fractions of the occupied parts of rays into fractions of all their parts.

    Parameters
    ----------
    occupied : (N, L) bool
        Whether each part of a ray's way is occupied.
    fractions : (N, P) float32

    Returns
    -------
    within : (N, P) float32
        Of a ray without occupied parts, `fractions`.
    met : (N,) bool
        Whether a ray has any occupied part.
    """
    probes = occupied.shape[1]
    # The i-th occupied part is the one before which i parts are passed.
    passed = occupied.long().cumsum(dim=1)
    total = passed[:, -1:]
    wanted = fractions * total
    number = wanted.long().minimum(total - 1).clamp(min=0)
    part = (passed[:, None] <= number[..., None]).long().sum(dim=-1)
    return torch.where(total > 0, (part + (wanted - number)) / probes, fractions), total[:, 0] > 0


def ray_positions_warp(
    origins: Tensor,
    directions: Tensor,
    enter: Tensor,
    leave: Tensor,
    occupancy: Tensor,
    box: Tensor,
    probes: int,
    fractions: Tensor,
) -> tuple[Tensor, Tensor]:
    """Compute `ray_positions` by the Warp kernel."""
    from .sources.ray_positions import ray_positions as kernel

    counts = torch.empty(len(origins), dtype=torch.int32, device=origins.device)
    fractions = fractions.contiguous()
    distances = torch.empty_like(fractions)
    kernel.launch(
        len(origins),
        origins=origins.contiguous(),
        directions=directions.contiguous(),
        enters=enter.contiguous(),
        leaves=leave.contiguous(),
        occupancy=occupancy.contiguous(),
        box=box.contiguous(),
        probes=probes,
        fractions=fractions,
        counts=counts,
        distances=distances,
    )
    return distances, counts > 0
