"""The profile of a training step by parts, with the share of each of what the machine can do."""

import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch.profiler import ProfilerActivity, profile

from ..data.geometry.far_origin import capture_origin
from ..data.geometry.scene import find_scene
from ..fields.architectures import architecture, default_preset, make_field
from ..fields.radiance_field import RadianceField
from ..jobs.budget import Budget
from ..jobs.job import Job
from ..kernels.declare import LABEL
from ..space.maps import map_around
from ..train.batch_size import batch_size
from ..train.from_images import ImageObjective, train_from_images
from ..train.loop import learning_rate_scale
from ..train.pixels import PixelTable
from ..train.readings import Readings
from ..train.training import Training
from . import ceilings
from .plan import Plan

STEPS = 40
"""Steps that are timed, and as many that are profiled."""

PARTS = {
    "march_": "march",
    "transmittance": "visible samples",
    "hash_grid_forward": "encoding",
    "hash_grid_backward": "encoding, backward",
    "sparse_grid_forward": "encoding",
    "sparse_grid_backward": "encoding, backward",
    "plane_products_forward": "encoding",
    "plane_products_backward": "encoding, backward",
    "line_products_forward": "encoding",
    "line_products_backward": "encoding, backward",
    "encoded_network_backward": "networks, backward",
    "shaded_network_backward": "networks, backward",
    "encoded_network": "networks",
    "shaded_network": "networks",
    "composite_": "composite",
    "adam_step": "Adam",
}
"""The part of a step to which a kernel belongs, by the start of its name; the first that fits."""

OTHER_OPERATIONS, REST = "torch's operations", "Python and dispatch"


@dataclass
class Part:
    """A part of a step.

    Attributes
    ----------
    name : str
    milliseconds : float
        Of a step, on the clock.
    ceiling : str or None
        What bounds it, a key of `ceilings.measure`; None where nothing is measured.
    work : float
        Of a step, in the unit of the ceiling.
    """

    name: str
    milliseconds: float = 0.0
    ceiling: str | None = None
    work: float = 0.0


def run(plan: Plan, arch: str, trace: bool, job: Job) -> dict[str, Any]:
    """Train a field for the plan's budget, then time and profile steps.

    Parameters
    ----------
    plan : Plan
    arch : str
        Architecture.
    trace : bool
        Whether to write ``trace.json``, which Perfetto and Chrome's ``about:tracing`` show.
    job : Job

    Returns
    -------
    dict
        The plan's conditions, ``"processor_ms"`` and ``"clock_ms"`` of a step, ``"samples"`` and
        ``"rays"`` of a step, ``"ceilings"``, and ``"parts"``: of each the milliseconds, and the
        share of its ceiling.
    """
    device = torch.device(plan.device)
    limits = ceilings.measure(device)
    capture = plan.opened(job)
    torch.manual_seed(plan.seed)
    spec = architecture(arch, default_preset(device))
    space = map_around(find_scene(capture, None).form, capture.box, capture_origin(capture))
    training = Training.start(make_field(spec, space).to(device), plan.seed)
    budget = Budget.parse(plan.budget, None)
    train_from_images(training, capture, budget, job)
    batch = batch_size(training.field, budget, training.field.cpu_samples)
    with PixelTable.open(capture.split("train"), device, seed=plan.seed) as pixels:
        objective = ImageObjective(training, pixels, batch)
        _steps(training, objective)  # the first are slower
        processor, clock = time.process_time(), time.perf_counter()
        _steps(training, objective)
        processor, clock = time.process_time() - processor, time.perf_counter() - clock
        on = [ProfilerActivity.CPU] + [ProfilerActivity.CUDA] * (device.type == "cuda")
        with profile(activities=on) as profiled:
            _steps(training, objective)
    if trace:
        profiled.export_chrome_trace(str(plan.folder / "trace.json"))
    parts = parts_of(profiled.events() or [], device)
    spent = sum(part.milliseconds for part in parts)
    clock_ms = 1e3 * clock / STEPS
    return {
        **plan.conditions(capture),
        "arch": arch,
        "rays": int(training.rays),
        "processor_ms": 1e3 * processor / STEPS,
        "clock_ms": clock_ms,
        "ceilings": limits,
        "parts": [
            {**asdict(part), "share_of_ceiling": _share(part, limits)}
            for part in [*parts, Part(REST, max(clock_ms - spent, 0.0))]
        ],
    }


def parts_of(events: Iterable[Any], device: torch.device) -> list[Part]:
    """Return the parts of a step from a profile of `STEPS` steps, the longest first.

    Parameters
    ----------
    events : iterable of torch.autograd.profiler_util.FunctionEvent
    device : torch.device
        On the CPU a kernel's time is that of its launch; on CUDA it is that on the device.
    """
    parts: dict[str, Part] = {}
    for event in events:
        label = _label(event)
        if label is None:
            name, spent = OTHER_OPERATIONS, event.self_cpu_time_total
            inside = any(_label(parent) for parent in _parents(event))
            if inside or not event.name.startswith("aten::"):
                continue
        else:
            name = next(part for start, part in PARTS.items() if label[0].startswith(start))
            spent = event.cpu_time_total
        if device.type == "cuda":
            spent = event.device_time_total if label else event.self_device_time_total
        part = parts.setdefault(name, Part(name))
        part.milliseconds += spent / 1e3 / STEPS
        if label is not None:
            part.ceiling, work = _work(*label)
            part.work += work / STEPS
    return sorted(parts.values(), key=lambda part: -part.milliseconds)


def format_table(result: dict[str, Any]) -> str:
    """Return the result of `run` as lines of text."""
    limits = result["ceilings"]
    lines = [
        f"{result['capture']}, {result['arch']} after {result['budget']}, {result['device']}, "
        f"{result['threads']} threads: a step of {result['rays']} rays takes "
        f"{result['processor_ms']:.1f} ms of the processor, {result['clock_ms']:.1f} on the clock",
        f"this machine: {limits['products'] / 1e9:.0f} GFLOP/s in products of float32 matrices, "
        f"{limits['products_bf16'] / 1e9:.0f} of bf16; {limits['reads'] / 1e9:.2f} G entries/s "
        f"read and {limits['additions'] / 1e9:.2f} added to at random; "
        f"{limits['copies'] / 1e9:.1f} GB/s read and written",
        f"{'part':<24}{'ms':>8}{'%':>7}{'of ceiling':>12}",
    ]
    for part in result["parts"]:
        share = part["share_of_ceiling"]
        lines.append(
            f"{part['name']:<24}{part['milliseconds']:>8.2f}"
            f"{100 * part['milliseconds'] / result['clock_ms']:>7.1f}"
            f"{'' if share is None else f'{100 * share:.0f} %':>12}"
            f"{'' if share is None else '  ' + part['ceiling']}"
        )
    return "\n".join(lines)


def _steps(training: Training[RadianceField], objective: ImageObjective) -> None:
    """Take steps as the loop takes them, at the end of a budget."""
    readings = Readings(training.field.device)
    for _ in range(STEPS):
        loss, metrics = objective(training.step, 1.0)
        training.optimizer.step(loss, learning_rate_scale(training.step, 1.0))
        training.step += 1
        readings.add(training.step, 0.0, loss, metrics)
        if readings.due:
            readings.take()
    readings.take()


def _label(event: Any) -> tuple[str, dict[str, int]] | None:
    """Return the name and sizes of a kernel's launch; None of other events."""
    first, *words = event.name.split(" ")
    if first != LABEL or not words:
        return None
    sizes = dict(word.split("=") for word in words[1:])
    return words[0], {name: int(size) for name, size in sizes.items()}


def _parents(event: Any) -> Iterable[Any]:
    while event.cpu_parent is not None:
        event = event.cpu_parent
        yield event


def _work(kernel: str, sizes: dict[str, int]) -> tuple[str | None, float]:
    """Return what bounds a launch, and how much of it it does."""
    if kernel.startswith("hash_grid"):
        return "reads" if "forward" in kernel else "additions", 8.0 * sizes["items"]
    if "network" in kernel:
        passes = 3 if "backward" in kernel else 1  # layers again, then gradients of both operands
        return "products", 2.0 * passes * sizes["parameters"] * sizes["count"]
    if kernel.startswith("adam_step"):
        numbers = 4 * 2  # value, gradient and two moments, read and written
        return "copies", 4.0 * numbers * sizes["items"] * sizes["columns"]
    return None, 0.0


def _share(part: Part, limits: dict[str, float]) -> float | None:
    """Return the least time of a part at its ceiling, as a fraction of its time."""
    if part.ceiling is None or part.milliseconds == 0:
        return None
    return part.work / limits[part.ceiling] / (part.milliseconds / 1e3)
