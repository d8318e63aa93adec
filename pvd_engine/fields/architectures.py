"""Descriptions of architectures, as field files hold them, and new fields made from these."""

from typing import Any

import torch

from ..errors import UserError
from ..space.occupancy import OccupancyGrid
from ..space.space_map import SpaceMap
from .gaussians import RULES, GaussianField
from .point_encodings import RAY_ENCODINGS
from .radiance_field import RadianceField
from .registry import CLOUDS, GAUSSIANS, LIGHT_FIELD, RADIANCE_FIELDS, TARGETS_ONLY
from .splats import Splats

DECODERS: dict[str, dict[str, Any]] = {
    "mlp": {"type": "mlp"},
    "sh": {"type": "sh", "degree": 2},
    "sh3": {"type": "sh", "degree": 3},
}
"""Decoders by the names that choose them instead of an architecture's own."""

MAX_PARTS = 4
"""Most architectures that can be joined into one."""

OCCUPANCY_RESOLUTION = {"full": 128, "small": 128}
"""Cells along each axis of the occupancy grid, by preset."""

STEPS_ACROSS = {"full": 1024, "small": 288}
"""Ray-marching steps along the diagonal of a bounded scene's cube, by preset."""


def default_preset(device: torch.device) -> str:
    """Return ``"small"`` for a CPU, ``"full"`` for a GPU."""
    return "small" if device.type == "cpu" else "full"


def architecture(name: str, preset: str, decoder: str | None = None) -> dict[str, Any]:
    """Return the JSON description of an architecture.

    Parameters
    ----------
    name : str
        One of `RADIANCE_FIELDS`, or several of them joined: ``"hash+vm"``.
    preset : str
        ``"small"`` or ``"full"``.
    decoder : str, optional
        One of `DECODERS` instead of the architecture's own.

    Returns
    -------
    dict
        ``name``, ``preset``, ``encoder`` and ``decoder`` with their sizes. A composition has the
        decoder of its first part.

    Raises
    ------
    UserError
        For a name, preset or decoder that does not exist.
    """
    parts = name.split("+")
    unknown = next((part for part in parts if part not in RADIANCE_FIELDS), None)
    if unknown in (*CLOUDS, *TARGETS_ONLY):
        raise UserError(f"'{unknown}' cannot be part of '{name}'; it stands alone.")
    if unknown is not None:
        raise UserError(
            f"No architecture is called '{unknown}'; choose one of {', '.join(RADIANCE_FIELDS)}, "
            f"or several joined by +, or {', '.join(CLOUDS)}."
        )
    if len(parts) > MAX_PARTS:
        raise UserError(f"'{name}' has {len(parts)} parts; join {MAX_PARTS} at most.")
    records = [RADIANCE_FIELDS[part] for part in parts]
    if not all(preset in record.presets for record in records):
        raise UserError(f"No preset is called '{preset}'; choose small or full.")
    if decoder is not None and decoder not in DECODERS:
        raise UserError(f"No decoder is called '{decoder}'; choose one of {', '.join(DECODERS)}.")
    encoders = [
        {"type": part, **record.presets[preset]}
        for part, record in zip(parts, records, strict=True)
    ]
    composed = {"type": "composition", "parts": encoders}
    return {
        "name": name,
        "preset": preset,
        "encoder": encoders[0] if len(encoders) == 1 else composed,
        "decoder": dict(DECODERS[decoder or records[0].decoder]),
    }


def light_field(
    preset: str, points: int, interval: str, skip_empty: bool, encoding: str | None = None
) -> dict[str, Any]:
    """Return the JSON description of a light field, as `LightField` takes it.

    Parameters
    ----------
    preset : str
        One of the light field's presets.
    points : int
        Number of points along each ray.
    interval : str
        ``"visible"``, ``"occupied"``, ``"box"`` or ``"fixed"``.
    skip_empty : bool
    encoding : str, optional
        One of `RAY_ENCODINGS` instead of the preset's own.
    """
    sizes = TARGETS_ONLY[LIGHT_FIELD].presets[preset]
    return {
        "name": LIGHT_FIELD,
        "preset": preset,
        "network": dict(sizes["network"]),
        "ray": {
            "points": points,
            "encoding": dict(RAY_ENCODINGS[encoding or sizes["encoding"]]),
            "interval": interval,
            "skip_empty": skip_empty,
        },
    }


def make_field(
    spec: dict[str, Any], space: SpaceMap, occupancy: OccupancyGrid | None = None
) -> RadianceField:
    """Return a new field with random parameters.

    Parameters
    ----------
    spec : dict
        From `architecture`.
    space : SpaceMap
    occupancy : OccupancyGrid, optional
        A grid in the same map of space; without it, every cell may hold density.
    """
    preset = spec["preset"]
    if occupancy is None:
        occupancy = OccupancyGrid(space, OCCUPANCY_RESOLUTION[preset])
    return RadianceField(spec, occupancy, marching_step(space, preset))


def marching_step(space: SpaceMap, preset: str) -> float:
    """Return the ray-marching step of a new field, dataset units."""
    return 2 * 3**0.5 * space.half_side * space.coarseness / STEPS_ACROSS[preset]


def splat_field(
    splats: Splats,
    space: SpaceMap,
    preset: str,
    rules: str = "inria",
    antialiased: bool = False,
) -> GaussianField:
    """Return a field of given splats.

    Parameters
    ----------
    splats : Splats
        Centres counted from the origin of the map of space.
    space : SpaceMap
        On the device where the field is to be.
    preset : str
        ``"small"`` or ``"full"``: how finely rays are marched through their volume.
    rules : str
        One of `RULES`: whose pictures the splats were made by.
    antialiased : bool
        Whether `SplatRules.antialiased` holds.

    Raises
    ------
    UserError
        For rules that do not exist.
    """
    if rules not in RULES:
        raise UserError(f"No rules are called '{rules}'; choose one of {', '.join(RULES)}.")
    sizes = {"splats": len(splats), "degree": splats.degree}
    spec = {"name": GAUSSIANS, **sizes, "rules": rules, "antialiased": antialiased}
    occupancy = OccupancyGrid(space, OCCUPANCY_RESOLUTION[preset])
    field = GaussianField(spec, occupancy, marching_step(space, preset)).to(occupancy.box.device)
    field.take(splats)
    return field
