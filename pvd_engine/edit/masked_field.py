"""A masked field: the densities and colours of another field, multiplied by those of edits.

In log-density, `MASKED` is added where the factor is 0. Cells of the occupancy grid in which
certainly nothing stays are skipped.
"""

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn

from ..fields.base import Field
from ..space.occupancy import OccupancyGrid
from .edit_list import CUT_OUT, KEEP, EditList
from .layer import MASKED, Layer, holds
from .regions import INSIDE, MIXED
from .soft_region import SoftRegion

CELLS_AT_ONCE = 1 << 17
"""Occupancy cells classified at once."""

BLOCK = 4
"""Cells along each side of the blocks that are classified before the cells in them."""

CELLS_WITHOUT_BLOCKS = 1 << 13
"""Most cells that are classified without blocks first."""

CELL_MARGIN = 1e-3
"""Fraction of a cell by which it is enlarged before it is classified, against rounding."""

ROUNDING = 2.0**-20
"""Least enlargement of a cell, as a fraction of its coordinates: 16 float32 roundings."""


class MaskedField(Layer):
    """A field under lists of edits that apply one after the other, none of which moves anything.

    Parameters
    ----------
    base : Field
    lists : sequence of EditList
    occupancy : OccupancyGrid, optional
        The masked field's own, where it is known already.
    owns_base : bool
        False where another layer of the same field holds the base as well: modules go through all
        they own, so a chain of layers that own their base twice would be gone through 2^n times.
    """

    base: Field

    def __init__(
        self,
        base: Field,
        lists: Sequence[EditList],
        occupancy: OccupancyGrid | None = None,
        owns_base: bool = True,
    ) -> None:
        lists = [edits.to(base.device) for edits in lists]
        if occupancy is None:
            occupancy = edited_occupancy(base.occupancy, lists)
        super().__init__(occupancy, base.step, dict(base.header))
        if owns_base:
            self.base = base
        else:
            self.__dict__["base"] = base
        self.lists = nn.ModuleList(lists)

    def _edit_lists(self) -> list[EditList]:
        return list(self.lists)  # type: ignore[arg-type]

    def features(self, points: Tensor, known: Tensor | None = None) -> Tensor:
        """Return block 1 of the base: edits do not change features."""
        return self.base.features(points, known)

    def glance(self, points: Tensor) -> tuple[Tensor, Tensor | None]:
        """Return the base's log-density, masked, and what the base can use again."""
        log_density, known = self.base.glance(points)
        return log_density + self._log_factor(points), known

    def decode(self, points: Tensor, directions: Tensor, features: Tensor) -> tuple[Tensor, Tensor]:
        """Return block 2 of the base, its log-density masked and its colour tinted."""
        log_density, color = self.base.decode(points, directions, features)
        tints = [edits.color_factor(points) for edits in self._edit_lists()]
        for tint in tints:
            color = color if tint is None else color * tint
        if any(tint is not None for tint in tints):
            color = color.clamp(0, 1)
        return log_density + self._log_factor(points), color

    def log_density(self, points: Tensor) -> Tensor:
        """Return the base's log-density, masked."""
        return self.base.log_density(points) + self._log_factor(points)

    def _density_factor(self, points: Tensor) -> Tensor:
        factor = torch.ones(len(points), dtype=points.dtype, device=points.device)
        for edits in self._edit_lists():
            factor = factor * edits.density_factor(points)
        return factor

    def _log_factor(self, points: Tensor) -> Tensor:
        return self._density_factor(points).log().clamp(min=MASKED)

    def mask(self, points: Tensor) -> Tensor:
        """Return whether the edits leave anything at each of points (N, 3): (N,) bool."""
        return self._density_factor(points) > 0

    def holds(self, points: Tensor) -> Tensor:
        """Return whether the base holds something at each point and the edits leave it."""
        return holds(self.base, points) & self.mask(points)

    def classify(self, low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
        """Classify cells by the edits; none is untouched where the base is a layer itself."""
        cleared, untouched = classify_cells(self._edit_lists(), low, high)
        return cleared, untouched & (not isinstance(self.base, Layer))


def classify_cells(lists: Iterable[EditList], low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
    """Return `EditList.classify` of lists that apply one after the other."""
    cleared = torch.zeros(len(low), dtype=torch.bool, device=low.device)
    untouched = torch.ones_like(cleared)
    for edits in lists:
        gone, whole = edits.classify(low, high)
        cleared |= gone
        untouched &= whole
    return cleared, untouched


@torch.no_grad()
def edited_occupancy(occupancy: OccupancyGrid, lists: Sequence[EditList]) -> OccupancyGrid:
    """Return a copy of an occupancy grid without the cells in which certainly nothing stays.

    A cell that still holds anything is never cleared, so that skipping cells and masking points
    give the same picture.
    """
    edited = OccupancyGrid(occupancy.space, occupancy.resolution)
    edited.load_state_dict(occupancy.state_dict())
    for edits in lists:
        keeps = []
        spans = _spans(edited, edits.bounds)
        for (edit, region), span in zip(edits.pairs(), spans, strict=True):
            if edit.takes_all:
                _clear(edited, _cells(edited, region, span, edited.binary, INSIDE))
            elif edit.operation == CUT_OUT:
                _clear_but(edited, [(region, span)])
            elif edit.operation == KEEP:
                keeps.append((region, span))
        if keeps:
            _clear_but(edited, keeps)
    return edited


def _spans(grid: OccupancyGrid, bounds: Tensor) -> Tensor:
    """Return the first cell near each of boxes (N, 2, 3), and one past the last: (N, 2, 3)."""
    low, high = grid.space.grid_bounds(*bounds.unbind(dim=1))
    ends = (low * grid.resolution - 1).floor(), (high * grid.resolution + 1).ceil()
    return torch.stack(ends, dim=1).clamp(0, grid.resolution).long()


def _cells(
    grid: OccupancyGrid, region: SoftRegion, span: Tensor, asked: Tensor, least: int
) -> Tensor:
    """Return the flat cells (N,) whose verdict is at least `least`, of those `asked` (R, R, R).

    Only cells of the region's `span` (2, 3) are classified, first in blocks: what is certain of a
    block is certain of its cells.
    """
    first = span[0]
    x, y, z = (slice(a, max(a, b)) for a, b in zip(*span.tolist(), strict=True))
    near, found = asked[x, y, z] > 0, []
    if near.numel() > CELLS_WITHOUT_BLOCKS:
        verdict = _verdict_of_blocks(grid, region, near, first)
        found.append((near & (verdict != MIXED) & (verdict >= least)).nonzero())
        near &= verdict == MIXED
    for part in near.nonzero().split(CELLS_AT_ONCE):
        found.append(part[region.classify(*_corners(grid, first + part, 1)) >= least])
    chosen = torch.cat(found) + first
    return (chosen[:, 0] * grid.resolution + chosen[:, 1]) * grid.resolution + chosen[:, 2]


def _verdict_of_blocks(
    grid: OccupancyGrid, region: SoftRegion, near: Tensor, first: Tensor
) -> Tensor:
    """Return for each cell (X, Y, Z) int8 the verdict of the block that it is in.

    Parameters
    ----------
    near : (X, Y, Z) bool
        The cells that matter; other blocks are `MIXED`.
    first : (3,) int64
        Index of the first of them, with which the first block begins.
    """
    blocks = nn.functional.max_pool3d(near[None].float(), BLOCK, ceil_mode=True)[0]
    index = blocks.nonzero()
    found = [
        region.classify(*_corners(grid, first + part * BLOCK, BLOCK))
        for part in index.split(CELLS_AT_ONCE)
    ]
    verdict = torch.full_like(blocks, MIXED, dtype=torch.int8)
    verdict[tuple(index.unbind(dim=-1))] = torch.cat(found)
    for axis in range(3):
        verdict = verdict.repeat_interleave(BLOCK, axis).narrow(axis, 0, near.shape[axis])
    return verdict


def _clear_but(grid: OccupancyGrid, kept: Sequence[tuple[SoftRegion, Tensor]]) -> None:
    """Clear the cells outside all regions, given with their spans, where these decide."""
    asked = grid.binary.clone()
    for region, span in kept:
        asked.view(-1)[_cells(grid, region, span, asked, MIXED)] = 0
    cells = asked.view(-1).nonzero().view(-1)
    for part in cells.split(CELLS_AT_ONCE):
        corners = cell_corners(grid, part)
        decided = torch.zeros(len(part), dtype=torch.bool, device=part.device)
        for region, _ in kept:
            decided |= region.region.decides_cells(*corners)
            if decided.all():
                break
        _clear(grid, part[decided])


def _clear(grid: OccupancyGrid, cells: Tensor) -> None:
    grid.binary.view(-1)[cells] = 0
    grid.values.view(-1)[cells] = -1


def cell_corners(occupancy: OccupancyGrid, cells: Tensor) -> tuple[Tensor, Tensor]:
    """Return low and high corners (M, 3) of flat cells (M,), a little enlarged to be safe."""
    return _corners(occupancy, occupancy.cell_index(cells), 1)


def _corners(occupancy: OccupancyGrid, index: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Return as `cell_corners` for cubes of `count`^3 cells that begin at cells (M, 3)."""
    space = occupancy.space
    ends = (index - CELL_MARGIN, index + count + CELL_MARGIN)
    low, high = space.dataset_bounds(*(end / occupancy.resolution for end in ends))
    rounding = torch.maximum(low.abs(), high.abs()).clamp(min=space.box.abs().max()) * ROUNDING
    return (low - rounding).float(), (high + rounding).float()
