"""Arguments that the verbs share that make a field: train and convert."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from ..jobs.budget import Budget
from .option_kinds import (
    ComputingArguments,
    Decibel,
    Decoder,
    Seed,
    Shown,
    SplatCount,
    check_suffix,
)


@dataclass(frozen=True, kw_only=True)
class MakingArguments(ComputingArguments):
    """How a field is made: its output, its decoder, how long it takes, its random numbers."""

    out: Path
    """The field file to write; ends in .safetensors."""

    decoder: Decoder | None = None
    """A decoder other than the architecture's own: a network (mlp), or spherical harmonics to
    degree 2 (sh) or 3 (sh3)."""

    splats: SplatCount | None = None
    """Number of splats of gaussians; that of the size when not given."""

    budget: str | None = None
    """Time to spend on the field, all included: 90s, 3m, 1h; three minutes when neither this nor
    --steps is given."""

    steps: Annotated[int | None, Shown("Steps")] = None
    """Steps to take, instead of a time."""

    until_psnr: Annotated[Decibel | None, Shown("PSNR")] = None
    """PSNR in dB at which the work ends earlier: of a teacher to a validation image, of a student
    to its source field."""

    seed: Annotated[Seed, Shown("Seed")] = 0
    """Seed of all random numbers."""

    def __post_init__(self) -> None:
        super().__post_init__()
        Budget.parse(self.budget, self.steps)
        check_suffix(self.out, ".safetensors")
