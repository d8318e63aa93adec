"""The outcome of edits: the fraction of a field that they remove, and warnings about them."""

from collections.abc import Callable

import torch
from torch import Tensor

from ..fields.base import Field
from .edit_list import KEEP, PLACING, Edit
from .edited_field import EditedField
from .layer import Layer
from .masked_field import cell_corners
from .regions import OUTSIDE

SAMPLES_A_SIDE = 4
"""Samples along each side of an occupancy cell that measure how much of it an edit removes."""

CELLS_AT_ONCE = 1 << 14
"""Occupancy cells that are measured at a time."""


@torch.no_grad()
def removed_fraction(
    parent: Field, edited: EditedField, report: Callable[[float], None] | None = None
) -> float:
    """Return the fraction of the parent's occupied volume that its edited field no longer has.

    Volume that a duplicate adds makes up for what is removed.

    Parameters
    ----------
    parent : Field
    edited : EditedField
        Made from `parent`.
    report : callable, optional
        Called with the fraction that is done, 0 to 1; an exception from it ends the work.
    """
    report = report or (lambda fraction: None)
    before = occupied_volume(parent, lambda fraction: report(fraction / 2))
    after = occupied_volume(edited, lambda fraction: report((1 + fraction) / 2))
    return max(1 - after / before, 0.0) if before else 0.0


def occupied_volume(field: Field, report: Callable[[float], None]) -> float:
    """Return the volume that a field's occupied cells and its edits leave.

    It is in cubic dataset units, or in parts of the grid where the map of space stretches lengths.
    """
    cells = field.occupancy.occupied_cells()
    volume = 0.0
    for start in range(0, len(cells), CELLS_AT_ONCE):
        report(start / len(cells))
        volume += float(remaining(field, cells[start : start + CELLS_AT_ONCE]).sum())
    return volume * field.space.grid_volume() / field.occupancy.resolution**3


def remaining(field: Field, cells: Tensor) -> Tensor:
    """Return the fraction (N,) of each flat cell (N,) that edits left; sampled where unclear."""
    fraction = torch.ones(len(cells), dtype=torch.float64, device=cells.device)
    if not isinstance(field, Layer):
        return fraction
    cleared, untouched = field.classify(*cell_corners(field.occupancy, cells))
    fraction[cleared] = 0
    mixed = (~cleared & ~untouched).nonzero().view(-1)
    axis = (torch.arange(SAMPLES_A_SIDE, device=cells.device) + 0.5) / SAMPLES_A_SIDE
    offsets = torch.stack(torch.meshgrid(axis, axis, axis, indexing="ij"), dim=-1).view(-1, 3)
    points = field.occupancy.points_in_cells(
        cells[mixed].repeat_interleave(len(offsets)), offsets.repeat(len(mixed), 1)
    )
    fraction[mixed] = field.holds(points).view(len(mixed), len(offsets)).double().mean(dim=1)
    return fraction


def edit_warnings(parent: Field, edits: tuple[Edit, ...], removed: float) -> list[str]:
    """Return a sentence for every edit that is a likely mistake: it touches or leaves nothing.

    Edits after a move or duplicate are not checked: their region may hold what it moved there.
    """
    low, high = cell_corners(parent.occupancy, parent.occupancy.occupied_cells())
    warnings = []
    for number, edit in enumerate(edits, start=1):
        if bool((edit.region.classify(low, high) == OUTSIDE).all()):
            verb = "holds" if edit.operation == KEEP else "touches"
            warnings.append(
                f"Edit {number} ({edit.operation} {edit.region.kind}) {verb} no occupied part of"
                " the field."
            )
        if edit.operation in PLACING:
            break
    if removed == 1:
        warnings.append(
            "The edits leave nothing of the field; check that they are in the dataset frame."
        )
    elif removed == 0 and not warnings and all(edit.operation == KEEP for edit in edits):
        warnings.append("The edits remove nothing of the field.")
    return warnings
