"""The number of places of a field that are asked for a point of what moves and duplicates show.

A duplicate of a place where a duplicate shows something shows both. So the number may double with
each of them, if they overlap, and with it the time of every picture.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from ..fields.base import Field
from .edit_list import MOVE, Edit
from .soft_region import SoftRegion

SAMPLES = 512
"""Points at which the number is counted."""

MAX_PLACES = 16
"""Most places that are asked for a point on average: pictures take about as many times as long."""


@torch.no_grad()
def places_asked(field: Field, edits: Sequence[Edit]) -> float:
    """Return the mean number of places of a field that are asked for a point of its content.

    Parameters
    ----------
    field : Field
        What the edits are applied to.
    edits : sequence of Edit
        Moves and duplicates, in order.

    Returns
    -------
    float
        Infinity where it is beyond `MAX_PLACES`, after which the counting ends.
    """
    generator = torch.Generator().manual_seed(0)
    cells = field.occupancy.occupied_cells()
    if len(cells) == 0:
        return 1.0
    offsets = torch.rand((SAMPLES, 3), generator=generator).to(field.device)
    points = field.occupancy.points_in_cells(_some(cells, generator), offsets)
    regions = [SoftRegion(edit.region, edit.soft).to(field.device) for edit in edits]
    placings = [edit.to.to(field.device) for edit in edits if edit.to is not None]
    steps = list(zip(edits, regions, placings, strict=True))
    for edit, region, placing in steps:
        weight = region.weight(points)
        rest = points[weight < 1] if edit.operation == MOVE else points
        moved = placing.place(points[weight > 0].cpu().double().numpy())
        points = _some(torch.cat((rest, torch.from_numpy(moved).to(rest))), generator)
    asked = points
    for edit, region, placing in reversed(steps):
        back = placing.into_part(asked)
        rest = asked[region.weight(asked) < 1] if edit.operation == MOVE else asked
        asked = torch.cat((rest, back[region.weight(back) > 0]))
        if len(asked) > MAX_PLACES * SAMPLES:
            return math.inf
    return len(asked) / SAMPLES


def _some(rows: Tensor, generator: torch.Generator) -> Tensor:
    """Return `SAMPLES` rows, drawn with repetition."""
    return rows[torch.randint(len(rows), (SAMPLES,), generator=generator).to(rows.device)]
