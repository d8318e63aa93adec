"""Measure this machine and this program."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from tyro.conf import Positional

from ..errors import UserError
from ..jobs.budget import Budget
from ..jobs.job import Job
from ..jobs.verb import Verb
from ..verbs.option_kinds import CapturePath, ComputingArguments, Seed


@dataclass(frozen=True, kw_only=True)
class BenchArguments(ComputingArguments):
    """Measure this machine and this program: slow, honest benchmarks.

    kernels: points per second of each fast kernel and of its plain-torch reference, turn by turn.
    matrix: every architecture from the images of a capture, then converted to every other, and to
    itself at half the size. ablation: a conversion with one part of the method changed at a time.
    speed: how soon a student is as good as training from scratch. head_start: how much sooner grids
    and factors arrive that start from a direct projection. frames: seconds for one picture of a
    plain NeRF, of fields and of light fields. All but the first need CAPTURE and --out; what lies
    in the output folder already is not made again.

    Example: pvd bench kernels
    Example: pvd bench matrix lego --budget 60s --out bench
    Example: pvd bench ablation lego --budget 30s --seeds 3 --out ablation
    """

    what: Positional[Literal["kernels", "matrix", "ablation", "speed", "head_start", "frames"]]
    """What to measure."""

    capture: Positional[CapturePath | None] = None
    """The dataset."""

    budget: str = "120s"
    """Time to spend on each field."""

    out: Path | None = None
    """A folder for the fields and the JSON file with the measures."""

    sources: str | None = None
    """Architectures to convert from, such as hash,mlp: all in matrix, hash in the others."""

    targets: str | None = None
    """Architectures to convert to: all in matrix, mlp and then grids in ablation (which takes
    light_field, too), mlp in speed, sparse_tensor and vm in head_start."""

    seeds: int = 3
    """Number of seeds, from --seed on, in ablation and speed."""

    seed: Seed = 0
    """Seed of all random numbers."""

    def __post_init__(self) -> None:
        super().__post_init__()
        Budget.parse(self.budget, None)
        if self.seeds < 1:
            raise UserError(f"--seeds must be at least 1, not {self.seeds}.")


def run(arguments: BenchArguments, job: Job) -> dict[str, Any]:
    """Run one benchmark.

    Returns
    -------
    dict
        The benchmark's own result, with ``table``, lines of text.

    Raises
    ------
    UserError
        Something is missing, or an architecture does not exist.
    """
    from .bench import run_benchmark

    return run_benchmark(arguments, job)


VERB = Verb("bench", BenchArguments, run, makes_folder=True)
