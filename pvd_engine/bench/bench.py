"""The verb ``bench``: chooses the benchmark, prints its table and saves its measures."""

from typing import Any

from ..errors import UserError
from ..jobs.arguments import BenchArguments
from ..jobs.device import choose_device
from ..jobs.files import write_json
from ..jobs.fraction import fraction_reporter
from ..jobs.job import Job
from . import conversions, kernels


def run(arguments: BenchArguments, job: Job) -> dict[str, Any]:
    """Run one benchmark.

    Returns
    -------
    dict
        The benchmark's own result, with ``table``, lines of text.
    """
    device = choose_device(arguments.device)
    if arguments.what == "kernels":
        result = kernels.run(seed=arguments.seed, progress=fraction_reporter(job))
        if arguments.out is not None:
            arguments.out.mkdir(parents=True, exist_ok=True)
            write_json(arguments.out / "kernels.json", result)
        return {**result, "table": kernels.format_table(result)}
    if arguments.capture is None or arguments.out is None:
        raise UserError("The conversions benchmark needs a capture and a folder, --out DIR.")
    plan = conversions.Plan(
        capture=arguments.capture,
        folder=arguments.out,
        budget=arguments.budget,
        seed=arguments.seed,
        device="cuda" if device.type == "cuda" else "cpu",
    )
    result = conversions.run(plan, job)
    return {**result, "table": conversions.format_table(result)}
