"""The outcome of edits: the fraction of a field that they remove, and warnings about them.

Points in the field's occupied cells stand for what is there. The edits are carried out on these
points, one after the other, so that it does not matter how far apart moved parts are.
"""

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ..data.notes import percentage
from ..fields.base import Field
from ..kernels.widest import widest, widest_dtype
from ..space.space_map import BoxMap, SpaceMap
from .edit_list import DUPLICATE, KEEP, MOVE, PLACING, SCALE_DENSITY, TINT, Edit, EditList, near
from .edited_field import EditedField
from .layer import Layer
from .masked_field import cell_corners
from .merged_field import MergedField
from .regions import INSIDE, MIXED, OUTSIDE
from .soft_region import SoftRegion

SAMPLES_A_SIDE = 4
"""Samples along each side of an occupancy cell that an edit cuts through."""

SAMPLES_MOVED = 2
"""Samples along each side of a cell that is moved as a whole, which may be cut afterwards."""

CELLS_AT_ONCE = 1 << 14
"""Occupancy cells that are followed at a time."""

MOST_POINTS = 1 << 18
"""Points at a time above which, when duplicates add more, every second one stands for two."""

LEAST_OUTSIDE = 0.01
"""Fraction of a part outside the scene that is worth a warning."""

TOLERANCE = 1e-5
"""Distance beyond the scene's box that is rounding, by the size of the box."""


@dataclass(frozen=True)
class Outcome:
    """The outcome of edits.

    Attributes
    ----------
    removed : float
        Fraction of the field's occupied volume that is gone. Volume that a duplicate adds makes up
        for what is removed.
    warnings : list of str
        A sentence for everything that is a likely mistake.
    """

    removed: float
    warnings: list[str]


@dataclass
class _Effect:
    """What one edit meets, in cells, and how much of that it takes out of the scene."""

    met: float = 0.0
    outside: float = 0.0
    lost: float = 0.0
    cut: float = 0.0


@dataclass
class _Scene:
    """Where things can be.

    Attributes
    ----------
    box : (2, 3) tensor or None
        The box that a bounded scene was trained in.
    space : SpaceMap or None
        The map of a scene without one, beyond which nothing can be shown.
    """

    box: Tensor | None
    space: SpaceMap | None


@dataclass(frozen=True)
class _Step:
    """Edits that apply at once, or a single one that moves or duplicates.

    Attributes
    ----------
    numbers : tuple of int
        Indices of the edits.
    at_once : EditList or None
        None of an edit that moves or duplicates.
    keeps : tuple of int
        Indices of those that keep.
    kept : EditList or None
        These alone.
    """

    numbers: tuple[int, ...]
    at_once: EditList | None
    keeps: tuple[int, ...]
    kept: EditList | None


@torch.no_grad()
def outcome(
    parent: Field, edits: Sequence[Edit], report: Callable[[float], None] | None = None
) -> Outcome:
    """Return what edits do to a field.

    Parameters
    ----------
    parent : Field
    edits : sequence of Edit
        One list of edits, with their regions on the field's device.
    report : callable, optional
        Called with the fraction that is done, 0 to 1; an exception from it ends the work.
    """
    lists = [EditList([edit]) for edit in edits]
    bounds = torch.cat([one.bounds for one in lists])
    steps = [
        _step([number for number, _ in run], edits)
        for _, run in itertools.groupby(enumerate(edits), _step_key)
    ]
    scene = _scene(parent)
    effects = [_Effect() for _ in edits]
    cells = parent.occupancy.occupied_cells()
    before = after = 0.0
    for start in range(0, len(cells), CELLS_AT_ONCE):
        if report is not None:
            report(start / len(cells))
        points, volume = _material(parent, lists, bounds, cells[start : start + CELLS_AT_ONCE])
        before += float(volume.sum())
        most = max(len(points), MOST_POINTS)
        for step in steps:
            if step.at_once is None:
                number = step.numbers[0]
                points, volume = _place(points, volume, lists[number], effects[number], scene)
            else:
                close = near(bounds, points, points).intersection(step.numbers)
                met = {number: lists[number] for number in sorted(close)}
                points, volume = _mask(points, volume, step, met, effects)
            while len(points) > most:
                points, volume = points[::2], 2 * volume[::2]
        after += float(volume.sum())
    removed = max(1 - after / before, 0.0) if before else 0.0
    return Outcome(removed, list(_warnings(parent, lists, bounds, effects, removed)))


def _step_key(numbered: tuple[int, Edit]) -> int:
    """Return the same key for the edits that apply at once: all between two moves."""
    number, edit = numbered
    return number if edit.operation in PLACING else -1


def _step(numbers: Sequence[int], edits: Sequence[Edit]) -> _Step:
    chosen = [edits[number] for number in numbers]
    keeps = [number for number in numbers if edits[number].operation == KEEP]
    placing = chosen[0].operation in PLACING
    return _Step(
        tuple(numbers),
        None if placing else EditList(chosen),
        tuple(keeps),
        EditList([edits[number] for number in keeps]) if keeps else None,
    )


def _scene(parent: Field) -> _Scene:
    """Return the bounds of the scene that a field was trained on; a merged one has none."""
    base = parent.base if isinstance(parent, EditedField) else parent
    if not isinstance(base.space, BoxMap):
        return _Scene(None, base.space)
    return _Scene(None if isinstance(base, MergedField) else base.box, None)


def _material(
    parent: Field, lists: Sequence[EditList], bounds: Tensor, cells: Tensor
) -> tuple[Tensor, Tensor]:
    """Return points (N, 3) for what is in flat cells, and the volume (N,) of each, in cells.

    A cell that an edit cuts through has `SAMPLES_A_SIDE` points to the side, one that is moved as a
    whole has `SAMPLES_MOVED`, and any other has one.
    """
    low, high = cell_corners(parent.occupancy, cells)
    cut = torch.zeros(len(cells), dtype=torch.bool, device=cells.device)
    if isinstance(parent, Layer):
        cleared, untouched = parent.classify(low, high)
        cells, low, high, cut = (part[~cleared] for part in (cells, low, high, ~untouched))
    moved, close = torch.zeros_like(cut), near(bounds, low, high)
    for number, one in enumerate(lists):
        ((edit, region),) = one.pairs()
        if edit.operation in PLACING and number in close:
            verdict = region.classify(low, high)
            cut |= verdict == MIXED
            moved |= verdict == INSIDE
        elif edit.operation == KEEP or (edit.takes_all and number in close):
            gone, left = one.classify(low, high)
            cut |= ~(gone | left)
    points, volumes = [], []
    for chosen, side in (
        (cells[~cut & ~moved], 1),
        (cells[~cut & moved], SAMPLES_MOVED),
        (cells[cut], SAMPLES_A_SIDE),
    ):
        samples = _samples(parent, chosen, side)
        points.append(samples)
        volumes.append(torch.full((len(samples),), side**-3, dtype=widest_dtype(cells.device)))
    return torch.cat(points), torch.cat(volumes).to(cells.device)


def _samples(parent: Field, cells: Tensor, side: int) -> Tensor:
    """Return points (N, 3), `side` to the side of each cell, at which a field holds anything."""
    axis = (torch.arange(side, device=cells.device) + 0.5) / side
    offsets = torch.stack(torch.meshgrid(axis, axis, axis, indexing="ij"), dim=-1).view(-1, 3)
    points = parent.occupancy.points_in_cells(
        cells.repeat_interleave(len(offsets)), offsets.repeat(len(cells), 1)
    )
    # Layers are sampled where it is not certain that all of a cell is left.
    return points[parent.holds(points)] if isinstance(parent, Layer) else points


def _mask(
    points: Tensor,
    volume: Tensor,
    step: _Step,
    met: Mapping[int, EditList],
    effects: Sequence[_Effect],
) -> tuple[Tensor, Tensor]:
    """Carry out edits that apply at once and move nothing; `met` are those near the points."""
    assert step.at_once is not None
    for number, one in met.items():
        ((_, region),) = one.pairs()
        effects[number].met += float(volume[region.weight(points) > 0].sum())
    if step.kept is not None:
        cut = float(volume[step.kept.density_factor(points) < 1].sum())
        for number in step.keeps:
            effects[number].cut += cut
    stays = step.at_once.mask(points)
    return points[stays], volume[stays]


def _place(
    points: Tensor, volume: Tensor, one: EditList, effect: _Effect, scene: _Scene
) -> tuple[Tensor, Tensor]:
    """Carry out a move or a duplicate."""
    ((edit, region),) = one.pairs()
    assert edit.to is not None
    weight = region.weight(points)
    part = weight > 0
    dtype = widest_dtype(points.device)
    turn = torch.tensor(edit.to.matrix[:3, :3], dtype=dtype, device=points.device)
    offset = torch.tensor(edit.to.matrix[:3, 3], dtype=dtype, device=points.device)
    placed = (widest(points[part]) @ turn.T + offset).to(points.dtype)
    size = volume[part]
    effect.met += float(size.sum())
    shown = torch.ones(len(placed), dtype=torch.bool, device=points.device)
    if scene.box is not None:
        margin = TOLERANCE * float((scene.box[1] - scene.box[0]).max())
        inside = (placed >= scene.box[0] - margin) & (placed <= scene.box[1] + margin)
        effect.outside += float(size[~inside.all(dim=-1)].sum())
    elif scene.space is not None:
        shown = scene.space.contains(placed)
        effect.lost += float(size[~shown].sum())
    stays = weight < 1 if edit.operation == MOVE else torch.ones_like(part)
    return (
        torch.cat((points[stays], placed[shown])),
        torch.cat((volume[stays], size[shown] * edit.to.scale**3)),
    )


def _warnings(
    parent: Field,
    lists: Sequence[EditList],
    bounds: Tensor,
    effects: Sequence[_Effect],
    removed: float,
) -> Iterator[str]:
    """Yield a sentence for everything that is a likely mistake."""
    corners = cell_corners(parent.occupancy, parent.occupancy.occupied_cells())
    close = near(bounds, *corners)
    unclear, moved = False, False
    for number, (one, effect) in enumerate(zip(lists, effects, strict=True), start=1):
        ((edit, region),) = one.pairs()
        if effect.met:
            reason = _why_no_change(edit, effect) or _where_it_leads(effect)
        # Points can miss what is smaller than a cell; cells do not know what was moved.
        elif moved or number - 1 not in close or _misses(region, *corners):
            verb = "holds" if edit.operation == KEEP else "touches"
            reason = f"{verb} no occupied part of the field"
        else:
            reason, unclear = None, True
        if reason is not None:
            yield f"Edit {number} ({edit.operation} {edit.region.kind}) {reason}."
        moved |= edit.operation in PLACING
    if removed == 1 and not any(effect.lost for effect in effects):
        left = "almost nothing" if unclear else "nothing"
        yield f"The edits leave {left} of the field; check that they are in the dataset frame."


def _misses(region: SoftRegion, low: Tensor, high: Tensor) -> bool:
    """Return whether a region certainly meets none of some cells (M, 3), (M, 3)."""
    return bool((region.classify(low, high) == OUTSIDE).all())


def _where_it_leads(effect: _Effect) -> str | None:
    """Return what an edit takes out of the scene, for its sentence, or None."""
    for amount, where in (
        (effect.lost, "to where the scene cannot show it, so that is lost"),
        (effect.outside, "out of the scene's box, where the capture's cameras may not see it"),
    ):
        fraction = amount / effect.met
        if fraction >= LEAST_OUTSIDE:
            part = "all" if fraction == 1 else percentage(fraction)
            return f"takes {part} of its part {where}; check where the edit leads to"
    return None


def _why_no_change(edit: Edit, effect: _Effect) -> str | None:
    """Return why an edit that meets something changes nothing, for its sentence, or None."""
    if edit.operation == KEEP and effect.cut == 0:
        return "covers all of the field, so it removes nothing"
    if edit.operation == SCALE_DENSITY and edit.factor == 1:
        return "multiplies the density by 1, so it changes nothing"
    if edit.operation == TINT and edit.color == (1, 1, 1):
        return "multiplies the colour by 1, 1, 1, so it changes nothing"
    if edit.to is not None and edit.to.is_identity:
        if edit.operation == DUPLICATE:
            return "leads to where its part is already, so it only doubles the density there"
        return "leads to where its part is already, so it changes nothing"
    return None
