"""Sizes of an architecture that fit a file of a given size."""

import copy
from collections.abc import Callable
from typing import Any

from ..errors import UserError
from .radiance_field import RadianceField
from .registry import RADIANCE_FIELDS
from .storage import stored_bytes

FRACTIONS = tuple(0.8**i for i in range(40))
"""Fractions of a preset's parameters that are tried, largest first."""


def fit(
    spec: dict[str, Any], max_bytes: int, make: Callable[[dict[str, Any]], RadianceField]
) -> dict[str, Any]:
    """Return the largest sizes, at most those of an architecture, whose field file is small enough.

    Parameters
    ----------
    spec : dict
        From `pvd_engine.fields.architectures.architecture`.
    max_bytes : int
    make : callable
        spec -> new field whose occupancy is known, so that sparse grids have their final size.

    Raises
    ------
    UserError
        When even the smallest sizes make a larger file.
    """
    smallest, tried = 0, None
    for fraction in FRACTIONS:
        candidate = scaled(spec, fraction)
        if candidate == tried:  # sizes go in steps, so that near fractions often give the same
            continue
        tried = candidate
        field = make(candidate)
        field.refine(1.0)
        smallest = stored_bytes(field)
        if smallest <= max_bytes:
            return candidate
    raise UserError(
        f"'{spec['name']}' cannot be made smaller than {smallest / 1e6:.1f} MB here, "
        f"so {max_bytes / 1e6:.1f} MB is too small; give a larger size."
    )


def scaled(spec: dict[str, Any], fraction: float) -> dict[str, Any]:
    """Return an architecture with about `fraction` of its parameters, block 2 as it is."""
    spec = copy.deepcopy(spec)
    encoder = spec["encoder"]
    for part in encoder.get("parts", [encoder]):
        part.update(RADIANCE_FIELDS[part["type"]].scaled(part, fraction))
    return spec
