"""A merged field: several fields, each with its placement, seen as one.

Densities add, and colours weigh by density. Density is extinction per unit length, so a part that
is scaled by s has its density divided by s; then light that crosses it loses as much as before.
Directions of view turn with the part.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..data.geometry.far_origin import far_origin
from ..errors import UserError
from ..fields.base import Field
from ..fields.limits import HeaderError, check_step
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
from .layer import MASKED, Layer, holds
from .merged_occupancy import merged_box, merged_occupancy
from .placement import Placement


class MergedField(Layer):
    """Several fields in one frame, the merged frame.

    A part is evaluated only at points in its own occupied cells. The parts have no feature space in
    common, so a merged field has features of width 0, and its header no decoder.

    Parameters
    ----------
    parts : sequence of Field
        At least one, all on one device and in one colour space.
    placements : sequence of Placement
        One for each part, from the part's dataset frame into the merged frame, each counted from
        the origin of its map of space.
    occupancy : OccupancyGrid, optional
        The merged field's own, where it is known already.
    box : (2, 3) tensor, optional
        A box that the field covers in addition to those of its parts.
    origin : (3,) float64 array, optional
        Origin of the merged field's map of space; that of the first part if not given.

    Raises
    ------
    UserError
        When the parts' colours are in different spaces, or a part is so small that rays would take
        too many steps.
    """

    def __init__(
        self,
        parts: Sequence[Field],
        placements: Sequence[Placement],
        occupancy: OccupancyGrid | None = None,
        box: Tensor | None = None,
        origin: np.ndarray | None = None,
    ) -> None:
        pairs = list(zip(parts, placements, strict=True))
        spaces = {part.header.get("color_space", "srgb") for part in parts}
        if len(spaces) > 1:
            raise UserError("Fields in sRGB and in linear colour cannot be merged; convert one.")
        if occupancy is None:
            origin = parts[0].space.origin if origin is None else origin
            occupancy = merged_occupancy(parts, placements, origin, box)
        names = [part.header.get("architecture", {}).get("name") for part in parts]
        header = {"architecture": {"name": "merged", "parts": names}, "color_space": spaces.pop()}
        step = min(part.step * placement.scale for part, placement in pairs)
        try:
            check_step(step, 2 * occupancy.space.half_side)
        except HeaderError as error:
            raise UserError(
                "A part is too small beside the rest to be merged; make it larger, or convert it."
            ) from error
        super().__init__(occupancy, step, header)
        self.parts = nn.ModuleList(parts)
        self.placements = nn.ModuleList(placements).to(parts[0].device)

    def pairs(self) -> list[tuple[Field, Placement]]:
        """Return each part with its placement."""
        return list(zip(self.parts, self.placements, strict=True))  # type: ignore[arg-type]

    def features(self, points: Tensor, known: Tensor | None = None) -> Tensor:
        """Return no features: (N, 0)."""
        return points.new_zeros((len(points), 0))

    def decode(self, points: Tensor, directions: Tensor, features: Tensor) -> tuple[Tensor, Tensor]:
        """Return the log of the summed density (N,), and the mean colour (N, 3) by density."""
        total = points.new_full((len(points),), -math.inf)
        color = torch.zeros_like(points)
        for part, placement in self.pairs():
            local, index = part_points(part, placement, points)
            if len(index) == 0:
                continue
            turned = placement.turn_into_part(directions.index_select(0, index))
            density, part_color = part(local, turned)
            density = density - math.log(placement.scale)
            before = total.index_select(0, index)
            after = torch.logaddexp(before, density)
            weight = torch.exp(density - after)[:, None]
            known = color.index_select(0, index)
            color = color.index_copy(0, index, known + weight * (part_color - known))
            total = total.index_copy(0, index, after)
        return total.clamp(min=MASKED), color

    def log_density(self, points: Tensor) -> Tensor:
        """Return the log of the summed density (N,)."""
        total = points.new_full((len(points),), -math.inf)
        for part, placement in self.pairs():
            local, index = part_points(part, placement, points)
            if len(index) == 0:
                continue
            density = part.log_density(local) - math.log(placement.scale)
            after = torch.logaddexp(total.index_select(0, index), density)
            total = total.index_copy(0, index, after)
        return total.clamp(min=MASKED)

    def holds(self, points: Tensor) -> Tensor:
        """Return whether any part holds something at each point."""
        found = torch.zeros(len(points), dtype=torch.bool, device=points.device)
        for part, placement in self.pairs():
            found |= holds(part, placement.into_part(points))
        return found


def merged_origin(parts: Sequence[Field], placements: Sequence[Placement]) -> np.ndarray:
    """Return the origin of a merged field's map of space, (3,) float64, merged frame.

    That of the first part that is not moved, else the one of a scene that all parts make up.

    Parameters
    ----------
    parts : sequence of Field
    placements : sequence of Placement
        Placement of each part's dataset frame in the merged frame, neither counted from an origin.
    """
    for part, placement in zip(parts, placements, strict=True):
        if placement.is_identity:
            return part.space.origin
    absolute = [
        placement.counted_from(part.space.origin, np.zeros(3))
        for part, placement in zip(parts, placements, strict=True)
    ]
    return far_origin((), merged_box(parts, absolute))


def part_points(part: Field, placement: Placement, points: Tensor) -> tuple[Tensor, Tensor]:
    """Return the merged points (N, 3) in a part's occupied cells.

    Returns
    -------
    local : (M, 3) float32
        These points in the part's frame.
    index : (M,) int64
        Their indices among `points`.
    """
    local = placement.into_part(points)
    index = part.occupancy.contains(local).nonzero().view(-1)
    return local.index_select(0, index), index


def merged_field_state(field: MergedField) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return tensors and header of a merged field, as its file holds them.

    The tensors of part i stand under ``parts.i.``, the merged occupancy under ``occupancy.bits``.
    The header has the parts' headers under ``parts`` and their 4x4 matrices under ``placements``.
    """
    tensors = {"occupancy.bits": occupancy_bits(field.occupancy)}
    headers = []
    for i, (part, _) in enumerate(field.pairs()):
        part_tensors, part_header = field_state(part)
        tensors |= {f"parts.{i}.{name}": tensor.clone() for name, tensor in part_tensors.items()}
        headers.append(part_header)
    header = {
        **field.header,
        **common_header(field),
        "kind": KIND.name,
        "parts": headers,
        "placements": [placement.matrix.tolist() for _, placement in field.pairs()],
    }
    return tensors, header


def merged_field_from_state(tensors: dict[str, Tensor], header: dict[str, Any]) -> MergedField:
    """Return the field of a state: the inverse of `merged_field_state`."""
    parts = [
        field_from_state(under(tensors, f"parts.{i}."), part_header)
        for i, part_header in enumerate(header["parts"])
    ]
    placements = [Placement(np.array(matrix, np.float64)) for matrix in header["placements"]]
    field = MergedField(parts, placements, occupancy_from_state(tensors, header))
    if "provenance" in header:
        field.header["provenance"] = header["provenance"]
    return field


KIND = FieldKind("merged_field", MergedField, merged_field_state, merged_field_from_state)
