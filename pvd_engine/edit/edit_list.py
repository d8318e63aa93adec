"""What a list of edits leaves of a field: the mask.

The mask is 1 everywhere at first. Each *erase* sets it to 0 inside its region. All *keep* regions
of one list unite into one shape, and outside of it the mask is 0; nothing sets it back to 1, so the
order within a list does not matter. A density grid decides only within its box.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from .regions import INSIDE, OUTSIDE, Region

ERASE, KEEP = "erase", "keep"
OPERATIONS = (ERASE, KEEP)


@dataclass(frozen=True)
class Edit:
    """One entry of an edit list.

    Attributes
    ----------
    operation : str
        ``"erase"`` or ``"keep"``.
    region : Region
    """

    operation: str
    region: Region

    def description(self) -> dict[str, Any]:
        """The entry as JSON, for headers and provenance."""
        return {"op": self.operation, "region": self.region.description()}


class EditList(nn.Module):
    """Edits that are applied at once.

    Parameters
    ----------
    edits : sequence of Edit
        At least one.
    """

    def __init__(self, edits: Sequence[Edit]) -> None:
        super().__init__()
        self.operations = tuple(edit.operation for edit in edits)
        self.regions = nn.ModuleList(edit.region for edit in edits)

    @property
    def edits(self) -> tuple[Edit, ...]:
        """The edits in their order."""
        return tuple(
            Edit(operation, region)  # type: ignore[arg-type]
            for operation, region in zip(self.operations, self.regions, strict=True)
        )

    def of(self, operation: str) -> list[Region]:
        """Regions of the edits with this operation."""
        return [edit.region for edit in self.edits if edit.operation == operation]

    def mask(self, points: Tensor) -> Tensor:
        """Whether each of points (N, 3), dataset frame, stays: (N,) bool."""
        erased = torch.zeros(len(points), dtype=torch.bool, device=points.device)
        for region in self.of(ERASE):
            erased |= region.contains(points)
        if keeps := self.of(KEEP):
            kept, decided = torch.zeros_like(erased), torch.zeros_like(erased)
            for region in keeps:
                kept |= region.contains(points)
                decided |= region.speaks_for(points)
            erased |= decided & ~kept
        return ~erased

    def classify(self, low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
        """Axis-aligned cells of which certainly nothing, or certainly everything, stays.

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
        for region in self.of(ERASE):
            verdict = region.classify(low, high)
            cleared |= verdict == INSIDE
            untouched &= verdict == OUTSIDE
        if keeps := self.of(KEEP):
            outside_all, decided = torch.ones_like(cleared), torch.zeros_like(cleared)
            inside_one = torch.zeros_like(cleared)
            for region in keeps:
                verdict = region.classify(low, high)
                inside_one |= verdict == INSIDE
                outside_all &= verdict == OUTSIDE
                decided |= region.speaks_for_cells(low, high)
            cleared |= outside_all & decided
            untouched &= inside_one
        return cleared, untouched
