"""A field as a dense grid of density and display colour: what Blender writes as VDB.

Density is the mean extinction of each cell per dataset unit, so that a volume absorbs as the field
does. Colour, which in a field depends on the direction of view, is averaged over views along the
six axes, each weighed by the visibility of the cell that way: a field never learned the colours of
its surfaces from behind.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from .. import __version__
from ..data.geometry.bounds import crop_box
from ..edit.cell_counts import count_in_blocks, summed_volume
from ..errors import UserError
from ..fields.base import Field
from ..files.npz import write_npz
from ..kernels.widest import widest, widest_dtype
from ..kernels.workload import POINTS, concatenated, in_portions

DROPPED_OPACITY = 0.01
"""Largest opacity that a ray along an axis may lose when thin cells become exactly empty."""

MAX_CELLS = 1 << 29
"""Most cells of a volume: 8 GiB of density and colour."""

LARGEST_LOG_DENSITY = 20.0
"""Largest log-density; above it all is opaque, and sums would overflow."""

HIDDEN_WEIGHT = 1e-4
"""Weight of a view from which a cell is hidden; it matters only for colours inside of solids."""

OPAQUE = 20.0
"""Largest optical thickness; it hides all behind it, and more would cost precision in sums."""

COLOR_WEIGHT = 4
"""Points that a cell counts for in a portion where its colours from all sides are evaluated."""

LINEAR_TO_SRGB_CUT = 0.0031308
"""Linear value below which the sRGB transfer function is a straight line."""


@dataclass(frozen=True)
class Volume:
    """A field sampled on a grid of cubic cells.

    Attributes
    ----------
    density : (X, Y, Z) float32 array
        Mean extinction of each cell per dataset unit; exactly 0 in empty cells.
    color : (X, Y, Z, 3) float32 array
        Display colour, sRGB in [0, 1]; 0 in empty cells.
    box : (2, 3) float64 array
        Corners of the grid, dataset frame.
    """

    density: np.ndarray
    color: np.ndarray
    box: np.ndarray

    @property
    def cell(self) -> float:
        """Side of a cell, dataset units."""
        return float((self.box[1, 0] - self.box[0, 0]) / self.density.shape[0])


@dataclass(frozen=True)
class Layout:
    """Positions of the cells of a volume.

    Attributes
    ----------
    low : (3,) float64 array
        Corner of the first cell, from the origin of the field's map of space.
    cell : float
        Side of a cell.
    shape : tuple of int
    """

    low: np.ndarray
    cell: float
    shape: tuple[int, int, int]

    @classmethod
    def over(cls, box: np.ndarray, resolution: int) -> "Layout":
        """Return cubic cells over a box (2, 3), `resolution` along its longest side.

        The other sides get as many as cover them, and extend evenly beyond both ends.

        Raises
        ------
        UserError
            For a resolution below 1 or too many cells.
        """
        if resolution < 1:
            raise UserError(f"A volume needs at least 1 cell along a side, not {resolution}.")
        sides = box[1] - box[0]
        cell = float(sides.max()) / resolution
        counts = np.maximum(np.ceil(sides / cell - 1e-6), 1).astype(int)
        if math.prod(counts.tolist()) > MAX_CELLS:
            raise UserError(
                f"A volume of {' x '.join(map(str, counts))} cells is too large;"
                " choose a lower resolution or a smaller crop box."
            )
        low = box.mean(axis=0) - counts * cell / 2
        return cls(low, cell, (int(counts[0]), int(counts[1]), int(counts[2])))

    @property
    def box(self) -> np.ndarray:
        """Corners of the grid, (2, 3) float64."""
        return np.stack((self.low, self.low + np.array(self.shape) * self.cell))

    def index(self, cells: Tensor) -> Tensor:
        """Return the index (N, 3) int64 of flat cells (N,)."""
        _, y, z = self.shape
        return torch.stack((cells // (y * z), cells // z % y, cells % z), dim=-1)

    def points(self, cells: Tensor, offsets: Tensor) -> Tensor:
        """Return points (N, S, 3) float32 at offsets (N or 1, S, 3) in [0, 1] of cells (N,)."""
        low = torch.tensor(self.low, dtype=widest_dtype(cells.device), device=cells.device)
        where = self.index(cells)[:, None] + widest(offsets)
        return (low + where * self.cell).float()


@torch.no_grad()
def sample_volume(
    field: Field,
    resolution: int = 128,
    supersample: int = 2,
    crop: np.ndarray | None = None,
    report: Callable[[float], None] | None = None,
) -> Volume:
    """Return a field as a volume.

    Parameters
    ----------
    field : Field
    resolution : int
        Cells along the longest side of the sampled box.
    supersample : int
        Density samples along each side of a cell.
    crop : (2, 3) array, optional
        Box in the dataset frame to sample, as far as it lies in the field's; the field's box if
        not given.
    report : callable, optional
        Called with the fraction that is done, 0 to 1, between portions; an exception from it ends
        the work.

    Returns
    -------
    Volume

    Raises
    ------
    UserError
        For a crop box without volume or outside the field, or too many cells.
    """
    if not 1 <= supersample <= 8:
        raise UserError(f"A cell can have 1 to 8 samples along each side, not {supersample}.")
    report = report or _ignore
    layout = Layout.over(sampled_box(field, crop), resolution)
    cells = occupied_cells(field, layout)
    density, peak = sample_density(field, layout, cells, supersample, lambda f: report(f * 0.5))
    filled = density * layout.cell >= DROPPED_OPACITY / max(layout.shape)
    cells, density, peak = cells[filled], density[filled], peak[filled]
    grid = torch.zeros(math.prod(layout.shape), device=field.device)
    grid[cells] = density
    grid = grid.view(layout.shape)
    color = sample_color(field, layout, cells, peak, grid, lambda f: report(0.5 + f * 0.5))
    colors = np.zeros((*layout.shape, 3), np.float32)
    colors.reshape(-1, 3)[cells.cpu().numpy()] = color.cpu().numpy()
    return Volume(grid.cpu().numpy(), colors, layout.box + field.space.origin)


def sampled_box(field: Field, crop: np.ndarray | None) -> np.ndarray:
    """Return the part of the field's box that a crop box leaves, (2, 3) float64.

    The crop box is in the dataset frame; the result is counted from the origin of the field's map.
    """
    box = field.box.cpu().double().numpy()
    if crop is None:
        return box
    crop = crop_box(crop) - field.space.origin
    box = np.stack((np.maximum(box[0], crop[0]), np.minimum(box[1], crop[1])))
    if not (box[0] < box[1]).all():
        raise UserError("The crop box lies outside the field's box; give it in the dataset frame.")
    return box


def occupied_cells(field: Field, layout: Layout) -> Tensor:
    """Return the flat cells (N,) int64 of the layout that meet an occupied cell of the field."""
    occupancy = field.occupancy
    table = summed_volume(occupancy.binary)
    limit = occupancy.resolution
    device = occupancy.box.device
    low_corner = torch.tensor(layout.low, dtype=widest_dtype(device), device=device)

    def meeting(cells: slice) -> Tensor:
        part = torch.arange(cells.start, cells.stop, device=device)
        corner = low_corner + layout.index(part) * layout.cell
        low, high = occupancy.space.grid_bounds(corner, corner + layout.cell)
        first = (low * limit - 1e-3).floor().long().clamp(0, limit)
        last = (high * limit + 1e-3).ceil().long().clamp(0, limit)
        return part[count_in_blocks(table, first, last) > 0]

    return concatenated(device, POINTS, math.prod(layout.shape), meeting)


def sample_density(
    field: Field,
    layout: Layout,
    cells: Tensor,
    supersample: int,
    report: Callable[[float], None],
) -> tuple[Tensor, Tensor]:
    """Return the mean extinction of cells, and the densest point of each.

    Parameters
    ----------
    cells : (N,) int64
        Flat, in the layout.
    supersample : int
        Samples along each side of a cell, at the centres of equal parts.

    Returns
    -------
    density : (N,) float32
        Extinction per dataset unit.
    peak : (N, 3) float32
        Offset of the densest sample in its cell, [0, 1].
    """
    axis = (torch.arange(supersample, device=cells.device) + 0.5) / supersample
    offsets = torch.stack(torch.meshgrid(axis, axis, axis, indexing="ij"), dim=-1).view(-1, 3)
    density = torch.zeros(len(cells), device=cells.device)
    peak = torch.full((len(cells), 3), 0.5, device=cells.device)

    def sample(part: slice) -> None:
        report(part.start / len(cells))
        points = layout.points(cells[part], offsets[None]).view(-1, 3)
        values = torch.zeros(len(points), device=cells.device)
        occupied = field.occupancy.contains(points).nonzero().view(-1)
        if len(occupied):
            log_density = field.log_density(points[occupied])
            values[occupied] = log_density.clamp(max=LARGEST_LOG_DENSITY).exp()
        values = values.view(-1, len(offsets))
        density[part] = values.mean(dim=1)
        peak[part] = offsets[values.argmax(dim=1)]

    for _ in in_portions(cells.device, POINTS, len(cells), sample, weight=len(offsets)):
        pass
    return density, peak


def sample_color(
    field: Field,
    layout: Layout,
    cells: Tensor,
    peak: Tensor,
    density: Tensor,
    report: Callable[[float], None],
) -> Tensor:
    """Return display colours (N, 3) of cells (N,), sRGB, at offsets `peak` (N, 3)."""
    weights = visibility(density, layout.cell, cells) + HIDDEN_WEIGHT
    weights = weights / weights.sum(dim=1, keepdim=True)
    color = torch.zeros((len(cells), 3), device=cells.device)

    def sample(part: slice) -> None:
        report(part.start / len(cells))
        points = layout.points(cells[part], peak[part, None]).view(-1, 3)
        features = field.features(points)
        total = torch.zeros((len(points), 3), device=points.device)
        for view, direction in enumerate(axis_directions(points.device)):
            seen = field.decode(points, direction.expand_as(points), features)[1]
            total += weights[part, view, None] * seen
        color[part] = total

    for _ in in_portions(cells.device, POINTS, len(cells), sample, COLOR_WEIGHT):
        pass
    color = color.clamp(0, 1)
    return linear_to_srgb(color) if field.header.get("color_space") == "linear" else color


def axis_directions(device: torch.device) -> Tensor:
    """Return six directions of view (6, 3): along x, y, z, then against them."""
    return torch.cat((torch.eye(3, device=device), -torch.eye(3, device=device)))


def visibility(density: Tensor, cell: float, cells: Tensor) -> Tensor:
    """Return the transmittance before cells (N,) of a grid along `axis_directions`: (N, 6)."""
    result = torch.empty((len(cells), 6), device=density.device)
    thickness = (density * cell).clamp(max=OPAQUE)
    for axis in range(3):
        along = thickness.cumsum(dim=axis)
        total = along.select(axis, -1).unsqueeze(axis)
        result[:, axis] = torch.exp((thickness - along).reshape(-1)[cells])
        result[:, axis + 3] = torch.exp((along - total).reshape(-1)[cells])
    return result


def linear_to_srgb(color: Tensor) -> Tensor:
    """Apply the IEC 61966-2-1 transfer function to values in [0, 1]."""
    curve = 1.055 * color.clamp(min=LINEAR_TO_SRGB_CUT) ** (1 / 2.4) - 0.055
    return torch.where(color <= LINEAR_TO_SRGB_CUT, color * 12.92, curve)


def save_volume(path: Path, volume: Volume, name: str) -> None:
    """Write a volume as ``.npz``, whole or not at all.

    The arrays are ``density``, ``color``, ``box`` (see `Volume`), ``name`` and ``version``.
    """
    arrays = {"density": volume.density, "color": volume.color, "box": volume.box}
    write_npz(path, arrays | {"name": np.array(name), "version": np.array(__version__)})


def _ignore(fraction: float) -> None:
    pass
