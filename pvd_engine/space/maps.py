"""Maps of space by their kind of scene."""

from typing import Any

import torch
from torch import Tensor

from .contracted_map import ContractedMap
from .ndc_map import NdcMap
from .space_map import BoxMap, SpaceMap

LEAST, MOST = 1e-9, 1e9
"""Bounds of the numbers of a reference camera, which float32 can square."""


def make_map(form: dict[str, Any], box: Tensor) -> SpaceMap:
    """Return the map that `SpaceMap.to_json` describes, over a box (2, 3), dataset frame.

    Raises
    ------
    KeyError, TypeError, ValueError
        The description is not of a map.
    """
    kind = form["kind"]
    if kind == BoxMap.kind:
        return BoxMap(box)
    if kind == ContractedMap.kind:
        return ContractedMap(box)
    if kind == NdcMap.kind:
        reference = torch.tensor(form["reference"], dtype=torch.float64)
        tangents = torch.tensor(form["tangents"], dtype=torch.float64)
        near = float(form["near"])
        turn = reference[:3, :3]
        if reference.shape != (4, 4) or not torch.allclose(turn @ turn.T, torch.eye(3).double()):
            raise ValueError("the pose of the reference camera is not a rigid motion")
        numbers = torch.cat((tangents.view(-1), torch.tensor([near]).double()))
        if tangents.shape != (2,) or not ((numbers > LEAST) & (numbers < MOST)).all():
            raise ValueError("the reference camera sees nothing")
        if not (reference[:3, 3].abs() < MOST).all():
            raise ValueError("the reference camera stands too far away")
        return NdcMap(box, reference, tangents, near)
    raise ValueError(f"no map of space is called {kind!r}")
