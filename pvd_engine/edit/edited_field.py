"""An edited field: any field with edits over it, itself a field.

Nothing of the base is changed or lost. Edits that erase, keep, scale or tint are masks over it
(`masked_field`). What is moved or duplicated is a second copy of the same field, cut out and
placed elsewhere (`merged_field`).
"""

import itertools
import math
from collections.abc import Iterator, Sequence
from typing import Any

from torch import Tensor

from ..errors import UserError
from ..fields.base import Field
from ..fields.limits import MAX_EDITS, HeaderError, check_shapes
from ..fields.state import (
    FieldKind,
    common_header,
    field_from_state,
    field_state,
    occupancy_bits,
    occupancy_from_state,
    under,
)
from ..space.occupancy import OccupancyGrid
from .edit_list import CUT_OUT, ERASE, MOVE, PLACING, Edit, EditList
from .layer import MASKED, Layer
from .masked_field import MaskedField, cell_corners, edited_occupancy
from .merged_field import MergedField
from .mesh_region import MeshRegion
from .placement import Placement
from .places import MAX_PLACES, places_asked
from .region_state import edit_from_state
from .regions import GridRegion

__all__ = ["MASKED", "EditedField", "cell_corners", "edited_occupancy"]

MAX_PLACED = 16
"""Most moves and duplicates over one base; each evaluates all that is below it."""


class EditedField(Layer):
    """A field of any architecture together with edits.

    Editing an edited field gives one over the same base: its lists of edits, then the new one. The
    lists apply one after the other, so the *keeps* of a later list choose from what the earlier
    ones left. Within a list, a move or duplicate ends what comes before it, as if the list were
    split there.

    Parameters
    ----------
    base : Field
        Any field; an edited one gives its base and lists.
    *lists : sequence of Edit
        New lists of edits, dataset frame; their regions move to the base's device.
    occupancy : OccupancyGrid, optional
        The edited field's own, where it is known already.

    Raises
    ------
    UserError
        For more than `MAX_PLACED` moves and duplicates, or if they overlap too often.
    """

    def __init__(
        self, base: Field, *lists: Sequence[Edit], occupancy: OccupancyGrid | None = None
    ) -> None:
        if isinstance(base, EditedField):
            lists = (*base.edits, *lists)
            base = base.base
        edits = tuple(tuple(entries) for entries in lists)
        shown = layered(base, edits, occupancy)
        super().__init__(shown.occupancy, shown.step, dict(base.header))
        self.base = base
        self.edits = edits
        self.shown = shown
        self.header["edits"] = [[edit.description() for edit in entries] for entries in edits]
        if self.moves_parts and "architecture" in base.header:
            # One point shows several positions of the base, so there are no features to decode.
            self.header["architecture"] = {
                key: value
                for key, value in base.header["architecture"].items()
                if key not in ("encoder", "decoder")
            }

    @property
    def moves_parts(self) -> bool:
        """True when anything is moved or duplicated."""
        return any(edit.operation in PLACING for edit in itertools.chain(*self.edits))

    @property
    def only_cuts(self) -> bool:
        """True when all edits erase or keep, with sharp edges: a mask of 0 and 1 holds them."""
        return all(edit.cuts for edit in itertools.chain(*self.edits))

    @property
    def edit_lists(self) -> tuple[EditList, ...]:
        """Return the lists of a field that has `only_cuts`."""
        return tuple(self._cuts().lists)  # type: ignore[arg-type]

    def mask(self, points: Tensor) -> Tensor:
        """Return whether points (N, 3), dataset frame, stay; of a field that has `only_cuts`.

        Raises
        ------
        UserError
            When other edits take part.
        """
        return self._cuts().mask(points)

    def _cuts(self) -> MaskedField:
        if not self.only_cuts or not isinstance(self.shown, MaskedField):
            raise UserError(
                "Only erase and keep with sharp edges can be carved out of a sparse tensor;"
                " convert without --through."
            )
        return self.shown

    def features(self, points: Tensor, known: Tensor | None = None) -> Tensor:
        """Return block 1 of what is shown: the base's where nothing is moved or duplicated."""
        return self.shown.features(points, known)

    def glance(self, points: Tensor) -> tuple[Tensor, Tensor | None]:
        """Return the log-density of what is shown, and what it can use again."""
        return self.shown.glance(points)

    def decode(self, points: Tensor, directions: Tensor, features: Tensor) -> tuple[Tensor, Tensor]:
        """Return block 2 of what is shown."""
        return self.shown.decode(points, directions, features)

    def log_density(self, points: Tensor) -> Tensor:
        """Return the log-density of what is shown."""
        return self.shown.log_density(points)

    def holds(self, points: Tensor) -> Tensor:
        """Return whether something is shown at each point."""
        return self.shown.holds(points)

    def classify(self, low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
        """Return the cells of which nothing, and of which everything is shown."""
        return self.shown.classify(low, high)


def sharply_cut(field: Field) -> EditedField | None:
    """Return a field whose edits are a mask of 0 and 1 (`only_cuts`); None for any other field."""
    return field if isinstance(field, EditedField) and field.only_cuts else None


def layered(base: Field, lists: Sequence[Sequence[Edit]], occupancy: OccupancyGrid | None) -> Layer:
    """Return the layers that show a field after lists of edits; the last has the given occupancy.

    Raises
    ------
    ValueError
        Without any edit.
    UserError
        For more than `MAX_EDITS` edits or `MAX_PLACED` moves and duplicates, or if these overlap
        so often that pictures would take many times as long (`places`).
    """
    steps = list(edit_steps(lists))
    if not steps:
        raise ValueError("an edited field without edits")
    edits = list(itertools.chain(*lists))
    if len(edits) > MAX_EDITS:
        raise UserError(
            f"A field can have {MAX_EDITS} edits, not {len(edits)}; convert it in between."
        )
    require_usable_shapes(edits)
    placed = sum(isinstance(step, Edit) for step in steps)
    if placed > MAX_PLACED:
        raise UserError(
            f"A field can have {MAX_PLACED} moves and duplicates, not {placed};"
            " convert it in between, or merge files."
        )
    if math.isinf(places_asked(base, [step for step in steps if isinstance(step, Edit)])):
        raise UserError(
            f"Moves and duplicates overlap so often that more than {MAX_PLACES} places of the field"
            " are asked for a point; let them overlap less, or convert the field in between."
        )
    shown = base
    for step in steps:
        known = occupancy if step is steps[-1] else None
        if isinstance(step, Edit):
            shown = placed_field(shown, step, known)
        else:
            shown = MaskedField(shown, step, known)
    return shown  # type: ignore[return-value]


def require_usable_shapes(edits: Sequence[Edit]) -> None:
    """Raise `UserError` where edits have more meshes or cells than can be used."""
    regions = [edit.region for edit in edits]
    soft = [edit.region for edit in edits if edit.soft]
    try:
        check_shapes(
            sum(isinstance(region, MeshRegion) for region in regions),
            sum(isinstance(region, MeshRegion | GridRegion) for region in soft),
            sum(region.filled.numel() for region in regions if isinstance(region, GridRegion)),
        )
    except HeaderError as error:
        raise UserError(f"The list of edits {error}.") from error


def edit_steps(lists: Sequence[Sequence[Edit]]) -> Iterator[Edit | list[EditList]]:
    """Yield each move or duplicate by itself, and all lists between two of them together."""
    masks: list[EditList] = []
    for entries in lists:
        for placing, run in itertools.groupby(entries, lambda edit: edit.operation in PLACING):
            if not placing:
                masks.append(EditList(list(run)))
                continue
            if masks:
                yield masks
                masks = []
            yield from run
    if masks:
        yield masks


def placed_field(field: Field, edit: Edit, occupancy: OccupancyGrid | None) -> MergedField:
    """Return a field after one move or duplicate: what stays, merged with a placed cut-out."""
    if edit.to is None:
        raise ValueError(f"{edit.operation} without a placement")
    cut_out = [EditList([Edit(CUT_OUT, edit.region, edit.soft)])]
    copy = MaskedField(field, cut_out, owns_base=False)
    rest = field
    if edit.operation == MOVE:
        rest = MaskedField(field, [EditList([Edit(ERASE, edit.region, edit.soft)])])
    return MergedField([rest, copy], [Placement.identity(), edit.to], occupancy, field.box)


def edited_field_state(field: EditedField) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return tensors and header of an edited field, as its file holds them.

    The base's tensors stand under ``base.``, the edited occupancy under ``occupancy.bits``, and
    the data of edit e of list i under ``edits.i.e.``. The header has the base's header under
    ``base`` and the lists under ``edits``.
    """
    base_tensors, base_header = field_state(field.base)
    tensors = {f"base.{name}": tensor for name, tensor in base_tensors.items()}
    tensors["occupancy.bits"] = occupancy_bits(field.occupancy)
    for i, entries in enumerate(field.edits):
        for e, edit in enumerate(entries):
            for name, tensor in edit.region.tensors().items():
                tensors[f"edits.{i}.{e}.{name}"] = tensor.cpu().contiguous()
    header = {
        **field.header,
        **common_header(field),
        "kind": KIND.name,
        "base": base_header,
    }
    return tensors, header


def edited_field_from_state(tensors: dict[str, Tensor], header: dict[str, Any]) -> EditedField:
    """Return the field of a state: the inverse of `edited_field_state`."""
    base = field_from_state(under(tensors, "base."), header["base"])
    lists = [
        [
            edit_from_state(entry, under(tensors, f"edits.{i}.{e}."))
            for e, entry in enumerate(entries)
        ]
        for i, entries in enumerate(header["edits"])
    ]
    field = EditedField(base, *lists, occupancy=occupancy_from_state(tensors, header))
    if "provenance" in header:
        field.header["provenance"] = header["provenance"]
    return field


KIND = FieldKind("edited_field", EditedField, edited_field_state, edited_field_from_state)
