"""Block 1: points -> features, one encoder a file."""

from typing import Any

from .base import Encoder
from .hash import HashEncoder
from .mlp import MlpEncoder
from .sparse_tensor import SparseTensorEncoder

ENCODERS: dict[str, type[Encoder]] = {
    "hash": HashEncoder,
    "mlp": MlpEncoder,
    "sparse_tensor": SparseTensorEncoder,
}


def make_encoder(spec: dict[str, Any], width: int) -> Encoder:
    """Build an encoder of `width` features from its description, ``{"type": ..., **sizes}``."""
    sizes = {key: value for key, value in spec.items() if key != "type"}
    return ENCODERS[spec["type"]](width=width, **sizes)


__all__ = ["ENCODERS", "Encoder", "make_encoder"]
