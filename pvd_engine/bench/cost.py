"""Growth of the cost of training with rays, samples, the size of tables and images.

Along each axis one size grows and everything else stays. A step casts rays through pixels of the
capture into a shell of occupied cells, in a hash grid that is as it was made, and its learning rate
is zero. So each step of one size does the same work, however many were taken before.
"""

import itertools
import math
import statistics
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from ..data.capture import Capture, View
from ..data.fingerprint import capture_fingerprint
from ..data.geometry.camera_notes import camera_notes
from ..data.geometry.far_origin import capture_origin
from ..data.geometry.scene import find_scene
from ..data.readers import open_capture, require_trainable
from ..data.writers.writers import write_capture
from ..errors import UserError
from ..fields.architectures import (
    OCCUPANCY_RESOLUTION,
    architecture,
    default_preset,
    make_field,
)
from ..fields.architectures import STEPS_ACROSS as PRESET_STEPS_ACROSS
from ..fields.radiance_field import RadianceField
from ..jobs.fraction import fraction_reporter
from ..jobs.job import Job
from ..kernels.adam import adam_step_sparse
from ..kernels.launch import use_warp
from ..kernels.row_gradient import BLOCK_ROWS, RowGradient
from ..space.maps import map_around
from ..space.occupancy import OccupancyGrid
from ..space.seen import exclude_unseen
from ..space.space_map import SpaceMap
from ..train.batch_size import BatchSize
from ..train.from_images import ImageObjective
from ..train.optimizer import ADAM_BETAS, ADAM_EPSILON
from ..train.pixels import PixelTable
from ..train.training import Training
from .cost_picture import axis_name, write_picture
from .plan import Plan
from .timing import Spent, spent

TURNS = 7
"""Turns through the sizes of an axis, of which the median counts; one more before them warms up."""

RAYS = (512, 1024, 2048, 4096, 8192, 16384)
"""Rays of a step."""

STEPS_ACROSS = (72, 144, 288, 576, 1152)
"""Ray-marching steps across the scene's cube; samples grow with them."""

LOG2_ENTRIES = (14, 15, 16, 17, 18, 19)
"""Entries of a level of the hash grid, as powers of two; 17 and 19 are those of the presets."""

ADAM_LOG2_ENTRIES = (16, 17, 18, 19, 20)
"""The same, of tables whose Adam step is timed on its own."""

IMAGES = (25, 50, 100, 200, 400)
"""Images of a capture; those of the given one again and again."""

RAYS_ELSEWHERE = 2048
"""Rays of a step where something else grows."""

TOUCHED_BLOCKS = 2048
"""Blocks of rows with a gradient in the table whose Adam step is timed on its own."""

SHELL = (0.4, 0.55)
"""Radii of the shell of occupied cells, where the middle of the cube is 0 and its faces are 1."""

TABLE = "entries of a level"
"""The size of a hash grid."""

KINDS = ("processor_ms", "clock_ms")
"""Keys of a point's times."""

LINEAR = 1.05
"""Largest exponent that counts as linear; the part above 1 is the noise of a fit."""


@dataclass(frozen=True)
class Trial:
    """Work of one size.

    Attributes
    ----------
    size : int
    call : callable
        The work that is timed.
    before : callable
        Puts everything as it was, before each call; not timed.
    """

    size: int
    call: Callable[[], Any]
    before: Callable[[], Any] = lambda: None


@dataclass(frozen=True)
class Scene:
    """What steps along all axes share.

    Attributes
    ----------
    pixels : PixelTable
    space : SpaceMap
    device : torch.device
    seed : int
    """

    pixels: PixelTable
    space: SpaceMap
    device: torch.device
    seed: int


def run(plan: Plan, job: Job) -> dict[str, Any]:
    """Measure the cost along each axis; write ``cost.svg``.

    Parameters
    ----------
    plan : Plan
        Its budget is not used.
    job : Job

    Returns
    -------
    dict
        The plan's conditions, ``"turns"`` and ``"axes"``, a list of what `measured` returns.

    Raises
    ------
    Cancelled
        The job was cancelled.
    UserError
        Warp does not run on the device, or the capture has no training images.
    """
    device = torch.device(plan.device)
    if not use_warp(device):
        raise UserError(
            "The cost benchmark measures the Warp kernels, which do not run here; "
            "pvd info --device says why."
        )
    capture = plan.opened(job)
    require_trainable(capture)
    views = capture.split("train")
    report = fraction_reporter(job)
    space = _space(capture)
    with (
        PixelTable.open(views, device, seed=plan.seed, origin=space.origin) as pixels,
        tempfile.TemporaryDirectory() as folder,
    ):
        scene = Scene(pixels, space, device, plan.seed)
        makers: dict[tuple[str, str], Callable[[], list[Trial]]] = {
            ("rays", "step"): lambda: [_step(scene, Step.of(scene, n), n) for n in RAYS],
            ("samples", "step"): lambda: [
                _step(scene, step, step.samples(scene))
                for step in (Step.of(scene, across=n) for n in STEPS_ACROSS)
            ],
            (TABLE, "step"): lambda: [
                _step(scene, Step.of(scene, log2_entries=n), 1 << n) for n in LOG2_ENTRIES
            ],
            (TABLE, "Adam alone"): lambda: [adam(n, device) for n in ADAM_LOG2_ENTRIES],
            ("images", "opening and a step"): lambda: [
                _opening(scene, replace(capture, views=_repeated(views, n)), Path(folder, str(n)))
                for n in IMAGES
            ],
        }
        axes = []
        for (size, work), make in makers.items():
            axes.append({"size": size, "work": work, **measured(make(), device, job)})
            report(len(axes) / len(makers))
    result = {**plan.conditions(capture), "turns": TURNS, "axes": axes}
    write_picture(plan.folder / "cost.svg", result)
    return result


def measured(trials: Sequence[Trial], device: torch.device, job: Job) -> dict[str, Any]:
    """Measure trials turn by turn.

    Parameters
    ----------
    trials : sequence of Trial
        The smallest first.
    device : torch.device
    job : Job

    Returns
    -------
    dict
        ``"points"``: of each trial its ``size``, and the medians ``clock_ms`` and ``processor_ms``
        of a call. ``"exponents"``: `exponent` of either.

    Raises
    ------
    Cancelled
        The job was cancelled.
    """
    times: list[list[Spent]] = [[] for _ in trials]
    for turn in range(1 + TURNS):
        for trial, known in zip(trials, times, strict=True):
            job.raise_if_cancelled()
            trial.before()
            took = spent(trial.call, device)
            if turn > 0:  # the first warms up
                known.append(took)
    points = [
        {
            "size": trial.size,
            "clock_ms": 1e3 * statistics.median(one.clock for one in known),
            "processor_ms": 1e3 * statistics.median(one.processor for one in known),
        }
        for trial, known in zip(trials, times, strict=True)
    ]
    sizes = [point["size"] for point in points]
    exponents = {kind: exponent(sizes, [point[kind] for point in points]) for kind in KINDS}
    return {"points": points, "exponents": exponents}


def exponent(sizes: Sequence[float], costs: Sequence[float]) -> float:
    """Return the power of the size with which a cost grows.

    It is the slope of the straight line of least squares through the logarithms.

    Parameters
    ----------
    sizes, costs : sequence of float
        Above 0; at least two sizes that differ.
    """
    logarithms = [[math.log(value) for value in values] for values in (sizes, costs)]
    return statistics.linear_regression(*logarithms).slope


def above_linear(result: dict[str, Any]) -> list[str]:
    """Return the names of the axes along which the processor's time grows faster than the size."""
    axes = result["axes"]
    return [axis_name(axis) for axis in axes if axis["exponents"]["processor_ms"] > LINEAR]


def format_table(result: dict[str, Any]) -> str:
    """Return the result of `run` as lines of text."""
    lines = [
        f"{result['capture']}, {result['device']}, {result['threads']} threads; medians of "
        f"{result['turns']} turns, ms",
        f"{'':<44}{'size':>12}{'processor':>12}{'clock':>10}",
    ]
    for axis in result["axes"]:
        for point in axis["points"]:
            lines.append(
                f"{axis_name(axis):<44}{point['size']:>12,}{point['processor_ms']:>12.2f}"
                f"{point['clock_ms']:>10.2f}"
            )
        processor, clock = (axis["exponents"][kind] for kind in ("processor_ms", "clock_ms"))
        lines.append(f"{'':<44}{'exponent':>12}{processor:>12.2f}{clock:>10.2f}")
    above = above_linear(result)
    lines.append(f"above linear: {', '.join(above)}" if above else "no cost grows above linear")
    return "\n".join(lines)


def _space(capture: Capture) -> SpaceMap:
    form = find_scene(capture, None).form
    return map_around(form, capture.box, capture_origin(capture))


def _shell(space: SpaceMap, resolution: int) -> OccupancyGrid:
    """Return an occupancy grid whose occupied cells form a shell."""
    occupancy = OccupancyGrid(space, resolution)
    axis = (2 * torch.arange(resolution) + 1) / resolution - 1
    radius = torch.stack(torch.meshgrid(axis, axis, axis, indexing="ij")).norm(dim=0)
    occupancy.binary.copy_((radius > SHELL[0]) & (radius < SHELL[1]))
    return occupancy


@dataclass(frozen=True)
class Step:
    """A training step that can be taken again and again.

    Attributes
    ----------
    training : Training
    rays : int
    """

    training: Training[RadianceField]
    rays: int

    @classmethod
    def of(
        cls,
        scene: Scene,
        rays: int = RAYS_ELSEWHERE,
        across: int | None = None,
        log2_entries: int | None = None,
    ) -> "Step":
        """Return the step of a new hash grid; the preset's sizes where they are not given."""
        preset = default_preset(scene.device)
        spec = architecture("hash", preset)
        if log2_entries is not None:
            spec["encoder"]["log2_table_size"] = log2_entries
        torch.manual_seed(scene.seed)
        field = make_field(spec, scene.space, _shell(scene.space, OCCUPANCY_RESOLUTION[preset]))
        if across is not None:
            field.step *= PRESET_STEPS_ACROSS[preset] / across
        return cls(Training.start(field.to(scene.device), scene.seed), rays)

    def take(self, pixels: PixelTable) -> None:
        """Take the step at rate zero; the occupancy is not updated, as in most steps."""
        self.training.rays = self.rays  # each step chooses those of the next
        loss, _ = ImageObjective(self.training, pixels, BatchSize(1))(1, 1.0)
        self.training.optimizer.step(loss, 0.0)
        loss.item()

    def samples(self, scene: Scene) -> int:
        """Return the number of its samples."""
        generator = torch.Generator(scene.device).manual_seed(scene.seed)
        rays, _ = scene.pixels.draw(self.rays, generator)
        jitter = torch.rand(self.rays, generator=generator, device=scene.device)
        return len(self.training.field.visible_samples(rays, jitter).samples.t)


def _step(scene: Scene, step: Step, size: int) -> Trial:
    return Trial(size, lambda: step.take(scene.pixels))


def adam(log2_entries: int, device: torch.device) -> Trial:
    """Return the trial of an Adam step, of which `TOUCHED_BLOCKS` blocks of rows have a gradient.

    Parameters
    ----------
    log2_entries : int
        Entries of a level; the table has as many levels as that of a field.
    device : torch.device
    """
    sizes = architecture("hash", default_preset(device))["encoder"]
    rows = sizes["levels"] << log2_entries
    table = torch.zeros((rows, sizes["features"]), device=device)
    mean, square = torch.zeros_like(table), torch.zeros_like(table)
    gradient = RowGradient(table)
    blocks = torch.arange(TOUCHED_BLOCKS, device=device) * (rows // BLOCK_ROWS) // TOUCHED_BLOCKS

    def before() -> None:
        gradient.values.view(-1, BLOCK_ROWS, sizes["features"])[blocks] = 1.0
        gradient.touched[blocks] = 1
        gradient.used = True

    def call() -> None:
        adam_step_sparse(table, gradient, mean, square, 0.0, ADAM_BETAS, ADAM_EPSILON, 1)

    return Trial(1 << log2_entries, call, before)


def _repeated(views: Sequence[View], count: int) -> tuple[View, ...]:
    """Return this many views, the given ones again and again."""
    return tuple(itertools.islice(itertools.cycle(views), count))


def _opening(scene: Scene, capture: Capture, folder: Path) -> Trial:
    """Return the trial of all that comes before the first step of a training, and that step.

    Parameters
    ----------
    scene : Scene
    capture : Capture
        Written into the folder, so that each trial has files of its own.
    folder : Path
    """
    write_capture(capture, "nerfstudio", folder)
    resolution, step = OCCUPANCY_RESOLUTION[default_preset(scene.device)], Step.of(scene)

    def call() -> None:
        opened = open_capture(folder)
        camera_notes(opened)
        capture_fingerprint(opened)
        space = _space(opened)
        views, grid = opened.split("train"), OccupancyGrid(space, resolution).to(scene.device)
        with PixelTable.open(views, scene.device, origin=space.origin) as pixels:
            exclude_unseen(grid, pixels.cameras, scene.seed)
            step.take(pixels)

    return Trial(len(open_capture(folder).split("train")), call)
