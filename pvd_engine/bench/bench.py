"""Choice of a benchmark, its table and its measures."""

from collections.abc import Sequence
from typing import Any

from ..errors import UserError
from ..fields.architectures import architecture
from ..fields.registry import LIGHT_FIELD, RADIANCE_FIELDS
from ..files.atomic import write_json
from ..jobs.device import choose_device
from ..jobs.fraction import fraction_reporter
from ..jobs.job import Job
from . import ablation, frames, head_start, kernels, matrix, speed
from .plan import Plan
from .verb import BenchArguments


def run_benchmark(arguments: BenchArguments, job: Job) -> dict[str, Any]:
    """Run one benchmark; its arguments and result are those of the verb."""
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
    choose_device(arguments.device)
    result = kernels.run(seed=arguments.seed, progress=fraction_reporter(job))
    if arguments.out is not None:
        arguments.out.mkdir(parents=True, exist_ok=True)
        write_json(arguments.out / "kernels.json", result)
    return {**result, "table": kernels.format_table(result)}


def _plan(arguments: BenchArguments) -> Plan:
    if arguments.capture is None or arguments.out is None:
        raise UserError(f"The {arguments.what} benchmark needs a capture and a folder, --out DIR.")
    return Plan(
        what=arguments.what,
        capture=arguments.capture,
        folder=arguments.out,
        budget=arguments.budget,
        seed=arguments.seed,
        device="cuda" if choose_device(arguments.device).type == "cuda" else "cpu",
    )


def _names(text: str | None, default: Sequence[str], known: Sequence[str] = ()) -> list[str]:
    """Architectures of a list with commas; `known` ones need not be radiance fields."""
    names = list(default) if text is None else [name.strip() for name in text.split(",")]
    for name in set(names).difference(known):
        architecture(name, "small")  # tells of one that does not exist
    return list(dict.fromkeys(names))


def _one(option: str, names: Sequence[str]) -> str:
    if len(names) != 1:
        raise UserError(f"This benchmark takes one architecture as {option}.")
    return names[0]
