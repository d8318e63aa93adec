"""The occupancy grid: the cells of a map of space that may hold density.

Müller et al., "Instant neural graphics primitives", 2022, appendix E.2: a decaying maximum of
sampled densities, thresholded into one bit a cell.
"""

import math
import time
from collections.abc import Callable

import torch
from torch import Tensor, nn

from ..jobs.device import processor
from ..kernels.transfer import upload
from ..kernels.widest import widest
from ..kernels.workload import POINTS, concatenated, in_portions, workload
from .space_map import SpaceMap

DECAY = 0.95
"""Factor by which a cell's value decays at each update, before the maximum with the new sample."""

MAX_THRESHOLD = 0.01
"""Largest optical thickness of one step that still counts as empty."""

CELL_WEIGHT, TIMED_CELL_WEIGHT = 2, {"cpu": 16, "gpu": 4}
"""Points that a cell counts for in a portion: it brings its number and its offsets; where the time
is limited, portions are smaller, since it is checked between them, by device."""


class OccupancyGrid(nn.Module):
    """Cells over the grid of a map of space.

    A cell's value is the largest optical thickness of one step that was sampled in it.

    Parameters
    ----------
    space : SpaceMap
    resolution : int
        Cells along each axis.

    Attributes
    ----------
    values : (R, R, R) float32
        Decaying maximum of density times step; negative where no camera sees.
    binary : (R, R, R) uint8
        1 where the cell may hold density.
    """

    values: Tensor
    binary: Tensor

    def __init__(self, space: SpaceMap, resolution: int) -> None:
        super().__init__()
        shape = (resolution,) * 3
        self.space = space
        device = space.box.device
        self.register_buffer("values", torch.zeros(shape, device=device))
        self.register_buffer("binary", torch.ones(shape, dtype=torch.uint8, device=device))

    @property
    def box(self) -> Tensor:
        """Corners of the map's box, (2, 3) float32, dataset frame."""
        return self.space.box

    @property
    def resolution(self) -> int:
        """Cells along each axis."""
        return self.binary.shape[0]

    def occupied_cells(self) -> Tensor:
        """Return the flat cells (N,) int64 that may hold density."""
        return self.binary.view(-1).nonzero().view(-1)

    def occupied_box(self) -> Tensor:
        """Return the corners (2, 3) float64, on the CPU, of the box around the occupied cells.

        At least one cell is occupied.
        """
        cells = self.binary.nonzero()
        ends = widest(torch.stack((cells.amin(dim=0), cells.amax(dim=0) + 1))) / self.resolution
        low, high = self.space.dataset_bounds(ends[:1], ends[1:])
        return torch.cat((low, high)).cpu().double()

    def points_in_cells(self, cells: Tensor, offsets: Tensor) -> Tensor:
        """Return dataset-frame points (N, 3) at `offsets` (N, 3) in [0, 1] of flat `cells` (N,)."""
        return self.space.from_grid((self.cell_index(cells) + offsets) / self.resolution)

    def cell_index(self, cells: Tensor) -> Tensor:
        """Return the index (N, 3) along each axis of flat `cells` (N,)."""
        resolution = self.resolution
        rows = cells // resolution
        return torch.stack((rows // resolution, rows % resolution, cells % resolution), dim=-1)

    def cells_of(self, points: Tensor) -> Tensor:
        """Return the flat cell (N,) of each point (N, 3), the nearest cell for points outside."""
        index = (self.space.to_grid(points) * self.resolution).long()
        index = index.clamp(0, self.resolution - 1)
        return (index[:, 0] * self.resolution + index[:, 1]) * self.resolution + index[:, 2]

    def contains(self, points: Tensor) -> Tensor:
        """Return whether points (N, 3) lie in occupied cells: (N,) bool; False outside the grid."""
        inside = self.space.contains(points)
        return inside & self.binary.view(-1)[self.cells_of(points)].bool()

    def _thickness(
        self, log_density: Callable[[Tensor], Tensor], points: Tensor, step: float
    ) -> Tensor:
        """Return the optical thickness (N,) of one step at points (N, 3)."""
        per_step = log_density(points) + self.space.log_stretch(points)
        return per_step.clamp(max=15).exp() * step

    @torch.no_grad()
    def update(
        self,
        log_density: Callable[[Tensor], Tensor],
        step: float,
        cells: Tensor,
        generator: torch.Generator,
    ) -> None:
        """Sample the density once for each of `cells` and refresh the bits.

        Parameters
        ----------
        log_density : callable
            A function (N, 3) points, dataset frame -> (N,) log extinction per dataset unit.
        step : float
            Ray-marching step, dataset units.
        cells : (N,) int64
            Flat cells; one that is named twice has two samples.
        generator : torch.Generator
            Source of the position inside each cell, on the grid's device.
        """
        values = self.values.view(-1)
        offsets = torch.rand((len(cells), 3), generator=generator, device=self.box.device)
        points = self.points_in_cells(cells, offsets)

        def sampled(part: slice) -> Tensor:
            return self._thickness(log_density, points[part], step)

        thickness = concatenated(points.device, POINTS, len(points), sampled, CELL_WEIGHT)
        old = values[cells]
        unseen = old < 0
        values[cells] = torch.where(unseen, old, old * DECAY)
        values.scatter_reduce_(0, cells, torch.where(unseen, old, thickness), "amax")
        self.refresh()

    @torch.no_grad()
    def update_everywhere(
        self,
        log_density: Callable[[Tensor], Tensor],
        step: float,
        generator: torch.Generator,
        block: int = 2,
    ) -> None:
        """Update all cells as `update` does, with one sample for each cube of `block`^3 cells.

        It is for early training, when every cell needs a sample and densities are smooth.
        """
        coarse = OccupancyGrid(self.space, -(-self.resolution // block))
        cells = torch.arange(coarse.resolution**3, device=self.box.device)
        coarse.update(log_density, step, cells, generator)
        fine = coarse.values
        for axis in range(3):
            fine = fine.repeat_interleave(block, dim=axis).narrow(axis, 0, self.resolution)
        seen = torch.maximum(self.values * DECAY, fine)
        self.values.copy_(torch.where(self.values < 0, self.values, seen))
        self.refresh()

    @torch.no_grad()
    def refresh(self) -> None:
        """Set the bits: occupied above the mean, or above `MAX_THRESHOLD` where that is less."""
        threshold = self.values.clamp(min=0).mean().clamp(max=MAX_THRESHOLD)
        self.binary.copy_((self.values > threshold).to(torch.uint8))

    def cells_to_update(self, count: int, generator: torch.Generator) -> Tensor:
        """Return up to `count` flat cells: half of them anywhere, half occupied.

        On a CPU they are distinct; elsewhere to find that out, or how many cells are occupied,
        would mean to wait for the device.
        """
        device, total, half = self.box.device, self.resolution**3, count // 2
        if count >= total:
            return torch.arange(total, device=device)
        anywhere = torch.randint(total, (half,), generator=generator, device=device)
        if device.type != "cpu":
            before = self.binary.view(-1).cumsum(0)
            pick = torch.rand(half, generator=generator, device=device) * before[-1]
            occupied = torch.searchsorted(before, pick.long(), right=True)
            return torch.cat((anywhere, occupied.clamp(max=total - 1)))
        occupied = self.occupied_cells()
        if len(occupied):
            pick = torch.randint(len(occupied), (half,), generator=generator)
            anywhere = torch.cat((anywhere, occupied[pick]))
        return anywhere.unique()

    @torch.no_grad()
    def rebuild(
        self, log_density: Callable[[Tensor], Tensor], step: float, deadline: float = math.inf
    ) -> None:
        """Sample the occupied cells and their neighbours again; all others become empty.

        Cells that no camera sees (negative values) stay empty. Cells that the time does not suffice
        for stay as they are; those that are occupied come first.

        Parameters
        ----------
        log_density : callable
            A function (N, 3) points, dataset frame -> (N,) log extinction per dataset unit.
        step : float
            Ray-marching step, dataset units.
        deadline : float
            Value of the monotonic clock at which to stop.
        """
        candidates, weight = self._candidates(), CELL_WEIGHT
        kept = (self.binary.bool() & (self.values >= 0)).view(-1)
        if deadline < math.inf:
            candidates = torch.cat((candidates[kept[candidates]], candidates[~kept[candidates]]))
            weight = self._timed_weight
        peak = torch.zeros(self.resolution**3, device=self.box.device)

        def sample(part: slice) -> bool:
            if time.monotonic() > deadline:
                return False
            cells = candidates[part]
            peak[cells] = self._peaks(log_density, cells, step)
            kept[cells] = False
            return True

        all(in_portions(peak.device, POINTS, len(candidates), sample, weight))
        self.values.copy_(torch.where(self.values < 0, self.values, peak.view_as(self.values)))
        self.refresh()
        self.binary.view(-1)[kept] = 1

    @torch.no_grad()
    def rebuild_seconds(self, log_density: Callable[[Tensor], Tensor], step: float) -> float:
        """Return about the time that `rebuild` takes, measured on a part of its cells."""
        candidates = self._candidates()
        measured = workload(self.box.device).at_once(POINTS) // self._timed_weight
        part = candidates[:: len(candidates) // max(measured, 1) + 1]
        if len(part) == 0:
            return 0.0
        start = time.monotonic()
        self._peaks(log_density, part, step).cpu()  # a GPU has computed them then
        return (time.monotonic() - start) * len(candidates) / len(part)

    @property
    def _timed_weight(self) -> int:
        return TIMED_CELL_WEIGHT[processor(self.box.device.type)]

    def _candidates(self) -> Tensor:
        """Return the flat cells (N,), ascending, that are occupied or have occupied neighbours."""
        near = nn.functional.max_pool3d(self.binary[None, None].float(), 3, stride=1, padding=1)
        return ((near[0, 0] > 0) & (self.values >= 0)).view(-1).nonzero().view(-1)

    def _peaks(self, log_density: Callable[[Tensor], Tensor], cells: Tensor, step: float) -> Tensor:
        """Return the largest optical thickness (N,) of one step that is sampled in each cell."""
        peak = torch.zeros(len(cells), device=cells.device)
        sobol = torch.quasirandom.SobolEngine(3, scramble=True, seed=0)
        below = torch.arange(len(cells), device=cells.device)
        at_once = max(workload(cells.device).at_once(POINTS) // CELL_WEIGHT, 1)
        for offset in upload(sobol.draw(self.space.probes_per_cell), cells.device):
            # A cell that is occupied already needs no further sample.
            below = below[peak[below] <= MAX_THRESHOLD]
            for part in below.split(at_once):
                points = self.points_in_cells(cells[part], offset.expand(len(part), 3))
                thickness = self._thickness(log_density, points, step)
                peak[part] = torch.maximum(peak[part], thickness)
        return peak
