"""The state of a field: the tensors and the header that its file holds, for each kind of field.

`storage` describes the header. A kind of field is registered with the two functions that make
its state and a field from its state; a field that holds other fields calls `field_state` and
`field_from_state` for them.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..space.maps import make_map, origin_of
from ..space.occupancy import OccupancyGrid
from ..space.space_map import BoxMap, SpaceMap
from .base import Field, Renderable

State = tuple[dict[str, Tensor], dict[str, Any]]
"""Tensors by name, and the header."""


class UnknownKindError(Exception):
    """A header names a kind of field that is not registered."""


@dataclass(frozen=True)
class FieldKind:
    """A kind of field that field files can hold.

    Attributes
    ----------
    name : str
        ``kind`` in the header.
    type : type
        Class of the fields.
    state : callable
        field -> tensors, header; the header has ``kind``.
    from_state : callable
        (tensors, header) -> field, the inverse; raises one of `STATE_FAULTS` where they do not fit.
    """

    name: str
    type: type[Renderable]
    state: Callable[[Any], State]
    from_state: Callable[[dict[str, Tensor], dict[str, Any]], Renderable]


STATE_FAULTS = (AttributeError, LookupError, TypeError, ValueError, ArithmeticError, RuntimeError)
"""Errors that a wrong header raises when a field is made from it."""

_KINDS: dict[str, FieldKind] = {}


def register_kind(kind: FieldKind) -> None:
    """Let field files hold another kind of field.

    Raises
    ------
    ValueError
        The name is taken.
    """
    if kind.name in _KINDS:
        raise ValueError(f"a kind of field called '{kind.name}' is registered already")
    _KINDS[kind.name] = kind


def field_state(field: Renderable) -> State:
    """Return tensors and header of a field of any kind, as its file holds them.

    Raises
    ------
    TypeError
        Fields of this class have no file form.
    """
    kind = next((kind for kind in _KINDS.values() if kind.type is type(field)), None)
    if kind is None:
        raise TypeError(f"{type(field).__name__} has no file form")
    return kind.state(field)


def any_field_from_state(tensors: dict[str, Tensor], header: dict[str, Any]) -> Renderable:
    """Return a field of any kind; the inverse of `field_state`.

    Raises
    ------
    UnknownKindError
        No such kind of field is registered.
    KeyError, TypeError, ValueError, RuntimeError
        When the tensors do not fit the header.
    """
    name = header["kind"]
    if name not in _KINDS:
        raise UnknownKindError(f"{name!r:.60}")
    return _KINDS[name].from_state(tensors, header)


def field_from_state(tensors: dict[str, Tensor], header: dict[str, Any]) -> Field:
    """Return a field that has density; otherwise as `any_field_from_state`.

    Raises
    ------
    ValueError
        The field has no density.
    """
    field = any_field_from_state(tensors, header).with_density()
    if field is None:
        raise ValueError("the field has no density")
    return field


def restore(field: Renderable, tensors: dict[str, Tensor], header: dict[str, Any]) -> None:
    """Put a file's parameters and header into a field that was made within `without_memory`.

    Raises
    ------
    ValueError, RuntimeError
        The tensors have other names, types or shapes than the field's, or hold values that are not
        finite; the checks come before anything is allocated.
    """
    parameters = {k: v for k, v in tensors.items() if k != "occupancy.bits"}
    for name, own in field.state_dict().items():
        stored = parameters.get(name)
        if stored is not None and stored.dtype != own.dtype:
            raise ValueError(f"{name} holds numbers of another type")
        if stored is not None and stored.is_floating_point() and not stored.isfinite().all():
            raise ValueError(f"{name} holds numbers that are not finite")
    occupancy = {f"occupancy.{k}": v for k, v in field.occupancy.state_dict().items()}
    # The file's tensors are views of it; the field must not change with it.
    own = {name: stored.clone() for name, stored in parameters.items()}
    field.load_state_dict(own | occupancy, assign=True)
    kept = ("architecture", "color_space", "provenance")
    field.header = {key: header[key] for key in kept if key in header}


@contextmanager
def without_memory() -> Iterator[None]:
    """Make modules without memory for their parameters, which `restore` puts in."""
    with torch.device("meta"):
        yield


def map_header(space: SpaceMap) -> dict[str, Any]:
    """Return the header's entries on the map of space, the box among them (dataset frame)."""
    return {"box": space.dataset_box().tolist(), "frame": space.to_json()}


def map_from_header(header: dict[str, Any]) -> SpaceMap:
    """Return the map of space; the inverse of `map_header`.

    Raises
    ------
    KeyError, TypeError, ValueError
        The box has no volume, or the frame describes no map of space.
    """
    form = header.get("frame", {"kind": BoxMap.kind})
    corners = torch.tensor(header["box"], dtype=torch.float64)
    box = (corners - torch.from_numpy(origin_of(form))).float()
    if box.shape != (2, 3) or not torch.isfinite(box).all() or not (box[0] < box[1]).all():
        raise ValueError("the box has no volume")
    return make_map(form, box)


def common_header(field: Field) -> dict[str, Any]:
    """Return the entries on space and marching in the header of every field with density."""
    return {
        **map_header(field.space),
        "step": field.step,
        "occupancy": field.occupancy.resolution,
        "units": "extinction per dataset unit",
    }


def occupancy_bits(occupancy: OccupancyGrid) -> Tensor:
    """Return whether each cell is occupied, as bits: (ceil(R^3 / 8),) uint8."""
    return torch.from_numpy(np.packbits(occupancy.binary.cpu().numpy().reshape(-1)))


def occupancy_from_state(tensors: dict[str, Tensor], header: dict[str, Any]) -> OccupancyGrid:
    """Return the occupancy grid that a field's ``occupancy.bits`` and header describe.

    Raises
    ------
    ValueError
        There is no such map of space, or the number of bits differs from the header's; the check
        comes before the grid is allocated.
    """
    resolution, packed = header["occupancy"], tensors["occupancy.bits"]
    if packed.dtype != torch.uint8 or packed.shape != (-(-(resolution**3) // 8),):
        raise ValueError("the occupancy grid has another size")
    occupancy = OccupancyGrid(map_from_header(header), resolution)
    bits = np.unpackbits(packed.numpy(), count=resolution**3)
    occupancy.binary.copy_(torch.from_numpy(bits).view((resolution,) * 3))
    occupancy.values.copy_(occupancy.binary)
    return occupancy


def under(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Return the tensors whose names begin with a prefix, named without it."""
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
