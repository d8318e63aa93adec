"""Encoders from their descriptions."""

from typing import Any

from ..registry import RADIANCE_FIELDS
from .base import Encoder
from .composition import CompositionEncoder


def make_encoder(spec: dict[str, Any], width: int) -> Encoder:
    """Build an encoder of `width` features from its description.

    Parameters
    ----------
    spec : dict
        ``{"type": ..., **sizes}``, or ``{"type": "composition", "parts": [descriptions]}``.
    width : int

    Raises
    ------
    KeyError, TypeError
        There is no such encoder, or it has other sizes.
    """
    if spec["type"] == "composition":
        return CompositionEncoder([make_encoder(part, width) for part in spec["parts"]])
    sizes = {key: value for key, value in spec.items() if key != "type"}
    return RADIANCE_FIELDS[spec["type"]].encoder(width=width, **sizes)
