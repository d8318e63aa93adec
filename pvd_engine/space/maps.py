"""Maps of space by their kind of scene."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from .contracted_map import ContractedMap
from .ndc_map import NdcMap
from .space_map import BoxMap, SpaceMap

LEAST, MOST = 1e-9, 1e9
"""Bounds of the numbers of an origin and a reference camera, which float32 can square."""


def map_around(form: dict[str, Any], box: np.ndarray, origin: np.ndarray) -> SpaceMap:
    """Return the map of a scene whose positions are counted from an origin.

    Parameters
    ----------
    form : dict
        A scene's `form`, dataset frame.
    box : (2, 3) float64 array
        Dataset frame.
    origin : (3,) float64 array
        Dataset frame.
    """
    form = form | {"origin": origin.tolist()}
    if "reference" in form:
        reference = np.array(form["reference"], np.float64)
        reference[:3, 3] -= origin
        form["reference"] = reference.tolist()
    return make_map(form, torch.from_numpy(box - origin))


def make_map(form: dict[str, Any], box: Tensor) -> SpaceMap:
    """Return the map that `SpaceMap.to_json` describes, over a box (2, 3) from the map's origin.

    Raises
    ------
    KeyError, TypeError, ValueError
        The description is not of a map.
    """
    kind = form["kind"]
    origin = origin_of(form)
    if kind == BoxMap.kind:
        return BoxMap(box, origin)
    if kind == ContractedMap.kind:
        return ContractedMap(box, origin)
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
        return NdcMap(box, reference, tangents, near, origin)
    raise ValueError(f"no map of space is called {kind!r}")


def origin_of(form: dict[str, Any]) -> np.ndarray:
    """Return the origin that `SpaceMap.to_json` names, (3,) float64; zero without one.

    Raises
    ------
    TypeError, ValueError
        It is no position.
    """
    origin = np.array(form.get("origin", (0.0, 0.0, 0.0)), np.float64)
    if origin.shape != (3,) or not (np.abs(origin) <= MOST).all():
        raise ValueError("the origin is no position")
    return origin
