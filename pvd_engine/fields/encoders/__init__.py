"""Block 1: points -> features, one encoder a file."""

from typing import Any

from .base import Encoder
from .composition import CompositionEncoder
from .cp import CpEncoder
from .hash import HashEncoder
from .mlp import MlpEncoder
from .sparse_tensor import SparseTensorEncoder
from .vm import VmEncoder

ENCODERS: dict[str, type[Encoder]] = {
    "hash": HashEncoder,
    "mlp": MlpEncoder,
    "sparse_tensor": SparseTensorEncoder,
    "vm": VmEncoder,
    "cp": CpEncoder,
}


def make_encoder(spec: dict[str, Any], width: int) -> Encoder:
    """Build an encoder of `width` features from its description.

    Parameters
    ----------
    spec : dict
        ``{"type": ..., **sizes}``, or ``{"type": "composition", "parts": [descriptions]}``.
    width : int
    """
    if spec["type"] == "composition":
        return CompositionEncoder([make_encoder(part, width) for part in spec["parts"]])
    sizes = {key: value for key, value in spec.items() if key != "type"}
    return ENCODERS[spec["type"]](width=width, **sizes)


__all__ = ["ENCODERS", "Encoder", "make_encoder"]
