"""Architectures by name: an encoder, a decoder and their sizes."""

import copy
from typing import Any

import torch

from ..errors import UserError
from ..space.occupancy import OccupancyGrid
from ..space.space_map import SpaceMap
from .radiance_field import RadianceField

PRESETS: dict[str, dict[str, dict[str, Any]]] = {
    "hash": {
        "full": {
            "encoder": {
                "type": "hash",
                "levels": 14,
                "features": 2,
                "log2_table_size": 19,
                "base_resolution": 16,
                "finest_resolution": 2048,
            },
            "decoder": {"type": "mlp"},
        },
        "small": {
            "encoder": {
                "type": "hash",
                "levels": 12,
                "features": 2,
                "log2_table_size": 17,
                "base_resolution": 16,
                "finest_resolution": 384,
            },
            "decoder": {"type": "mlp"},
        },
    },
    "mlp": {
        "full": {
            "encoder": {"type": "mlp", "hidden": 256, "layers": 8, "skip": 4, "frequencies": 10},
            "decoder": {"type": "mlp"},
        },
        "small": {
            "encoder": {
                "type": "mlp",
                "hidden": 256,
                "layers": 6,
                "skip": 3,
                "frequencies": 10,
            },
            "decoder": {"type": "mlp"},
        },
    },
    "sparse_tensor": {
        "full": {
            "encoder": {"type": "sparse_tensor", "resolution": 256},
            "decoder": {"type": "sh", "degree": 2},
        },
        "small": {
            "encoder": {"type": "sparse_tensor", "resolution": 128},
            "decoder": {"type": "sh", "degree": 2},
        },
    },
    "vm": {
        "full": {
            "encoder": {"type": "vm", "resolution": 300, "density_rank": 16, "color_rank": 48},
            "decoder": {"type": "mlp"},
        },
        "small": {
            "encoder": {"type": "vm", "resolution": 160, "density_rank": 16, "color_rank": 24},
            "decoder": {"type": "mlp"},
        },
    },
    "cp": {
        "full": {
            "encoder": {"type": "cp", "resolution": 500, "density_rank": 96, "color_rank": 288},
            "decoder": {"type": "mlp"},
        },
        "small": {
            "encoder": {"type": "cp", "resolution": 192, "density_rank": 96, "color_rank": 192},
            "decoder": {"type": "mlp"},
        },
    },
}
"""Per architecture and preset. "full" has PVD's sizes, "small" trains on a CPU in minutes."""

LIGHT_FIELD = "light_field"

LIGHT_FIELDS: dict[str, dict[str, int]] = {
    "small": {"width": 128, "depth": 8},
    "full": {"width": 256, "depth": 88},
    "W256D88": {"width": 256, "depth": 88},
    "W181D88": {"width": 181, "depth": 88},
    "W256D44": {"width": 256, "depth": 44},
    "W363D22": {"width": 363, "depth": 22},
}
"""Networks of light fields by preset: R2L's by their names, "full" its largest."""

RAY_ENCODINGS: dict[str, dict[str, Any]] = {
    "frequencies": {"type": "frequencies", "frequencies": 10},
    "hash": {
        "type": "hash",
        "levels": 12,
        "features": 2,
        "log2_table_size": 17,
        "base_resolution": 16,
        "finest_resolution": 384,
    },
}
"""Of a ray's points: R2L's, and one that learns many times faster."""

DECODERS: dict[str, dict[str, Any]] = {
    "mlp": {"type": "mlp"},
    "sh": {"type": "sh", "degree": 2},
    "sh3": {"type": "sh", "degree": 3},
}
"""Decoders by the name that asks for them in place of an architecture's own."""

MAX_PARTS = 4
"""Of a composition."""

OCCUPANCY_RESOLUTION = {"full": 128, "small": 128}

STEPS_ACROSS = {"full": 1024, "small": 288}
"""Ray-marching steps along the diagonal of a bounded scene's cube."""


def default_preset(device: torch.device) -> str:
    """``"small"`` on a CPU, ``"full"`` on a GPU."""
    return "small" if device.type == "cpu" else "full"


def architecture(name: str, preset: str, decoder: str | None = None) -> dict[str, Any]:
    """The JSON description of an architecture.

    Parameters
    ----------
    name : str
        One of `PRESETS`, or several of them side by side: ``"hash+vm"``.
    preset : str
        ``"small"`` or ``"full"``.
    decoder : str, optional
        One of `DECODERS` in place of the architecture's own.

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
    unknown = next((part for part in parts if part not in PRESETS), None)
    if unknown is not None:
        raise UserError(
            f"No architecture is called '{unknown}'; choose one of {', '.join(PRESETS)}, "
            "or several joined by +."
        )
    if len(parts) > MAX_PARTS:
        raise UserError(f"'{name}' has {len(parts)} parts; join {MAX_PARTS} at most.")
    if preset not in PRESETS[parts[0]]:
        raise UserError(f"No preset is called '{preset}'; choose small or full.")
    if decoder is not None and decoder not in DECODERS:
        raise UserError(f"No decoder is called '{decoder}'; choose one of {', '.join(DECODERS)}.")
    specs = [copy.deepcopy(PRESETS[part][preset]) for part in parts]
    spec = specs[0]
    if len(specs) > 1:
        spec["encoder"] = {"type": "composition", "parts": [part["encoder"] for part in specs]}
    if decoder is not None:
        spec["decoder"] = dict(DECODERS[decoder])
    return {"name": name, "preset": preset, **spec}


def ray_encoding(preset: str) -> str:
    """Of the points of a light field's rays, where no other is asked for: its name.

    Small light fields are taught on a CPU, which sees too few rays for the published one.
    """
    return "hash" if preset == "small" else "frequencies"


def light_field(
    preset: str, points: int, interval: str, skip_empty: bool, encoding: str | None = None
) -> dict[str, Any]:
    """The JSON description of a light field, as `LightField` takes it.

    Parameters
    ----------
    preset : str
        One of `LIGHT_FIELDS`.
    points : int
        Along each ray.
    interval : str
        ``"box"``, ``"occupied"`` or ``"fixed"``.
    skip_empty : bool
    encoding : str, optional
        One of `RAY_ENCODINGS` in place of the preset's own.
    """
    return {
        "name": LIGHT_FIELD,
        "preset": preset,
        "network": dict(LIGHT_FIELDS[preset]),
        "ray": {
            "points": points,
            "encoding": dict(RAY_ENCODINGS[encoding or ray_encoding(preset)]),
            "interval": interval,
            "skip_empty": skip_empty,
        },
    }


def make_field(
    spec: dict[str, Any], space: SpaceMap, occupancy: OccupancyGrid | None = None
) -> RadianceField:
    """A new field with random parameters.

    Parameters
    ----------
    spec : dict
        From `architecture`.
    space : SpaceMap
    occupancy : OccupancyGrid, optional
        A grid in the same frame; otherwise one that excludes nothing.
    """
    preset = spec["preset"]
    if occupancy is None:
        occupancy = OccupancyGrid(space, OCCUPANCY_RESOLUTION[preset])
    step = 2 * 3**0.5 * space.half_side * space.coarseness / STEPS_ACROSS[preset]
    return RadianceField(spec, occupancy, step)
