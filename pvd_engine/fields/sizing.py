"""Sizes of an architecture that fit a file of a given size."""

import copy
from collections.abc import Callable
from typing import Any

from ..errors import UserError
from .radiance_field import RadianceField
from .storage import stored_bytes

LADDER = tuple(0.8**i for i in range(40))
"""Shares of a preset's parameters that are tried, largest first."""


def fit(
    spec: dict[str, Any], max_bytes: int, make: Callable[[dict[str, Any]], RadianceField]
) -> dict[str, Any]:
    """The largest sizes, at most those of an architecture, whose field file is small enough.

    Parameters
    ----------
    spec : dict
        From `pvd_engine.fields.architectures.architecture`.
    max_bytes : int
    make : callable
        spec -> new field whose occupancy is known, so that sparse grids are as large as they will
        be.

    Raises
    ------
    UserError
        When even the smallest sizes make a larger file.
    """
    smallest, tried = 0, None
    for share in LADDER:
        candidate = scaled(spec, share)
        if candidate == tried:  # sizes go in steps, so that near shares are often the same
            continue
        tried = candidate
        field = make(candidate)
        field.refine(1.0)
        smallest = stored_bytes(field)
        if smallest <= max_bytes:
            return candidate
    raise UserError(
        f"'{spec['name']}' cannot be made smaller than {smallest / 1e6:.1f} MB here, "
        f"so {max_bytes / 1e6:.1f} MB is too little; give more."
    )


def scaled(spec: dict[str, Any], share: float) -> dict[str, Any]:
    """An architecture with about `share` of its parameters, block 2 as it is."""
    spec = copy.deepcopy(spec)
    encoder = spec["encoder"]
    for part in encoder.get("parts", [encoder]):
        part.update(_SCALES[part["type"]](part, share))
    return spec


def _hash(encoder: dict[str, Any], share: float) -> dict[str, Any]:
    """Smaller tables, to a power of two."""
    entries = (1 << encoder["log2_table_size"]) * share
    return {"log2_table_size": max(int(entries).bit_length() - 1, 8)}


def _mlp(encoder: dict[str, Any], share: float) -> dict[str, Any]:
    """Narrower layers, in steps of 16."""
    return {"hidden": max(round(encoder["hidden"] * share**0.5 / 16) * 16, 16)}


def _sparse_tensor(encoder: dict[str, Any], share: float) -> dict[str, Any]:
    """Coarser; occupied voxels lie along surfaces, so they grow with the resolution's square."""
    return {"resolution": max(round(encoder["resolution"] * share**0.5), 8)}


def _factors(encoder: dict[str, Any], share: float) -> dict[str, Any]:
    """Coarser and of lower rank alike."""
    return {
        "resolution": max(round(encoder["resolution"] * share ** (1 / 3)), 8),
        "density_rank": max(round(encoder["density_rank"] * share ** (1 / 3)), 1),
        "color_rank": max(round(encoder["color_rank"] * share ** (1 / 3)), 1),
    }


_SCALES: dict[str, Callable[[dict[str, Any], float], dict[str, Any]]] = {
    "hash": _hash,
    "mlp": _mlp,
    "sparse_tensor": _sparse_tensor,
    "vm": _factors,
    "cp": _factors,
}
