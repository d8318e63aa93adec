"""Measure this machine and this program."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from tyro.conf import Positional

from ..errors import UserError
from ..jobs.budget import Budget
from ..jobs.job import Job
from ..jobs.verb import Verb
from ..verbs.option_kinds import CapturePath, ComputingArguments, Seed

if TYPE_CHECKING:
    from .plan import Plan


@dataclass(frozen=True, kw_only=True)
class BenchArguments(ComputingArguments):
    """Measure this machine and this program: slow, honest benchmarks.

    kernels: points per second of each fast kernel and of its plain-torch reference, turn by turn.
    matrix: every architecture from the images of a capture, then converted to every other, and to
    itself at half the size. step: what a training step spends its time on, after training for the
    budget, and how near each part comes to what the machine can do. ablation: a conversion with one
    part of the method changed at a time. speed: how soon a student is as good as training from
    scratch. head_start: how much sooner grids and factors arrive that start from a direct
    projection. frames: seconds for one picture of a plain NeRF, of fields and of light fields. All
    but the first need CAPTURE and --out; fields that are in the output folder already are not made
    again.

    Example: pvd bench kernels
    Example: pvd bench step lego --budget 30s --out step
    Example: pvd bench matrix lego --budget 60s --out bench
    Example: pvd bench ablation lego --budget 30s --seeds 3 --out ablation
    """

    what: Positional[
        Literal["kernels", "step", "matrix", "ablation", "speed", "head_start", "frames"]
    ]
    """The benchmark to run."""

    capture: Positional[CapturePath | None] = None
    """The dataset."""

    budget: str = "120s"
    """Time to spend on each field."""

    out: Path | None = None
    """Folder for the fields and the JSON file with the measures."""

    sources: str | None = None
    """Architectures to convert from, such as hash,mlp: all in matrix, hash in the others. In step,
    the architecture that is trained."""

    targets: str | None = None
    """Architectures to convert to: all in matrix, mlp and then grids in ablation (which takes
    light_field, too), mlp in speed, sparse_tensor and vm in head_start."""

    seeds: int = 3
    """Number of seeds, from --seed on, in ablation and speed."""

    trace: bool = False
    """In step, write trace.json, too, which Perfetto and Chrome's about:tracing show."""

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
    from ..fields.registry import LIGHT_FIELD, RADIANCE_FIELDS
    from . import ablation, frames, head_start, matrix, speed, step

    if arguments.what == "kernels":
        return _kernels(arguments, job)
    plan = _plan(arguments)
    if arguments.what == "matrix":
        sources = _names(arguments.sources, list(RADIANCE_FIELDS))
        targets = _names(arguments.targets, list(RADIANCE_FIELDS))
        plan.claim_folder()
        result = matrix.run(plan, sources, targets, job)
        return {**result, "table": matrix.format_table(result)}
    if arguments.what == "frames":
        plan.claim_folder()
        result = frames.run(plan, job)
        return {**result, "table": frames.format_table(result)}
    source = _one("--sources", _names(arguments.sources, ["hash"]))
    if arguments.what == "step":
        plan.claim_folder()
        result = step.run(plan, source, arguments.trace, job)
        return {**result, "table": step.format_table(result)}
    if arguments.what == "ablation":
        targets = _names(arguments.targets, [], known=(LIGHT_FIELD,))
        chosen = [trial for target in targets for trial in ablation.trials(target)]
        plan.claim_folder()
        trials = chosen or ablation.default_trials(source)
        result = ablation.run(plan, source, trials, arguments.seeds, job)
        return {**result, "table": ablation.format_table(result)}
    if arguments.what == "head_start":
        targets = _names(arguments.targets, ["sparse_tensor", "vm"])
        plan.claim_folder()
        result = head_start.run(plan, source, targets, job)
        return {**result, "table": head_start.format_table(result)}
    target = _one("--targets", _names(arguments.targets, ["mlp"]))
    plan.claim_folder()
    result = speed.run(plan, source, target, arguments.seeds, job)
    return {**result, "table": speed.format_table(result)}


def _kernels(arguments: BenchArguments, job: Job) -> dict[str, Any]:
    from ..files.atomic import write_json
    from ..jobs.device import choose_device
    from ..jobs.fraction import fraction_reporter
    from . import kernels

    choose_device(arguments.device)
    result = kernels.run(seed=arguments.seed, progress=fraction_reporter(job))
    if arguments.out is not None:
        arguments.out.mkdir(parents=True, exist_ok=True)
        write_json(arguments.out / "kernels.json", result)
    return {**result, "table": kernels.format_table(result)}


def _plan(arguments: BenchArguments) -> "Plan":
    from ..jobs.device import choose_device
    from .plan import Plan

    if arguments.capture is None or arguments.out is None:
        raise UserError(f"The {arguments.what} benchmark needs a capture and a folder, --out DIR.")
    return Plan(
        what=arguments.what,
        capture=arguments.capture,
        folder=arguments.out,
        budget=arguments.budget,
        seed=arguments.seed,
        device=choose_device(arguments.device).type,
    )


def _names(text: str | None, default: Sequence[str], known: Sequence[str] = ()) -> list[str]:
    """Return the architectures of a list with commas; `known` ones need not be radiance fields."""
    from ..fields.architectures import architecture

    names = list(default) if text is None else [name.strip() for name in text.split(",")]
    for name in set(names).difference(known):
        architecture(name, "small")  # raises for one that does not exist
    return list(dict.fromkeys(names))


def _one(option: str, names: Sequence[str]) -> str:
    if len(names) != 1:
        raise UserError(f"This benchmark takes one architecture as {option}.")
    return names[0]


VERB = Verb("bench", BenchArguments, run, makes_folder=True)
