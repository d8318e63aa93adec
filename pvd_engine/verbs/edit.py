"""Edit a field: the verb ``edit``."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from .. import __version__
from ..edit.edit_list import KEEP, PLACING, Edit
from ..edit.edited_field import EditedField
from ..edit.edits_json import read_edits
from ..edit.layer import Layer
from ..edit.masked_field import cell_corners
from ..edit.merged_viewpoints import known_viewpoints, merged_viewpoints
from ..edit.placement import Placement
from ..edit.regions import OUTSIDE
from ..fields.base import Field
from ..fields.storage import content_hash, load_field, save_field
from ..jobs.device import choose_device
from ..jobs.fraction import fraction_reporter
from ..jobs.job import Job
from .arguments import EditArguments

SAMPLES_A_SIDE = 4
"""Samples along each side of an occupancy cell, to measure how much of it an edit removes."""

CELLS_AT_ONCE = 1 << 14


def run(arguments: EditArguments, job: Job) -> dict[str, Any]:
    """The verb ``edit``: field file and edits.json in, edited field file out."""
    device = choose_device(arguments.device)
    path, out = Path(arguments.field), Path(arguments.out)
    edits = read_edits(Path(arguments.edits))
    parent = load_field(path, device)
    edited = EditedField(parent, edits).to(device)
    edited.header["provenance"] = edited_provenance(path, parent, edited)
    report = fraction_reporter(job)
    removed = removed_fraction(parent, edited, report)
    report(1.0)
    warnings = edit_warnings(parent, edits, removed)
    job.warn(warnings)
    save_field(out, edited)
    return {
        "out": str(out),
        "edits": len(edits),
        "removed_fraction": removed,
        "warnings": warnings,
        "size": out.stat().st_size,
    }


def edited_provenance(path: Path, parent: Field, edited: EditedField) -> dict[str, Any]:
    """What an edited field's file says of its origin.

    Viewpoints are those of the parent, or ones that also see where a move or duplicate leads.
    """
    origin = parent.header.get("provenance") or {}
    edits = edited.edits[-1]
    provenance = {
        "made_by": f"pvd edit {__version__}",
        "parent": {"file": path.name, "hash": content_hash(path)},
        "parent_provenance": origin,
        "edits": [edit.description() for edit in edits],
    }
    if "viewpoints" in origin:
        provenance["viewpoints"] = origin["viewpoints"]
        poses = known_viewpoints(origin)
        if poses is not None and not torch.equal(edited.box, parent.box):
            places = [Placement.identity(), *(edit.to for edit in edits if edit.to is not None)]
            wider = merged_viewpoints([poses] * len(places), places)
            provenance["viewpoints"] = wider.to_json()
    return provenance


@torch.no_grad()
def removed_fraction(
    parent: Field, edited: EditedField, report: Callable[[float], None] | None = None
) -> float:
    """Share of the parent's occupied volume that its edited field no longer has, 0 to 1.

    Volume that a duplicate adds makes up for what is removed.

    Parameters
    ----------
    parent : Field
    edited : EditedField
        Made from `parent`.
    report : callable, optional
        Called with the done fraction, 0 to 1; what it raises ends the work.
    """
    report = report or (lambda fraction: None)
    before = occupied_volume(parent, lambda fraction: report(fraction / 2))
    after = occupied_volume(edited, lambda fraction: report((1 + fraction) / 2))
    return max(1 - after / before, 0.0) if before else 0.0


def occupied_volume(field: Field, report: Callable[[float], None]) -> float:
    """Volume that a field's occupied cells and its edits leave.

    In cubic dataset units, or in parts of the grid where the map of space stretches lengths.
    """
    cells = field.occupancy.occupied_cells()
    volume = 0.0
    for start in range(0, len(cells), CELLS_AT_ONCE):
        report(start / len(cells))
        volume += float(remaining(field, cells[start : start + CELLS_AT_ONCE]).sum())
    return volume * field.space.grid_volume() / field.occupancy.resolution**3


def remaining(field: Field, cells: Tensor) -> Tensor:
    """Share (N,) of flat occupancy cells (N,) that edits left; sampled only where it is unclear."""
    share = torch.ones(len(cells), dtype=torch.float64, device=cells.device)
    if not isinstance(field, Layer):
        return share
    cleared, untouched = field.classify(*cell_corners(field.occupancy, cells))
    share[cleared] = 0
    mixed = (~cleared & ~untouched).nonzero().view(-1)
    axis = (torch.arange(SAMPLES_A_SIDE, device=cells.device) + 0.5) / SAMPLES_A_SIDE
    offsets = torch.stack(torch.meshgrid(axis, axis, axis, indexing="ij"), dim=-1).view(-1, 3)
    points = field.occupancy.points_in_cells(
        cells[mixed].repeat_interleave(len(offsets)), offsets.repeat(len(mixed), 1)
    )
    share[mixed] = field.holds(points).view(len(mixed), len(offsets)).double().mean(dim=1)
    return share


def edit_warnings(parent: Field, edits: tuple[Edit, ...], removed: float) -> list[str]:
    """A sentence for every edit that cannot be meant: it touches nothing, or leaves nothing.

    Edits after a move or duplicate are not judged: they may be about what it brought there.
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
