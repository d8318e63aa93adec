"""Sizes of an architecture that fit a file of a given size."""

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..errors import UserError
from ..space.space_map import SpaceMap
from .architectures import splat_field
from .radiance_field import RadianceField
from .registry import CLOUDS, GAUSSIANS, RADIANCE_FIELDS
from .splats import blank_splats
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


@dataclass(frozen=True)
class SplatSizes:
    """Sizes of a field of splats.

    Attributes
    ----------
    preset : str
        ``"small"`` or ``"full"``: how finely rays are marched through the volume.
    count : int
        Most splats.
    degree : int
        Degree of the harmonics of their colours.
    """

    preset: str
    count: int
    degree: int


def splat_sizes(
    preset: str, space: SpaceMap, count: int | None = None, max_bytes: int | None = None
) -> SplatSizes:
    """Return the sizes of a field of splats.

    Parameters
    ----------
    preset : str
        One of the architecture's presets.
    space : SpaceMap
    count : int, optional
        Number of splats instead of the preset's.
    max_bytes : int, optional
        Most bytes of the field's file; fewer splats fit into it.

    Raises
    ------
    UserError
        For a preset that does not exist, or a file that has no room for a splat.
    """
    presets = CLOUDS[GAUSSIANS].presets
    if preset not in presets:
        raise UserError(f"No preset is called '{preset}'; choose small or full.")
    sizes = presets[preset]
    most, degree = count or sizes["splats"], sizes["degree"]
    if max_bytes is not None:
        # Parameters are stored as they are: one number for each of a splat's.
        none, one = (
            stored_bytes(splat_field(blank_splats(n, degree), space, preset)) for n in (0, 1)
        )
        fitting = (max_bytes - none) // (one - none)
        if fitting < 1:
            raise UserError(
                f"A file of {max_bytes / 1e6:.1f} MB has no room for splats; give a larger size."
            )
        most = min(most, fitting)
    return SplatSizes(preset, most, degree)
