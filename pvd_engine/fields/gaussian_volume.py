"""Splats as a volume: the density of each, and the cells of a grid that it reaches.

Along a ray through its centre a splat of the picture has the optical thickness -ln(1 - opacity),
from wherever it is seen. A Gaussian of density has one that depends on the direction: sqrt(2 pi)
times the density at its centre times its deviation along the ray. The two agree on average over
the rays that meet the splat, of which a direction has as many as the area that the splat covers,
seen from there. By Cauchy's theorem the mean area of an ellipsoid is a quarter of its surface, so

    density = -ln(1 - opacity) / sqrt(2 pi) * (surface / 4 pi) / (product of the deviations)

and over all directions the volume takes as much light as the pictures show. For deviations that
are alike it is exact from everywhere; a flat splat has half of the thickness face on.
"""

import math
import time
from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from ..kernels.gaussian_records import REACH, CellLists
from ..space.space_map import SpaceMap
from .quaternions import rotation_matrices

THOMSEN = 1.6075
"""Power by which the surface of an ellipsoid is the mean of three products (Thomsen, 2004): right
to 1.1 %, and exact for a ball."""

THINNEST = 0.5
"""Least deviation of a splat's density in ray-marching steps: the samples of a thinner Gaussian
would not add up to its thickness. Those of this one do to 1.5 %."""

FAINTEST = 1e-30
"""Optical thickness below which a splat has that of this; the logarithm has no bound."""

FINEST = 128
"""Cells of the lists along each axis, at most."""

ENTRIES_OF_A_SPLAT = 64
"""Most cells for a splat, on average, that lists have before their cells become larger: they are
then two thirds as large as what a splat reaches."""

CELLS_OF_A_SPLAT = 512
"""Most cells in which it is found how thick a splat is; for a large one they are larger."""

ENTRIES_AT_ONCE = 1 << 19
"""Entries that are tested at a time, unless a single splat has more."""

MARGIN = 1e-3
"""Fraction of a cell, and of a splat's reach, by which it counts as larger, against rounding."""


def splat_records(
    centers: Tensor, log_scales: Tensor, rotations: Tensor, thickness: Tensor, step: Tensor
) -> Tensor:
    """Return splats as `gaussian_mixture` takes them; differentiable.

    Parameters
    ----------
    centers : (N, 3) float32
    log_scales : (N, 3) float32
        Logarithms of the deviations along the splats' own axes.
    rotations : (N, 4) float32
        Quaternions w, x, y, z, of any length.
    thickness : (N,) float32
        Optical thickness along a ray through the centre, on average.
    step : (N,) float32
        Length of a ray-marching step at the centres. A splat that is too thin for it is made wider
        and as much less dense.

    Returns
    -------
    (N, 13) float32
        See `pvd_engine.kernels.gaussian_records.RECORD`.
    """
    pairs = log_scales + log_scales.roll(1, dims=1)
    log_surface = (torch.logsumexp(THOMSEN * pairs, dim=1) - math.log(3)) / THOMSEN
    least = 2 * (THINNEST * step).log()
    wide = torch.logaddexp(2 * log_scales, least[:, None]) / 2
    log_density = (
        thickness.clamp(min=FAINTEST).log()
        + log_surface
        - wide.sum(dim=1)
        - math.log(2 * math.pi) / 2
    )
    turns = rotation_matrices(torch.nn.functional.normalize(rotations, dim=1))
    rows = turns.mT * torch.exp(-wide)[:, :, None]
    return torch.cat((centers, rows.flatten(1), log_density[:, None]), dim=1)


class _Cells(NamedTuple):
    """Cells over the grid of a map of space: how many along each axis, and a side of the grid's."""

    count: int
    side: float


@torch.no_grad()
def listed(space: SpaceMap, records: Tensor) -> tuple[CellLists, int]:
    """Return the splats of each cell of a map's grid, and the number of cells along each axis.

    A splat is listed in each cell that it reaches, and in few others.
    """
    count, most = FINEST, ENTRIES_OF_A_SPLAT * len(records)
    while count > 1 and int(_spans(space, records, _Cells(count, 1 / count))[2].sum()) > most:
        count //= 2
    splats, cells = [records.new_zeros(0).int()], [records.new_zeros(0).int()]
    for splat, cell, _ in _entries(space, records, _Cells(count, 1 / count)):
        splats.append(splat.int())
        cells.append(cell.int())
    cell, order = torch.cat(cells).sort(stable=True)
    sizes = torch.bincount(cell, minlength=count**3)
    offsets = torch.nn.functional.pad(sizes.cumsum(0), (1, 0)).int()
    return CellLists(offsets, torch.cat(splats)[order]), count


@torch.no_grad()
def thickest(
    space: SpaceMap,
    records: Tensor,
    thickness: Tensor,
    resolution: int,
    deadline: float = math.inf,
) -> Tensor | None:
    """Return a bound of how thick splats are in each cell of a map's grid.

    It is the sum of their optical thickness where each comes nearest to its centre in the cell.

    Parameters
    ----------
    space : SpaceMap
    records : (N, 13) float32
    thickness : (N,) float32
        As of `splat_records`.
    resolution : int
        Cells along each axis.
    deadline : float
        Value of the monotonic clock at which to stop.

    Returns
    -------
    (R, R, R) float32 or None
        None where the time did not suffice.
    """
    total, scale = records.new_zeros((resolution,) * 3), 1
    while len(records):
        cells = _Cells(-(-resolution // scale), scale / resolution)
        small = _spans(space, records, cells)[2] <= CELLS_OF_A_SPLAT
        some, bound = thickness[small], total.new_zeros(cells.count**3)
        for splat, cell, nearest in _entries(space, records[small], cells):
            if time.monotonic() > deadline:
                return None
            bound.index_add_(0, cell, some[splat] * torch.exp(-nearest / 2))
        bound = bound.view((cells.count,) * 3)
        for axis in range(3):
            bound = bound.repeat_interleave(scale, dim=axis).narrow(axis, 0, resolution)
        total += bound
        records, thickness, scale = records[~small], thickness[~small], 2 * scale
    return total


def _entries(
    space: SpaceMap, records: Tensor, cells: _Cells
) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Yield splats (E,) int64, flat cells (E,) int64 that they reach, and how near they come.

    That is a lower bound of the squared distance (E,) between the splat's centre and the cell, in
    deviations. Splats ascend.
    """
    first, size, counts = _spans(space, records, cells)
    ends = counts.cumsum(0)
    start, done = 0, 0
    while start < len(records):
        stop = int(torch.searchsorted(ends, done + ENTRIES_AT_ONCE, right=True))
        stop = max(stop, start + 1)
        number = torch.arange(start, stop, device=records.device)
        splat = number.repeat_interleave(counts[start:stop])
        within = torch.arange(len(splat), device=records.device) + done
        within -= (ends - counts)[splat]
        across = size[splat]
        row, z = within // across[:, 2], within % across[:, 2]
        index = first[splat] + torch.stack((row // across[:, 1], row % across[:, 1], z), dim=1)
        nearest = _nearest(space, records[splat], index * cells.side, (index + 1) * cells.side)
        kept = (nearest < (REACH * (1 + MARGIN)) ** 2).nonzero().view(-1)
        x, y, z = index[kept].unbind(dim=1)
        yield splat[kept], (x * cells.count + y) * cells.count + z, nearest[kept]
        start, done = stop, int(ends[stop - 1])


def _spans(space: SpaceMap, records: Tensor, cells: _Cells) -> tuple[Tensor, Tensor, Tensor]:
    """Return the first cell (N, 3) around each splat, the cells along each axis, and their number.

    They fill the box around all that the splat reaches.
    """
    rows = records[:, 3:12].view(-1, 3, 3)
    axes = rows / rows.square().sum(dim=2, keepdim=True)
    reach = REACH * (1 + MARGIN) * axes.square().sum(dim=1).sqrt()
    low, high = space.grid_bounds(records[:, :3] - reach, records[:, :3] + reach)
    ends = (low / cells.side - MARGIN).floor(), (high / cells.side + MARGIN).floor() + 1
    first, stop = (end.nan_to_num().clamp(0, cells.count).long() for end in ends)
    size = (stop - first).clamp(min=0)
    return first, size, size.prod(dim=1)


def _nearest(space: SpaceMap, records: Tensor, begin: Tensor, end: Tensor) -> Tensor:
    """Return a lower bound (E,) of the squared distances of splats to boxes, in deviations.

    It is the distance to the box along the splat's axes that encloses one of the map's grid, whose
    corners are given as fractions (E, 3) of it.
    """
    low, high = space.dataset_bounds(begin, end)
    middle, half = ((low + high) / 2 - records[:, :3]).float(), ((high - low) / 2).float()
    total = torch.zeros_like(half[:, 0])
    for axis in range(3):
        row = records[:, 3 + 3 * axis : 6 + 3 * axis]
        away = (row * middle).sum(dim=1).abs() - (row.abs() * half).sum(dim=1)
        total += away.nan_to_num(0.0).clamp(min=0).square()
    return total
