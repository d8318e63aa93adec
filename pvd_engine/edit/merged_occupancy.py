"""The occupancy grid of several placed fields."""

import itertools
import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from ..fields.base import Field
from ..fields.limits import MAX_OCCUPANCY
from ..kernels.widest import widest, widest_dtype
from ..space.occupancy import OccupancyGrid
from ..space.space_map import BoxMap, SpaceMap
from .cell_counts import count_in_blocks, summed_volume
from .masked_field import CELL_MARGIN, ROUNDING
from .placement import Placement

CELLS_AT_ONCE = 1 << 17
"""Cells that are tested at a time."""

BLOCK = 8
"""Cells along each side of the blocks that are tested before the cells in them."""


@torch.no_grad()
def merged_occupancy(
    parts: Sequence[Field],
    placements: Sequence[Placement],
    origin: np.ndarray,
    box: Tensor | None = None,
) -> OccupancyGrid:
    """Return the cells that may hold density of any part.

    The grid covers the occupied cells of all parts. Its cells are about as large as the largest
    of the parts' cells, so far as `MAX_OCCUPANCY` allows. A cell in which a part may hold density
    is never empty. Where a part reaches beyond its box and is not moved, the grid is in that part's
    map of space; of other such parts it only holds the content of their boxes.

    Parameters
    ----------
    parts : sequence of Field
    placements : sequence of Placement
        One for each part.
    origin : (3,) float64 array
        Origin of the merged field's map of space.
    box : (2, 3) tensor, optional
        A box that the grid covers in addition.
    """
    whole = reaching_part(parts, placements)
    if whole is not None:
        return _filled(whole.occupancy.space, whole.occupancy.resolution, parts, placements)
    covered = merged_box(parts, placements)
    if box is not None:
        inner = box.cpu().double().numpy()
        covered = np.stack((np.minimum(inner[0], covered[0]), np.maximum(inner[1], covered[1])))
    cell = max(
        float((part.box[1] - part.box[0]).max()) / part.occupancy.resolution * placement.scale
        for part, placement in zip(parts, placements, strict=True)
    )
    longest = float((covered[1] - covered[0]).max())
    resolution = min(max(math.ceil(longest / cell - 1e-3), 1), MAX_OCCUPANCY)
    space = BoxMap(torch.tensor(covered, dtype=torch.float32), origin)
    return _filled(space, resolution, parts, placements)


def reaching_part(parts: Sequence[Field], placements: Sequence[Placement]) -> Field | None:
    """Return the first part that reaches beyond its box and is not moved."""
    for part, placement in zip(parts, placements, strict=True):
        if placement.is_identity and not isinstance(part.space, BoxMap):
            return part
    return None


def _filled(
    space: SpaceMap, resolution: int, parts: Sequence[Field], placements: Sequence[Placement]
) -> OccupancyGrid:
    merged = OccupancyGrid(space, resolution).to(parts[0].device)
    merged.binary.zero_()
    for part, placement in zip(parts, placements, strict=True):
        add_part(merged, part.occupancy, placement)
    merged.values.copy_(merged.binary)
    return merged


def merged_box(parts: Sequence[Field], placements: Sequence[Placement]) -> np.ndarray:
    """Return corners (2, 3) float64 of the box around all occupied cells, or around all boxes.

    Cells of a part beyond its own box do not count.
    """
    boxes = [
        placed_box(_inner_box(part), placement)
        for part, placement in zip(parts, placements, strict=True)
        if part.occupancy.binary.any()
    ]
    if not boxes:
        boxes = [
            placed_box(part.box.cpu().double().numpy(), placement)
            for part, placement in zip(parts, placements, strict=True)
        ]
    corners = np.stack(boxes)
    return np.stack((corners[:, 0].min(axis=0), corners[:, 1].max(axis=0)))


def _inner_box(part: Field) -> np.ndarray:
    """Return corners (2, 3) float64 of the box around a part's occupied cells in its own box."""
    occupied, box = part.occupancy.occupied_box().numpy(), part.box.cpu().double().numpy()
    if isinstance(part.space, BoxMap):
        return occupied
    inner = np.stack((np.maximum(occupied[0], box[0]), np.minimum(occupied[1], box[1])))
    return inner if (inner[0] < inner[1]).all() else box


def placed_box(box: np.ndarray, placement: Placement) -> np.ndarray:
    """Return the axis-aligned box (2, 3) around a placed box (2, 3), safe from rounding."""
    if placement.is_identity:
        return box
    picks = itertools.product((0, 1), repeat=3)
    corners = placement.place(np.array([box[list(pick), range(3)] for pick in picks]))
    margin = ROUNDING * max(np.abs(corners).max(), np.abs(box).max() * placement.scale)
    return np.stack((corners.min(axis=0) - margin, corners.max(axis=0) + margin))


def add_part(merged: OccupancyGrid, part: OccupancyGrid, placement: Placement) -> None:
    """Set the cells of a grid that meet an occupied cell of a placed part."""
    same_grid = merged.resolution == part.resolution and (
        merged.space.to_json() == part.space.to_json() and torch.equal(merged.box, part.box)
    )
    if placement.is_identity and same_grid:
        merged.binary |= part.binary
        return
    if not part.binary.any():
        return
    table = summed_volume(part.binary)
    binary = merged.binary.view(-1)
    blocks = -(-merged.resolution // BLOCK)
    device = binary.device
    for some in _all_cells(blocks, device).split(CELLS_AT_ONCE):
        near = some[_meets(merged, part, placement, table, some * BLOCK, BLOCK)]
        for block in near.split(CELLS_AT_ONCE // BLOCK**3):
            inner = _all_cells(BLOCK, device)
            cells = (block[:, None] * BLOCK + inner).view(-1, 3)
            cells = cells[(cells < merged.resolution).all(dim=-1)]
            cells = cells[_meets(merged, part, placement, table, cells, 1)]
            x, y, z = cells.unbind(dim=-1)
            binary[(x * merged.resolution + y) * merged.resolution + z] = 1


def _all_cells(resolution: int, device: torch.device) -> Tensor:
    """Return the index (R^3, 3) of every cell of a grid."""
    axis = torch.arange(resolution, device=device)
    return torch.cartesian_prod(axis, axis, axis)


def _meets(
    merged: OccupancyGrid,
    part: OccupancyGrid,
    placement: Placement,
    table: Tensor,
    first: Tensor,
    count: int,
) -> Tensor:
    """Return whether boxes in the merged grid meet an occupied cell of a placed part.

    Parameters
    ----------
    table : (R + 1, R + 1, R + 1) int32
        `summed_volume` of the part's cells.
    first : (M, 3) int64
        First merged cell of each box.
    count : int
        Merged cells along each side of the boxes.

    Returns
    -------
    (M,) bool
    """
    device = first.device
    dtype = widest_dtype(device)
    turn = torch.tensor(placement.rotation.T / placement.scale, dtype=dtype, device=device)
    offset = torch.tensor(placement.matrix[:3, 3], dtype=dtype, device=device)
    ends = (widest(first) / merged.resolution, widest(first + count) / merged.resolution)
    low, high = merged.space.dataset_bounds(*ends)
    center = ((low + high) / 2 - offset) @ turn.T
    reach = (high - low) / 2 @ turn.abs().T
    largest = torch.maximum(low.abs(), high.abs()).amax(dim=-1, keepdim=True) / placement.scale
    reach = reach + largest.clamp(min=float(part.box.abs().max())) * ROUNDING
    begin, end = part.space.grid_bounds(center - reach, center + reach)
    begin = (begin * part.resolution - CELL_MARGIN).floor().long()
    end = (end * part.resolution + CELL_MARGIN).ceil().long()
    return (
        count_in_blocks(table, begin.clamp(0, part.resolution), end.clamp(0, part.resolution)) > 0
    )
