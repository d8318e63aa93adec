"""Engine frames by the kind of scene that they are for."""

from typing import Any

import torch
from torch import Tensor

from .contracted_frame import ContractedFrame
from .engine_frame import BoxFrame, EngineFrame
from .ndc_frame import NdcFrame


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
        reference, tangents = torch.tensor(form["reference"]), torch.tensor(form["tangents"])
        return NdcFrame(box, reference, tangents, float(form["near"]))
    raise ValueError(f"no engine frame is called {kind!r}")
