"""Field files: one ``.safetensors`` file holds all that is needed to render a field.

The tensors are the field's parameters and its occupancy bits (``occupancy.bits``, packed eight to
a byte). The JSON header stands in the safetensors metadata under ``pvd_field``:

====================  ====================================================================
``format``            ``"pvd-field"``, with ``version``
``kind``              ``"radiance_field"``, ``"edited_field"``, ``"merged_field"`` or
                      ``"light_field"``
``architecture``      name, preset, encoder and decoder with their sizes; of a merged field the
                      names of its parts
``box``               (2, 3) corners of the scene, dataset frame
``frame``             the kind of the map of space and what makes it beside the box; without it, and
                      in files from before there were others, that of a bounded scene
``step``              ray-marching step, dataset units; not of a light field
``reach``             of a light field: from where it was taught (`Reach`)
``occupancy``         cells along each axis
``units``             of density: ``"extinction per dataset unit"``; not of a light field
``color_space``       ``"srgb"``
``provenance``        dataset, parents by content hash, edits, settings, seed, metrics
====================  ====================================================================
"""

import hashlib
import math
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor

from ..errors import UserError
from ..files.atomic import write_atomic
from ..space.maps import make_map
from ..space.occupancy import OccupancyGrid
from ..space.space_map import BoxMap, SpaceMap
from .base import Field
from .header import encode_header, opened
from .light_field import AnyField, LightField, Reach
from .radiance_field import RadianceField

HEADER_BYTES = 4096
"""What the header of a field file takes, as a rule less."""

MAX_NESTING = 16
"""Fields within a field: merged of edited of merged, and so on."""


_HEADER_FAULTS = (AttributeError, LookupError, TypeError, ValueError, ArithmeticError, RuntimeError)
"""What making a field raises whose header holds anything other than it should."""


def content_hash(path: Path) -> str:
    """SHA-256 of a file's bytes, by which provenance names parents."""
    with path.open("rb") as file:
        return "sha256:" + hashlib.file_digest(file, "sha256").hexdigest()


def radiance_field_state(field: RadianceField) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Tensors and header of a radiance field, as its file holds them."""
    tensors = {
        name: tensor.detach().cpu().contiguous()
        for name, tensor in field.state_dict().items()
        if not name.startswith("occupancy.")
    }
    tensors["occupancy.bits"] = occupancy_bits(field.occupancy)
    return tensors, {**field.header, **common_header(field), "kind": "radiance_field"}


def radiance_field_from_state(tensors: dict[str, Tensor], header: dict[str, Any]) -> RadianceField:
    """The inverse of `radiance_field_state`."""
    occupancy = occupancy_from_state(tensors, header)
    field = RadianceField(header["architecture"], occupancy, marching_step(header))
    parameters = {k: v for k, v in tensors.items() if k != "occupancy.bits"}
    parameters |= {f"occupancy.{k}": v for k, v in occupancy.state_dict().items()}
    field.load_state_dict(parameters)
    field.header = described(header)
    return field


def light_field_state(field: LightField) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Tensors and header of a light field, as its file holds them."""
    tensors = {name: tensor.detach().cpu() for name, tensor in field.named_parameters()}
    tensors["occupancy.bits"] = occupancy_bits(field.occupancy)
    header = {
        "kind": "light_field",
        **map_header(field.occupancy.space),
        "occupancy": field.occupancy.resolution,
        "reach": field.reach.to_json(),
    }
    return tensors, {**field.header, **header}


def light_field_from_state(tensors: dict[str, Tensor], header: dict[str, Any]) -> LightField:
    """The inverse of `light_field_state`."""
    occupancy = occupancy_from_state(tensors, header)
    field = LightField(header["architecture"], occupancy, Reach(**header["reach"]))
    parameters = {k: v for k, v in tensors.items() if k != "occupancy.bits"}
    parameters |= {f"occupancy.{k}": v for k, v in occupancy.state_dict().items()}
    field.load_state_dict(parameters)
    field.header = described(header)
    return field


def described(header: dict[str, Any]) -> dict[str, Any]:
    """Of a file's header, what the field itself holds as its header."""
    return {k: header[k] for k in ("architecture", "color_space", "provenance") if k in header}


def map_header(space: SpaceMap) -> dict[str, Any]:
    """What a header says of the map of space, its box among it."""
    return {"box": space.box.double().cpu().tolist(), "frame": space.to_json()}


def map_from_header(header: dict[str, Any]) -> SpaceMap:
    """The inverse of `map_header`.

    Raises
    ------
    KeyError, TypeError, ValueError
        The box has no volume, or the frame is none.
    """
    box = torch.tensor(header["box"], dtype=torch.float32)
    if box.shape != (2, 3) or not torch.isfinite(box).all() or not (box[0] < box[1]).all():
        raise ValueError("the box has no volume")
    return make_map(header.get("frame", {"kind": BoxMap.kind}), box)


def common_header(field: Field) -> dict[str, Any]:
    """What the header of every kind of field says of its box."""
    return {
        **map_header(field.space),
        "step": field.step,
        "occupancy": field.occupancy.resolution,
        "units": "extinction per dataset unit",
    }


def marching_step(header: dict[str, Any]) -> float:
    """A field's ray-marching step; raises ValueError where no ray would end with it."""
    step = float(header["step"])
    if not 0 < step < math.inf:
        raise ValueError("the step must be above zero")
    return step


def occupancy_bits(occupancy: OccupancyGrid) -> Tensor:
    """Which cells are occupied, eight to a byte: (ceil(R^3 / 8),) uint8."""
    return torch.from_numpy(np.packbits(occupancy.binary.cpu().numpy().reshape(-1)))


def occupancy_from_state(tensors: dict[str, Tensor], header: dict[str, Any]) -> OccupancyGrid:
    """The occupancy grid that a field's ``occupancy.bits`` and header describe.

    Raises
    ------
    ValueError
        There is no such map of space, or the bits are not as many as the header says; nothing of
        that many is allocated then.
    """
    resolution, packed = int(header["occupancy"]), tensors["occupancy.bits"]
    if resolution < 1 or packed.shape != (-(-(resolution**3) // 8),):
        raise ValueError("the occupancy grid has another size")
    occupancy = OccupancyGrid(map_from_header(header), resolution)
    bits = np.unpackbits(packed.numpy(), count=resolution**3)
    occupancy.binary.copy_(torch.from_numpy(bits).view((resolution,) * 3))
    occupancy.values.copy_(occupancy.binary)
    return occupancy


def field_state(field: AnyField) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Tensors and header of a field of any kind, as its file holds them."""
    from ..edit.edited_field import EditedField, edited_field_state
    from ..edit.merged_field import MergedField, merged_field_state

    if isinstance(field, EditedField):
        return edited_field_state(field)
    if isinstance(field, MergedField):
        return merged_field_state(field)
    if isinstance(field, RadianceField):
        return radiance_field_state(field)
    if isinstance(field, LightField):
        return light_field_state(field)
    raise TypeError(f"{type(field).__name__} has no file form")


def field_from_state(tensors: dict[str, Tensor], header: dict[str, Any]) -> Field:
    """The inverse of `field_state`, for fields that have density.

    Raises
    ------
    KeyError, TypeError, ValueError, RuntimeError
        When the tensors do not fit the header.
    """
    from ..edit.edited_field import edited_field_from_state
    from ..edit.merged_field import merged_field_from_state

    if header["kind"] == "edited_field":
        return edited_field_from_state(tensors, header)
    if header["kind"] == "merged_field":
        return merged_field_from_state(tensors, header)
    return radiance_field_from_state(tensors, header)


def under(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The tensors whose names begin with a prefix, named without it."""
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}


def check_nesting(header: dict[str, Any], deepest: int = MAX_NESTING) -> None:
    """Raise `UserError` when a header holds fields within fields, more than so many deep."""
    if deepest < 0:
        raise UserError(
            f"A field file can hold fields within fields {MAX_NESTING} deep, not more;"
            " convert the inner ones first."
        )
    for inner in (header.get("base"), *(header.get("parts") or ())):
        if inner is not None:
            check_nesting(inner, deepest - 1)


def stored_bytes(field: Field) -> int:
    """About the size of a field's file: its tensors and a header of ordinary length."""
    tensors, _ = field_state(field)
    return sum(tensor.nbytes for tensor in tensors.values()) + HEADER_BYTES


def save_field(path: Path, field: AnyField) -> None:
    """Write a field file, whole or not at all.

    Parameters
    ----------
    path : Path
        Ends in ``.safetensors``.
    field : AnyField

    Raises
    ------
    UserError
        For fields within fields, deeper than `MAX_NESTING`: the file could not be read again.
    """
    tensors, header = field_state(field)
    check_nesting(header)
    metadata = encode_header(header)
    write_atomic(path, lambda temporary: save_file(tensors, temporary, metadata=metadata))


def load_any_field(path: Path, device: torch.device | str = "cpu") -> AnyField:
    """Read a field file of any kind, to be rendered.

    Raises
    ------
    UserError
        When the file does not exist, is no field file, its tensors do not fit its header, or it
        holds fields within fields without end.
    """
    with opened(path, "pt") as (header, file):
        tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    try:
        check_nesting(header)
        is_light = header["kind"] == "light_field"
        make = light_field_from_state if is_light else field_from_state
        field = make(tensors, header)
    except _HEADER_FAULTS as error:
        raise UserError(
            f"'{path}' is a damaged field file: its tensors do not fit its header."
        ) from error
    return field.to(device).eval()


def load_field(path: Path, device: torch.device | str = "cpu") -> Field:
    """Read a file of a field that has density.

    Raises
    ------
    UserError
        As `load_any_field`, and for a light field.
    """
    field = load_any_field(path, device)
    if isinstance(field, LightField):
        raise UserError(
            f"'{path}' is a light field, which has no density: it can be rendered, measured and "
            "exported, but not edited, merged, converted or made a volume; take its teacher."
        )
    return field
