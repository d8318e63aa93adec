"""Kinds of values that several verbs take, and checks on them."""

from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import arg

from ...errors import UserError
from ...fields.registry import RADIANCE_FIELDS, TARGETS_ONLY

Device = Literal["auto", "cpu", "cuda"]
Preset = Literal["small", "full"]
LightPreset = Literal["small", "full", "W256D88", "W181D88", "W256D44", "W363D22"]
Interval = Literal["box", "occupied", "fixed"]
RayEncoding = Literal["frequencies", "hash"]
Decoder = Literal["mlp", "sh", "sh3"]
SceneChoice = Literal["auto", "object", "forward_facing", "unbounded"]
Split = Literal["train", "val", "test"]
StageChoice = Literal["123", "23", "13", "3"]
Corners = tuple[float, float, float, float, float, float]

_NAMES = ", ".join(RADIANCE_FIELDS)

Architecture = Annotated[
    str, arg(help=f"The architecture: {_NAMES}, or several side by side: hash+vm.")
]
Target = Annotated[
    str,
    arg(
        help=f"The student's architecture: {_NAMES}, several: hash+vm, "
        f"or {', '.join(TARGETS_ONLY)}."
    ),
]
CapturePath = Annotated[Path, arg(metavar="CAPTURE")]
FieldPath = Annotated[Path, arg(metavar="FIELD")]
FieldPaths = Annotated[tuple[Path, ...], arg(metavar="FIELD [FIELD ...]")]

MIN_GOAL, MAX_GOAL = 1.0, 60.0
MAX_DOWNSCALE = 64
MAX_SEED = 2**63 - 1
MAX_RESOLUTION = 2048


def check_seed(seed: int) -> None:
    """Refuse a seed that random generators do not take."""
    if not 0 <= seed <= MAX_SEED:
        raise UserError(f"--seed must be from 0 to {MAX_SEED}, not {seed}.")


def check_downscale(downscale: int | None) -> None:
    """Refuse what cannot divide a picture's size."""
    if downscale is not None and not 1 <= downscale <= MAX_DOWNSCALE:
        raise UserError(f"--downscale must be from 1 to {MAX_DOWNSCALE}, not {downscale}.")


def check_goal(until_psnr: float | None) -> None:
    """Refuse a PSNR that cannot be asked for."""
    if until_psnr is not None and not MIN_GOAL <= until_psnr <= MAX_GOAL:
        raise UserError(
            f"--until-psnr is in decibel, from {MIN_GOAL:g} to {MAX_GOAL:g}, not {until_psnr:g}."
        )


def check_resolution(resolution: int) -> None:
    """Refuse a volume without cells or with too many."""
    if not 1 <= resolution <= MAX_RESOLUTION:
        raise UserError(f"--resolution must be from 1 to {MAX_RESOLUTION}, not {resolution}.")


def check_suffix(path: Path, suffix: str) -> None:
    """Refuse an output file of another kind."""
    if path.suffix != suffix:
        raise UserError(f"--out must name a file that ends in {suffix}, not '{path}'.")
