"""Measure this machine and this program."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from tyro.conf import Positional

from ..errors import UserError
from ..jobs.budget import Budget, parse_seconds
from ..jobs.job import Job
from ..jobs.verb import Verb
from ..verbs.option_kinds import CapturePath, ComputingArguments, Seed, option_name

if TYPE_CHECKING:
    from .plan import Plan


UNTIMED = ("kernels", "cost")
"""Benchmarks that make no field, so that their budget means nothing."""


@dataclass(frozen=True, kw_only=True)
class BenchArguments(ComputingArguments):
    """Measure this machine and this program: slow, honest benchmarks.

    kernels: points per second of each fast kernel and of its plain-torch reference, turn by turn.
    step: what a training step spends its time on, after training for the budget, and how near each
    part comes to what the machine can do. cost: how the cost of training grows with rays, samples,
    the size of tables and images. budgets: quality after an eighth, a quarter, a half and all of
    the budget, from the images or, with --targets, of students, and how well each budget was kept.
    matrix: every architecture from the images of a capture, then converted to every other, and to
    itself at half the size. ablation: a conversion with one part of the method changed at a time.
    speed: how soon a student is as good as training from scratch. head_start: how much sooner
    grids and factors arrive that start from a direct projection. frames: seconds for one picture
    of 800 x 800 of a plain NeRF, of every architecture and of light fields. gpu: what a device
    reaches in kernels, training, conversions, a light field, pictures and memory, in less than 8
    minutes with a budget of 60s. All but the first need CAPTURE and --out; fields that are in the
    output folder already are not made again. The result is the JSON file there that is called as
    the benchmark.

    Example: pvd bench kernels
    Example: pvd bench step lego --budget 30s --out step
    Example: pvd bench cost lego --out cost
    Example: pvd bench budgets lego --budget 120s --out budgets
    Example: pvd bench matrix lego --budget 60s --out bench
    Example: pvd bench gpu lego --budget 60s --out gpu
    Example: pvd bench ablation lego --budget 30s --seeds 3 --out ablation
    """

    what: Positional[
        Literal[
            "kernels",
            "step",
            "cost",
            "budgets",
            "matrix",
            "ablation",
            "speed",
            "head_start",
            "frames",
            "gpu",
        ]
    ]
    """The benchmark to run."""

    capture: Positional[CapturePath | None] = None
    """The dataset."""

    budget: str = "120s"
    """Time to spend on each field; kernels and cost make none."""

    out: Path | None = None
    """Folder for the fields and the JSON file with the measures."""

    sources: str | None = None
    """Architectures to convert from, such as hash,mlp: all in matrix, hash in the others. In step
    and budgets, the architectures that are trained."""

    targets: str | None = None
    """Architectures to convert to: all in matrix, mlp and then grids in ablation (which takes
    light_field, too), mlp in speed, sparse_tensor and vm in head_start, none in budgets (which
    takes light_field, too)."""

    teacher_budget: str | None = None
    """In budgets with --targets, time to spend on the teacher; --budget when not given."""

    seeds: int = 3
    """Number of seeds, from --seed on, in ablation and speed."""

    plain: bool = True
    """In speed, compare with the plain NeRF recipe, too, which takes minutes for each seed."""

    trace: bool = False
    """In step, write trace.json, too, which Perfetto and Chrome's about:tracing show."""

    seed: Seed = 0
    """Seed of all random numbers."""

    def __post_init__(self) -> None:
        super().__post_init__()
        Budget.parse(self.budget, None)
        if self.teacher_budget is not None:
            parse_seconds(self.teacher_budget, "--teacher-budget")
        if self.seeds < 1:
            raise UserError(f"--seeds must be at least 1, not {self.seeds}.")


def run(arguments: BenchArguments, job: Job) -> dict[str, Any]:
    """Run one benchmark.

    Returns
    -------
    dict
        ``command``, the benchmark's own result, which its JSON file holds, too, and ``table``,
        lines of text.

    Raises
    ------
    UserError
        Something is missing, or an architecture does not exist.
    """
    from ..files.atomic import write_json

    bench = import_module(f".{arguments.what}", __package__)
    result = {"command": command(arguments), **_measures(arguments, job)}
    if arguments.out is not None:
        arguments.out.mkdir(parents=True, exist_ok=True)
        write_json(arguments.out / f"{arguments.what}.json", result)
    return {**result, "table": bench.format_table(result)}


def command(arguments: BenchArguments) -> str:
    """Return the command line of a benchmark, without paths, which are others elsewhere.

    Options that have their default are left out, but for the budget.
    """
    words = ["pvd bench", arguments.what]
    words += [] if arguments.capture is None else [arguments.capture.name]
    for option in fields(arguments):
        value = getattr(arguments, option.name)
        stated = option.name == "budget" and arguments.what not in UNTIMED
        if option.name in ("what", "capture", "out") or (value == option.default and not stated):
            continue
        name = option_name(option.name)
        if isinstance(value, bool):
            words.append(name if value else name.replace("--", "--no-"))
        else:
            words.append(f"{name} {value}")
    return " ".join(words)


def _measures(arguments: BenchArguments, job: Job) -> dict[str, Any]:
    """Return the result of a benchmark of its own kind."""
    from ..fields.registry import CLOUDS, RADIANCE_FIELDS
    from . import ablation, budgets, cost, frames, gpu, head_start, matrix, speed, step

    what = arguments.what
    if what == "kernels":
        return _kernels(arguments, job)
    plan, every = _plan(arguments), [*RADIANCE_FIELDS, *CLOUDS]
    default = every if what == "matrix" else ["hash"]
    sources = _names(arguments.sources, default, tuple(CLOUDS))
    targets = _targets(arguments, every)
    work: Callable[[Job], dict[str, Any]]
    if what == "matrix":
        work = partial(matrix.run, plan, sources, targets)
    elif what == "frames":
        work = partial(frames.run, plan)
    elif what == "gpu":
        work = partial(gpu.run, plan)
    elif what == "cost":
        work = partial(cost.run, plan)
    elif what == "budgets":
        work = partial(budgets.run, plan, sources, targets, teacher_budget=arguments.teacher_budget)
    else:
        source = _one("--sources", sources)
        if what == "step":
            work = partial(step.run, plan, source, arguments.trace)
        elif what == "ablation":
            trials = [trial for target in targets for trial in ablation.trials(target)]
            trials = trials or ablation.default_trials(source)
            work = partial(ablation.run, plan, source, trials, arguments.seeds)
        elif what == "head_start":
            work = partial(head_start.run, plan, source, targets)
        else:
            target = _one("--targets", targets)
            work = partial(speed.run, plan, source, target, arguments.seeds, arguments.plain)
    plan.claim_folder()
    return work(job)


def _kernels(arguments: BenchArguments, job: Job) -> dict[str, Any]:
    from ..jobs.device import choose_device
    from ..jobs.fraction import fraction_reporter
    from . import kernels

    choose_device(arguments.device)
    return kernels.run(seed=arguments.seed, progress=fraction_reporter(job))


def _targets(arguments: BenchArguments, every: Sequence[str]) -> list[str]:
    """Return the architectures to convert to."""
    from ..fields.registry import CLOUDS, LIGHT_FIELD

    what = arguments.what
    default = {"matrix": every, "speed": ["mlp"], "head_start": ["sparse_tensor", "vm"]}
    known = {"ablation": (LIGHT_FIELD,), "budgets": (LIGHT_FIELD, *CLOUDS)}.get(what, (*CLOUDS,))
    return _names(arguments.targets, default.get(what, []), known)


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
        memory=arguments.memory,
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
