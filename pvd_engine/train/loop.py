"""The optimisation loop that training and distillation share: budget, checkpoints, progress."""

import dataclasses
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

import torch
from torch import Tensor, nn

from ..errors import Cancelled, UserError
from ..fields.base import Learner
from ..fields.encoders.base import ParameterGroup
from ..jobs.budget import Budget
from ..jobs.checkpoint import load_checkpoint, save_checkpoint
from ..jobs.job import Job
from ..kernels.workload import STEP_RAYS, retried, workload
from .ending import Ending
from .goal import Goal
from .history import History
from .optimizer import FieldOptimizer, Moved
from .readings import Metrics, Readings

CHECKPOINT_SECONDS = 30.0
"""Seconds between two checkpoints."""

PROGRESS_SECONDS = 0.5
"""Seconds between two reports of progress."""

GOAL_STEPS = 50
"""Steps between two checks whether the field has reached its goal."""

PREVIEWS = 4
"""Pictures of a validation view over the whole budget, the one at its end included."""

MIN_RAYS = 64
"""Rays per step, lower bound."""

WARM_UP_STEPS = 20
"""Steps in which the learning rate rises to its start."""

FINAL_RATE = 0.1
"""Fraction of its start to which the learning rate falls exponentially."""

CHECKPOINT_LAYOUT = 4
"""Number of the checkpoints' layout, raised when they hold their parts in another way."""

FADING = 0.9
"""Factor of what earlier steps count at each step, in means of metrics and in the longest step."""

LESS_AT_A_TIME = "The device ran out of memory; steps take half of their samples now."

Objective = Callable[[int, float], tuple[Tensor, Metrics]]
"""(step, fraction of the steps' part of the budget that is spent) -> (loss, metrics)."""

SomeLearner = TypeVar("SomeLearner", bound=Learner)


class Part(Protocol):
    """A part of a training that a resumed one needs, as an optimiser is."""

    def state(self) -> dict[str, Tensor]:
        """Return all that it has learned so far, by name."""
        ...

    def load_state(self, tensors: dict[str, Tensor]) -> None:
        """Take what `state` returned; the tensors may be on another device."""
        ...


@dataclasses.dataclass
class Training(Generic[SomeLearner]):
    """All that an interrupted optimisation needs to continue.

    Attributes
    ----------
    field : Learner
        The field that is optimised.
    optimizer : FieldOptimizer
    generator : torch.Generator
        Source of all randomness that continues from step to step, on the field's device.
    seed : int
        Start of the generator.
    checkpoint : str
        Name of its checkpoint in the job folder.
    step : int
    started : float
        Value of the monotonic clock at which it began; later where it was interrupted, so that
        interruptions do not count.
    elapsed : float
        Seconds spent from then on, as last counted.
    prepared : float
        Seconds that were spent before the first step.
    rays : float
        Rays of the next step; its whole part is cast.
    history : History
        Loss and PSNR so far.
    companion : nn.Module or None
        A network that learns next to the field and is dropped with the training.
    parts : dict of str to Part
        Everything else that a resumed training needs, by its name in checkpoints.
    """

    field: SomeLearner
    optimizer: FieldOptimizer
    generator: torch.Generator
    seed: int
    checkpoint: str = "latest"
    step: int = 0
    started: float = 0.0
    elapsed: float = 0.0
    prepared: float = 0.0
    rays: float = 256.0
    history: History = dataclasses.field(default_factory=History)
    companion: nn.Module | None = None
    parts: dict[str, Part] = dataclasses.field(default_factory=dict)

    @classmethod
    def start(
        cls,
        field: SomeLearner,
        seed: int,
        checkpoint: str = "latest",
        companion: nn.Module | None = None,
        parts: dict[str, Part] | None = None,
    ) -> "Training[SomeLearner]":
        """Return a training at step 0."""
        started = time.monotonic()
        return cls(
            field,
            FieldOptimizer(_groups(field, companion)),
            torch.Generator(field.device).manual_seed(seed),
            seed,
            checkpoint,
            started=started,
            companion=companion,
            parts=parts or {},
        )

    def _path(self, job: Job) -> Path:
        return job.checkpoints / f"{self.checkpoint}.safetensors"

    @property
    def optimised(self) -> float:
        """Seconds spent since the first step began."""
        return self.elapsed - self.prepared

    def count_time(self) -> None:
        """Count the time until now as spent."""
        self.elapsed = time.monotonic() - self.started

    def renew_optimizer(self) -> None:
        """Forget the moments, after parameters were replaced."""
        self.optimizer = FieldOptimizer(_groups(self.field, self.companion))

    def save(self, job: Job) -> None:
        """Write a checkpoint into the job folder."""
        states = {
            "field": self.field.state_dict(),
            "optimizer": self.optimizer.state(),
            "generator": {"state": self.generator.get_state()},
            "history": self.history.state(),
            **{name: part.state() for name, part in self.parts.items()},
        }
        if self.companion is not None:
            states["companion"] = self.companion.state_dict()
        tensors = {
            f"{part}.{name}": tensor
            for part, state in states.items()
            for name, tensor in state.items()
        }
        header = {
            "layout": CHECKPOINT_LAYOUT,
            "device": self.generator.device.type,
            "step": self.step,
            "elapsed": self.elapsed,
            "prepared": self.prepared,
            "rays": self.rays,
        }
        save_checkpoint(self._path(job), tensors, header)

    def resume(self, job: Job) -> bool:
        """Resume from the job folder's checkpoint.

        Returns
        -------
        bool
            False when there is none, or one of another version; the job then warns that the
            training starts again.

        Raises
        ------
        UserError
            The checkpoint is damaged, or of another training.
        """
        path = self._path(job)
        loaded = load_checkpoint(path)
        if loaded is None:
            return False
        tensors, header = loaded
        if header.get("layout") != CHECKPOINT_LAYOUT:
            job.warn(["The checkpoint is from another version, so the training starts again."])
            return False
        try:
            self._load(tensors)
            self._continue_generator(tensors["generator.state"], header)
            self.step, self.elapsed, self.rays = header["step"], header["elapsed"], header["rays"]
            self.started = time.monotonic() - self.elapsed
            self.prepared = header["prepared"]
        except (LookupError, RuntimeError, TypeError, ValueError) as error:
            raise UserError(
                f"The checkpoint '{path}' does not fit this training; start again with --restart."
            ) from error
        return True

    def _load(self, tensors: dict[str, Tensor]) -> None:
        """Take the tensors of a checkpoint."""

        def state_of(part: str) -> dict[str, Tensor]:
            prefix = f"{part}."
            return {k[len(prefix) :]: v for k, v in tensors.items() if k.startswith(prefix)}

        self.field.load_state_dict(state_of("field"))
        if self.companion is not None:
            self.companion.load_state_dict(state_of("companion"))
        self.renew_optimizer()  # the field may have other parameters now
        self.optimizer.load_state(state_of("optimizer"))
        self.history.load_state(state_of("history"))
        for name, part in self.parts.items():
            part.load_state(state_of(name))

    def _continue_generator(self, state: Tensor, header: dict[str, Any]) -> None:
        """Continue with the numbers of a checkpoint, which another kind of device cannot draw."""
        if header["device"] == self.generator.device.type:
            self.generator.set_state(state)
        else:
            self.generator.manual_seed(self.seed + header["step"])

    def aim(self, samples: int, wanted: float) -> None:
        """Choose the number of the next step's rays so that about `wanted` samples are visible.

        Parameters
        ----------
        samples : int
            Visible samples of this step's rays.
        wanted : float
            Less is aimed at after memory ran out.
        """
        load = workload(self.field.device)
        rays = int(self.rays) * wanted * load.scale / max(samples, 1)
        most = load.at_once(STEP_RAYS)
        self.rays = min(max(rays, self.rays / 2, MIN_RAYS), self.rays * 2, most)


def _groups(field: Learner, companion: nn.Module | None) -> list[ParameterGroup]:
    groups = field.parameter_groups()
    parameters = [] if companion is None else list(companion.parameters())
    return [*groups, ParameterGroup(parameters, learning_rate=1e-2)] if parameters else groups


def learning_rate_scale(step: int, fraction: float) -> float:
    """Return the factor of the rates: a warm-up, then exponential decay over the budget."""
    return min(1.0, (step + 1) / WARM_UP_STEPS) * FINAL_RATE ** min(fraction, 1.0)


def take_step(
    training: Training, objective: Objective, fraction: float, job: Job
) -> tuple[Tensor, Metrics]:
    """Take one step; where memory runs out, take it again from its start with half of its rays.

    The field and its optimiser change only when all that takes memory is computed.

    Parameters
    ----------
    training : Training
        Changed in place.
    objective : callable
    fraction : float
        Fraction of the steps' part of the budget that is spent.
    job : Job
        Gets a warning then.

    Returns
    -------
    loss : scalar Tensor
    metrics : Metrics
    """
    rays = training.rays

    def computed() -> tuple[Tensor, Metrics, list[list[Moved]]]:
        loss, metrics = objective(training.step, fraction)
        return loss, metrics, training.optimizer.gradients(loss)

    def take_less() -> None:
        nonlocal rays
        rays = training.rays = max(rays / 2, MIN_RAYS)
        job.warn([LESS_AT_A_TIME])

    loss, metrics, moved = retried(training.field.device, computed, take_less)
    training.optimizer.move(moved, learning_rate_scale(training.step, fraction))
    training.step += 1
    return loss, metrics


def optimise(
    training: Training,
    objective: Objective,
    budget: Budget,
    job: Job,
    ending: Ending,
    goal: Goal | None = None,
) -> None:
    """Minimise an objective until the budget is spent, or the field is good enough.

    Parameters
    ----------
    training : Training
        Changed in place.
    objective : callable
    budget : Budget
        Of the whole training: what came before the first step and what follows the last counts.
    job : Job
        Receives progress and checkpoints; its cancellation ends the optimisation.
    ending : Ending
        Shows the state of the field, and states the time to keep for the end.
    goal : Goal, optional
        Quality at which to stop; checked every `GOAL_STEPS` steps.

    Raises
    ------
    Cancelled
        The job was cancelled; a checkpoint is written first.
    UserError
        The loss is no longer a finite number.
    """
    training.count_time()
    if training.step == 0:
        training.prepared = training.elapsed
    reported = saved = time.monotonic()
    first_step, first_elapsed = training.step, training.elapsed
    readings = Readings(training.field.device)
    shown: dict[str, float] = {}  # running means of the metrics
    previews = int(budget.fraction(training.step, training.optimised) * PREVIEWS)
    longest = 0.0  # seconds of the longest of the last steps
    while True:
        limit, begun = budget.without(training.prepared + ending.seconds), time.monotonic()
        # Stop nearest to the limit: half a step may be too much.
        if training.step > 0 and limit.done(training.step, training.optimised + longest / 2):
            break
        fraction = limit.fraction(training.step, training.optimised)
        if training.field.refine(fraction):
            training.renew_optimizer()
        loss, metrics = take_step(training, objective, fraction, job)
        training.count_time()
        readings.add(training.step, training.elapsed, loss, metrics)
        now = time.monotonic()
        if training.step > first_step + 1:  # the first one loads kernels, too
            longest = max(FADING * longest, now - begun)
        cancelled, saving = job.cancelled, now - saved > CHECKPOINT_SECONDS
        if readings.due or cancelled or saving:
            _learn(readings, training.history, shown)
        if cancelled:
            training.save(job)
            raise Cancelled
        done = limit.fraction(training.step, training.optimised)
        if now - reported > PROGRESS_SECONDS:
            reported = now
            steps, seconds = training.step - first_step, training.elapsed - first_elapsed
            job.progress(
                step=training.step,
                fraction=done,
                rate=steps / seconds,
                unit="step",
                seconds_left=training.optimised * (1 - done) / max(done, 1e-6)
                + ending.seconds
                + job.seconds_after,
                doing=None,
                **shown,
            )
        if saving:
            saved = now
            training.save(job)
        if goal is not None and training.step % GOAL_STEPS == 0 and goal.reached(training.field):
            break
        if previews < int(done * PREVIEWS) < PREVIEWS:
            previews = int(done * PREVIEWS)
            ending.show()
            training.count_time()
    _learn(readings, training.history, shown)
    if training.step > first_step:  # what follows may be stopped, too
        training.save(job)


def _learn(readings: Readings, history: History, shown: dict[str, float]) -> None:
    """Read the steps that wait into the history and into the running means.

    Raises
    ------
    UserError
        A loss is not a finite number.
    """
    for reading in readings.take():
        if not math.isfinite(reading.loss):
            raise UserError(
                f"The training diverged in step {reading.step}: its loss is not a finite number; "
                "start again with another seed or a smaller preset."
            )
        for name, value in reading.metrics.items():
            shown[name] = FADING * shown.get(name, value) + (1 - FADING) * value
        history.add(reading.step, reading.seconds, reading.loss, reading.metrics)
