"""Effect of a list of edits on a field, point by point: factors of its density and colour.

Both factors are 1 everywhere at first. Each *erase* takes the density away inside its region. All
*keep* regions of one list unite into one shape, and outside of it the density is taken away;
nothing brings it back, so the order within a list does not matter. A density grid decides only
within its box. *Scale density* and *tint* multiply density and colour inside their regions.

*Move* and *duplicate* are no factors: `edited_field` carries them out.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from .placement import Placement
from .regions import INSIDE, OUTSIDE, Region
from .soft_region import SoftRegion

ERASE, KEEP, SCALE_DENSITY, TINT = "erase", "keep", "scale_density", "tint"
MOVE, DUPLICATE = "move", "duplicate"
PLACING = (MOVE, DUPLICATE)
"""Operations that show a part of the field somewhere else."""

OPERATIONS = (ERASE, KEEP, SCALE_DENSITY, TINT, *PLACING)

ROUNDING = 2.0**-20
"""Enlargement of the boxes around regions, as a fraction of their coordinates."""

FEW_BOXES = 8
"""Edits whose effect a GPU computes everywhere."""

CUT_OUT = "cut_out"
"""Effect of a move or a duplicate on its copy: as *keep*, for a grid also outside its box."""


@dataclass(frozen=True)
class Edit:
    """One entry of an edit list.

    Attributes
    ----------
    operation : str
        One of `OPERATIONS`.
    region : Region
    soft : float
        Distance beyond the region's border over which the edit fades out, dataset units.
    to : Placement, optional
        Placement at which *move* and *duplicate* show the content of the region.
    factor : float, optional
        Factor of *scale_density*, 0 or more.
    color : tuple of float, optional
        Factors of red, green and blue of *tint*, 0 or more.
    id : str, optional
        Whatever the writer of the list knows the entry by; it stays in the field's file.
    """

    operation: str
    region: Region
    soft: float = 0.0
    to: Placement | None = None
    factor: float | None = None
    color: tuple[float, float, float] | None = None
    id: str | None = None

    def description(self) -> dict[str, Any]:
        """Return the entry as JSON, for headers and provenance."""
        entry: dict[str, Any] = {"op": self.operation, "region": self.region.description()}
        if self.to is not None:
            entry["to"] = self.to.matrix.tolist()
        if self.factor is not None:
            entry["factor"] = self.factor
        if self.color is not None:
            entry["color"] = list(self.color)
        if self.soft:
            entry["soft"] = self.soft
        if self.id is not None:
            entry["id"] = self.id
        return entry

    @property
    def cuts(self) -> bool:
        """True when the edit only takes away, with a sharp edge."""
        return self.operation in (ERASE, KEEP) and self.soft == 0

    @property
    def takes_all(self) -> bool:
        """True when nothing stays inside the region."""
        return self.operation == ERASE or (self.operation == SCALE_DENSITY and self.factor == 0)


class EditList(nn.Module):
    """Edits that are applied at once; none of them moves or duplicates.

    Parameters
    ----------
    edits : sequence of Edit
        At least one.

    Attributes
    ----------
    bounds : (E, 2, 3) float32
        A box around each edit's region and soft edge.
    tints : (E, 3) float32
        Factor of each edit's colour.
    """

    bounds: Tensor
    tints: Tensor

    def __init__(self, edits: Sequence[Edit]) -> None:
        super().__init__()
        self.edits = tuple(edits)
        regions = [SoftRegion(edit.region, edit.soft) for edit in edits]
        self.regions = nn.ModuleList(regions)
        bounds = torch.stack([region.bounds for region in regions])
        margin = bounds.abs().amax(dim=(1, 2))[:, None] * ROUNDING
        bounds = torch.stack((bounds[:, 0] - margin, bounds[:, 1] + margin), dim=1)
        self.register_buffer("bounds", bounds, persistent=False)
        tints = torch.tensor([edit.color or (1.0, 1.0, 1.0) for edit in edits])
        self.register_buffer("tints", tints.to(bounds.device), persistent=False)

    def pairs(self) -> list[tuple[Edit, SoftRegion]]:
        """Return each edit with its region."""
        return list(zip(self.edits, self.regions, strict=True))  # type: ignore[arg-type]

    def density_factor(self, points: Tensor) -> Tensor:
        """Return the factors (N,) of the density at points (N, 3), dataset frame."""
        factor = torch.ones(len(points), dtype=points.dtype, device=points.device)
        kept, close = torch.zeros_like(factor), near(self.bounds, points, points)
        decided = torch.zeros(len(points), dtype=torch.bool, device=points.device)
        for index, (edit, region) in enumerate(self.pairs()):
            if edit.operation == KEEP:
                decided |= region.region.decides(points)
                if index in close:
                    kept = torch.maximum(kept, region.weight(points))
            elif edit.operation == CUT_OUT:
                factor *= region.weight(points)
            elif index not in close:
                continue
            elif edit.takes_all:
                factor *= 1 - region.weight(points)
            elif edit.operation == SCALE_DENSITY:
                factor *= 1 + (edit.factor - 1) * region.weight(points)  # type: ignore[operator]
        return torch.where(decided, factor * kept, factor)

    def color_factor(self, points: Tensor) -> Tensor | None:
        """Return the factors (N, 3) of the colour at points (N, 3), or None for 1 everywhere."""
        factor, close = None, near(self.bounds, points, points)
        for index, (edit, region) in enumerate(self.pairs()):
            if edit.color is not None and index in close:
                tint = self.tints[index].to(points.dtype)
                part = 1 + (tint - 1) * region.weight(points)[:, None]
                factor = part if factor is None else factor * part
        return factor

    def mask(self, points: Tensor) -> Tensor:
        """Return whether anything stays at each of points (N, 3), dataset frame: (N,) bool."""
        return self.density_factor(points) > 0

    def classify(self, low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
        """Return the axis-aligned cells that are certainly cleared, and certainly not cut into.

        Parameters
        ----------
        low, high : (M, 3) float32
            Corners of the cells, dataset frame.

        Returns
        -------
        cleared, untouched : (M,) bool
        """
        cleared = torch.zeros(len(low), dtype=torch.bool, device=low.device)
        untouched = torch.ones_like(cleared)
        outside_all, decided = torch.ones_like(cleared), torch.zeros_like(cleared)
        inside_one, close = torch.zeros_like(cleared), near(self.bounds, low, high)
        for index, (edit, region) in enumerate(self.pairs()):
            if edit.takes_all and index in close:
                left = (~cleared).nonzero().view(-1)
                verdict = region.classify(low[left], high[left])
                cleared[left] = verdict == INSIDE
                untouched[left] &= verdict == OUTSIDE
            elif edit.operation == CUT_OUT:
                verdict = region.classify(low, high)
                cleared |= verdict == OUTSIDE
                untouched &= verdict == INSIDE
            elif edit.operation == KEEP:
                decided |= region.region.decides_cells(low, high)
                if index in close:
                    verdict = region.classify(low, high)
                    inside_one |= verdict == INSIDE
                    outside_all &= verdict == OUTSIDE
        if any(edit.operation == KEEP for edit in self.edits):
            cleared |= outside_all & decided
            untouched &= inside_one
        return cleared, untouched


def near(bounds: Tensor, low: Tensor, high: Tensor) -> set[int]:
    """Return the indices of the boxes (E, 2, 3) that may meet any cell, or point (low is high).

    Of few boxes on a GPU all do: to find out would take longer than what it saves.

    Parameters
    ----------
    bounds : (E, 2, 3) float32
    low, high : (M, 3) float32
        Corners of cells, dataset frame.
    """
    if len(low) == 0:
        return set()
    if len(bounds) <= FEW_BOXES and bounds.device.type != "cpu":
        return set(range(len(bounds)))
    first, last = low.amin(dim=0), high.amax(dim=0)
    apart = ((bounds[:, 0] > last) | (bounds[:, 1] < first)).any(dim=-1)
    return {index for index, away in enumerate(apart.tolist()) if not away}
