"""A fixed number of positions along each ray, most of them where what it shows comes from.

The way of a ray through a grid is cut into equal parts; each is probed in its middle. The light
that reaches a ray's start from a part is what the part takes of the light that passes all parts
before it. Positions are spread by that light, as in the fine sampling of Mildenhall et al., "NeRF",
2020, section 5.2, with weights that are the largest of three neighbours, as in Barron et al.,
"Mip-NeRF", 2021, section 3.1, since a cell does not tell where in it a surface lies.
"""

import torch
from torch import Tensor

from .launch import use_warp
from .marching import through_box
from .ray_positions import cells_along

EVERYWHERE = 1.0
"""Weight that all occupied parts of a ray share, against 1 for all of its light: points that are
spread out tell a network the ray's direction, and find what a cell's extinction hides."""


@torch.no_grad()
def visible_positions(
    origins: Tensor,
    directions: Tensor,
    codes: Tensor,
    extinctions: Tensor,
    box: Tensor,
    probes: int,
    fractions: Tensor,
) -> Tensor:
    """Return positions at given fractions of the light that each ray gets on its way through a box.

    Parameters
    ----------
    origins, directions : (N, 3) float32
        Same frame as the box; directions of unit length.
    codes : (X, Y, Z) uint8
        Code of each cell's extinction; cells of equal size fill the box.
    extinctions : (256,) float32
        Extinction of each code, per unit of length of that frame. Code 0 is empty space.
    box : (2, 3) float32
        Minimum and maximum corner.
    probes : int
        Number of parts of a ray's way.
    fractions : (N, P) float32
        Ascending along each ray, [0, 1].

    Returns
    -------
    distances : (N, P) float32
        From the origins. Where a ray meets only empty cells, the fractions are of its whole way
        through the box.
    """
    if codes.ndim != 3 or codes.dtype != torch.uint8 or extinctions.shape != (256,):
        raise ValueError("codes must be (X, Y, Z) uint8, with 256 extinctions")
    if fractions.ndim != 2 or fractions.shape[0] != origins.shape[0]:
        raise ValueError("fractions must be (N, P), a row for each ray")
    enter, leave = through_box(origins, directions, box)
    found = visible_positions_warp if use_warp(origins.device) else visible_positions_reference
    return found(origins, directions, enter, leave, codes, extinctions, box, probes, fractions)


def visible_positions_reference(
    origins: Tensor,
    directions: Tensor,
    enter: Tensor,
    leave: Tensor,
    codes: Tensor,
    extinctions: Tensor,
    box: Tensor,
    probes: int,
    fractions: Tensor,
) -> Tensor:
    """Compute `visible_positions` in plain torch operations, from the distances at the box."""
    length = (leave - enter)[:, None]
    along = cells_along(origins, directions, enter, leave, codes, box, probes)
    within = spread_by_light(extinctions[along.long()] * (length / probes), fractions)
    return enter[:, None] + length * within


def spread_by_light(thickness: Tensor, fractions: Tensor) -> Tensor:
    """Turn fractions of the light of rays into fractions of all their parts.

    Parameters
    ----------
    thickness : (N, L) float32
        Optical thickness of each part of a ray's way; 0 where it is empty.
    fractions : (N, P) float32

    Returns
    -------
    within : (N, P) float32
        Of a ray without occupied parts, `fractions`.
    """
    probes = thickness.shape[1]
    passed = thickness.cumsum(dim=1) - thickness
    occupied = thickness > 0
    light = torch.where(occupied, torch.exp(-passed) * (1 - torch.exp(-thickness)), 0)
    largest = torch.nn.functional.max_pool1d(light[:, None], 3, stride=1, padding=1)[:, 0]
    count = occupied.sum(dim=1, keepdim=True)
    weights = torch.where(occupied, largest + EVERYWHERE / count.clamp(min=1), 0)
    ends = weights.cumsum(dim=1)
    wanted = fractions * ends[:, -1:]
    part = (ends[:, None] <= wanted[..., None]).long().sum(dim=-1)
    # Rounding may put the last position behind the last occupied part.
    order = torch.arange(probes, device=thickness.device)
    last = torch.where(occupied, order, 0).amax(dim=1, keepdim=True)
    part = part.minimum(last)
    weight = weights.gather(1, part)
    into = (wanted - (ends.gather(1, part) - weight)) / weight.clamp(min=1e-9)
    return torch.where(count > 0, (part + into.clamp(0, 1)) / probes, fractions)


def visible_positions_warp(
    origins: Tensor,
    directions: Tensor,
    enter: Tensor,
    leave: Tensor,
    codes: Tensor,
    extinctions: Tensor,
    box: Tensor,
    probes: int,
    fractions: Tensor,
) -> Tensor:
    """Compute `visible_positions` by the Warp kernel."""
    from .sources.visible_positions import visible_positions as kernel

    fractions = fractions.contiguous()
    distances = torch.empty_like(fractions)
    light = torch.empty((len(origins), probes), device=origins.device)
    kernel.launch(
        len(origins),
        origins=origins.contiguous(),
        directions=directions.contiguous(),
        enters=enter.contiguous(),
        leaves=leave.contiguous(),
        codes=codes.contiguous(),
        extinctions=extinctions.contiguous(),
        box=box.contiguous(),
        everywhere=EVERYWHERE,
        fractions=fractions,
        light=light,
        distances=distances,
    )
    return distances
