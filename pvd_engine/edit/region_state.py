"""Regions back from a field file: a description in the header and the tensors it names."""

from typing import Any

import numpy as np
from torch import Tensor

from .mesh_region import MeshRegion
from .regions import BoxRegion, GridRegion, Region, SphereRegion, TransformedBoxRegion


def region_from_state(description: dict[str, Any], tensors: dict[str, Tensor]) -> Region:
    """The region whose `description` and `tensors` these are.

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
        shape = tuple(int(size) for size in value["shape"])
        bits = np.unpackbits(tensors["filled"].numpy(), count=int(np.prod(shape)))
        return GridRegion(bits.reshape(shape).astype(bool), np.array(value["box"]), value["source"])
    raise ValueError(f"unknown region '{kind}'")
