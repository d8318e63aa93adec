"""Edits back from a field file: a description in the header and the tensors it names."""

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .edit_list import DUPLICATE, MOVE, OPERATIONS, SCALE_DENSITY, TINT, Edit
from .mesh_region import MeshRegion
from .placement import Placement
from .regions import (
    BoxRegion,
    GridRegion,
    Region,
    SphereRegion,
    TransformedBoxRegion,
    checked_factors,
)


def edit_from_state(entry: dict[str, Any], tensors: dict[str, Tensor]) -> Edit:
    """Return the edit whose `description` and region's `tensors` these are.

    Raises
    ------
    KeyError, ValueError
        When they are not those of an edit.
    """
    if entry["op"] not in OPERATIONS:
        raise ValueError(f"unknown operation '{entry['op']}'")
    to, color = entry.get("to"), entry.get("color")
    factors = {
        name: float(checked_factors(entry[name], name, ()))
        for name in ("soft", "factor")
        if name in entry
    }
    needed = {MOVE: "to", DUPLICATE: "to", SCALE_DENSITY: "factor", TINT: "color"}
    if entry.get(needed.get(entry["op"], "op")) is None:
        raise ValueError(f"a {entry['op']} without '{needed[entry['op']]}'")
    tint = None if color is None else checked_factors(color, "color", (3,))
    return Edit(
        entry["op"],
        region_from_state(entry["region"], tensors),
        soft=factors.get("soft", 0.0),
        to=None if to is None else Placement(np.array(to, np.float64)),
        factor=factors.get("factor"),
        color=None if tint is None else (float(tint[0]), float(tint[1]), float(tint[2])),
        id=entry.get("id"),
    )


def region_from_state(description: dict[str, Any], tensors: dict[str, Tensor]) -> Region:
    """Return the region whose `description` and `tensors` these are.

    Raises
    ------
    KeyError, ValueError
        When they are not those of a region.
    """
    ((kind, value),) = description.items()
    if kind == "box" and "matrix" in value:
        return TransformedBoxRegion(np.array(value["matrix"], np.float64))
    if kind == "box":
        return BoxRegion(np.array(value["min"]), np.array(value["max"]))
    if kind == "sphere":
        return SphereRegion(np.array(value["center"]), value["radius"])
    if kind == "mesh":
        return MeshRegion(tensors["vertices"].numpy(), tensors["triangles"].numpy())
    if kind == "grid":
        shape, packed = tuple(value["shape"]), tensors["filled"]
        cells = math.prod(shape)
        if packed.dtype != torch.uint8 or packed.shape != (-(-cells // 8),):
            raise ValueError("the grid has another size than its cells")
        bits = np.unpackbits(packed.numpy(), count=cells)
        return GridRegion(bits.reshape(shape).astype(bool), np.array(value["box"]), value["source"])
    raise ValueError(f"unknown region '{kind}'")
