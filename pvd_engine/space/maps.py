"""Engine frames by the kind of scene that they are for."""

import math
from typing import Any

import torch
from torch import Tensor

from .contracted_map import ContractedFrame
from .ndc_map import NdcFrame
from .space_map import BoxFrame, EngineFrame


def make_frame(form: dict[str, Any], box: Tensor) -> EngineFrame:
    """The engine frame that `EngineFrame.to_json` describes, over a box (2, 3), dataset frame.

    Raises
    ------
    KeyError, TypeError, ValueError
        The description is of no frame.
    """
    kind = form["kind"]
    if kind == BoxFrame.kind:
        return BoxFrame(box)
    if kind == ContractedFrame.kind:
        return ContractedFrame(box)
    if kind == NdcFrame.kind:
        reference = torch.tensor(form["reference"], dtype=torch.float64)
        tangents = torch.tensor(form["tangents"], dtype=torch.float64)
        near = float(form["near"])
        turn = reference[:3, :3]
        if reference.shape != (4, 4) or not torch.allclose(turn @ turn.T, torch.eye(3).double()):
            raise ValueError("the reference camera is not placed by a rigid motion")
        if tangents.shape != (2,) or not (tangents > 0).all() or not 0 < near < math.inf:
            raise ValueError("the reference camera sees nothing")
        return NdcFrame(box, reference, tangents, near)
    raise ValueError(f"no engine frame is called {kind!r}")
