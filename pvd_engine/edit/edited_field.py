"""An edited field: any radiance field with edits over it, itself a field.

Nothing of the base is changed or lost: its densities are multiplied by the edits' masks (in
log-density, `MASKED` is added where the mask is 0), and cells of the occupancy grid in which
certainly nothing stays are skipped.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..fields.base import Field
from ..fields.radiance_field import RadianceField
from ..fields.storage import radiance_field_from_state, radiance_field_state
from ..render.occupancy import OccupancyGrid
from .edit_list import Edit, EditList
from .region_state import region_from_state

MASKED = -30.0
"""Added to the log-density where the mask is 0: a factor of 1e-13."""

CELLS_AT_ONCE = 1 << 17
"""Occupancy cells classified at once."""

CELL_MARGIN = 1e-3
"""Part of a cell by which it is enlarged before it is classified, to be safe from rounding."""

ROUNDING = 2.0**-20
"""Part of the largest coordinate by which a cell is enlarged at least: 16 float32 roundings."""


class EditedField(Field):
    """A field of any architecture together with edits.

    Editing an edited field gives one over the same base: its lists of edits, then the new one. The
    lists apply one after the other, so the *keeps* of a later list choose from what the earlier
    ones left.

    Parameters
    ----------
    base : Field
        Radiance field or edited field.
    edits : sequence of Edit
        A new list of edits, dataset frame; their regions move to the base's device.
    occupancy : OccupancyGrid, optional
        The edited field's own, where it is known already.
    """

    def __init__(
        self, base: Field, edits: Sequence[Edit], occupancy: OccupancyGrid | None = None
    ) -> None:
        lists = [EditList(edits).to(base.device)]
        if isinstance(base, EditedField):
            lists = [*base.edit_lists, *lists]  # type: ignore[list-item]
            base = base.base
        if occupancy is None:
            occupancy = edited_occupancy(base.occupancy, lists)
        super().__init__(occupancy, base.step, dict(base.header))
        self.base = base
        self.edit_lists = nn.ModuleList(lists)
        self.header["edits"] = [[edit.description() for edit in edits] for edits in self.edits]

    @property
    def edits(self) -> tuple[tuple[Edit, ...], ...]:
        """The lists of edits, in the order in which they apply."""
        return tuple(edits.edits for edits in self.edit_lists)  # type: ignore[attr-defined]

    def mask(self, points: Tensor) -> Tensor:
        """Whether each of points (N, 3), dataset frame, stays: (N,) bool."""
        stays = torch.ones(len(points), dtype=torch.bool, device=points.device)
        for edits in self.edit_lists:
            stays &= edits.mask(points)  # type: ignore[operator]
        return stays

    def classify(self, low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
        """Cells (M, 3), (M, 3) of which certainly nothing, or certainly everything, stays.

        Returns
        -------
        cleared, untouched : (M,) bool
        """
        return classify_cells(self.edit_lists, low, high)  # type: ignore[arg-type]

    def features(self, points: Tensor) -> Tensor:
        """Block 1 of the base: edits do not change features."""
        return self.base.features(points)

    def decode(self, points: Tensor, directions: Tensor, features: Tensor) -> tuple[Tensor, Tensor]:
        """Block 2 of the base, its log-density masked."""
        log_density, color = self.base.decode(points, directions, features)
        return log_density + self._log_mask(points), color

    def log_density(self, points: Tensor) -> Tensor:
        """The base's log-density, masked."""
        return self.base.log_density(points) + self._log_mask(points)

    def _log_mask(self, points: Tensor) -> Tensor:
        return (~self.mask(points)).to(points.dtype) * MASKED


def classify_cells(lists: Iterable[EditList], low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
    """`EditList.classify` for lists that apply one after the other."""
    cleared = torch.zeros(len(low), dtype=torch.bool, device=low.device)
    untouched = torch.ones_like(cleared)
    for edits in lists:
        gone, whole = edits.classify(low, high)
        cleared |= gone
        untouched &= whole
    return cleared, untouched


@torch.no_grad()
def edited_occupancy(occupancy: OccupancyGrid, lists: Sequence[EditList]) -> OccupancyGrid:
    """A copy of an occupancy grid without the cells in which certainly nothing stays.

    A cell that still holds anything is never cleared, so that skipping cells and masking points
    give the same picture.
    """
    edited = OccupancyGrid(occupancy.box, occupancy.resolution).to(occupancy.box.device)
    edited.load_state_dict(occupancy.state_dict())
    cells = edited.binary.view(-1).nonzero().view(-1)
    for part in cells.split(CELLS_AT_ONCE):
        cleared, _ = classify_cells(lists, *cell_corners(edited, part))
        edited.binary.view(-1)[part[cleared]] = 0
        edited.values.view(-1)[part[cleared]] = -1
    return edited


def cell_corners(occupancy: OccupancyGrid, cells: Tensor) -> tuple[Tensor, Tensor]:
    """Low and high corners (M, 3) of flat cells (M,), a little enlarged to be safe."""
    size = (occupancy.box[1] - occupancy.box[0]) / occupancy.resolution
    margin = (size * CELL_MARGIN).clamp(min=float(occupancy.box.abs().max()) * ROUNDING)
    zeros = torch.zeros((len(cells), 3), device=cells.device)
    low = occupancy.points_in_cells(cells, zeros) - margin
    high = occupancy.points_in_cells(cells, zeros + 1) + margin
    return low, high


def edited_field_state(field: EditedField) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Tensors and header of an edited field, as its file holds them.

    The base's tensors stand under ``base.``, the edited occupancy under ``occupancy.bits``, and
    the data of edit e of list i under ``edits.i.e.``. The header has the base's header under
    ``base`` and the lists under ``edits``.
    """
    if not isinstance(field.base, RadianceField):
        raise TypeError(f"an edited {type(field.base).__name__} has no file form")
    base_tensors, base_header = radiance_field_state(field.base)
    tensors = {f"base.{name}": tensor for name, tensor in base_tensors.items()}
    bits = np.packbits(field.occupancy.binary.cpu().numpy().reshape(-1))
    tensors["occupancy.bits"] = torch.from_numpy(bits)
    for i, edits in enumerate(field.edits):
        for e, edit in enumerate(edits):
            for name, tensor in edit.region.tensors().items():
                tensors[f"edits.{i}.{e}.{name}"] = tensor.cpu().contiguous()
    header = {
        **base_header,
        **field.header,
        "kind": "edited_field",
        "base": base_header,
    }
    return tensors, header


def edited_field_from_state(tensors: dict[str, Tensor], header: dict[str, Any]) -> EditedField:
    """The inverse of `edited_field_state`."""
    base: Field = radiance_field_from_state(_under(tensors, "base."), header["base"])
    occupancy = OccupancyGrid(base.box, base.occupancy.resolution)
    bits = np.unpackbits(tensors["occupancy.bits"].numpy(), count=occupancy.binary.numel())
    occupancy.binary.copy_(torch.from_numpy(bits).view_as(occupancy.binary))
    occupancy.values.copy_(occupancy.binary)
    for i, entries in enumerate(header["edits"]):
        edits = [
            Edit(
                entry["op"], region_from_state(entry["region"], _under(tensors, f"edits.{i}.{e}."))
            )
            for e, entry in enumerate(entries)
        ]
        base = EditedField(base, edits, occupancy)
    if not isinstance(base, EditedField):
        raise ValueError("an edited field without edits")
    if "provenance" in header:
        base.header["provenance"] = header["provenance"]
    return base


def _under(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
