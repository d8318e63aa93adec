"""The optimisation loop that training and distillation share: budget, progress, the end."""

import math
import time
from collections.abc import Callable

from torch import Tensor

from ..errors import Cancelled, UserError
from ..jobs.budget import Budget
from ..jobs.job import Job
from ..kernels.workload import held_bytes, retried, workload
from .ending import Ending
from .goal import Goal
from .history import History
from .optimizer import Moved
from .readings import Metrics, Readings
from .training import MIN_RAYS, Training

CHECKPOINT_SECONDS = 30.0
"""Seconds between two checkpoints."""

PROGRESS_SECONDS = 0.5
"""Seconds between two reports of progress."""

GOAL_STEPS = 50
"""Steps between two checks whether the field has reached its goal."""

PREVIEWS = 4
"""Pictures of a validation view over the whole budget, the one at its end included."""

WARM_UP_STEPS = 20
"""Steps in which the learning rate rises to its start."""

FINAL_RATE = 0.1
"""Fraction of its start to which the learning rate falls exponentially."""

FADING = 0.9
"""Factor of what earlier steps count at each step, in means of metrics and in the longest step."""

LESS_AT_A_TIME = "The device ran out of memory; steps take half of their samples now."

Objective = Callable[[int, float], tuple[Tensor, Metrics]]
"""(step, fraction of the steps' part of the budget that is spent) -> (loss, metrics)."""


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
    _warn_of_memory(training, job)
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


def _warn_of_memory(training: Training, job: Job) -> None:
    """Warn where the field alone takes more than the memory that is given."""
    given, held = workload(training.field.device).memory, held_bytes(training.field)
    if given is not None and held > given:
        job.warn(
            [
                f"The field and its optimiser alone take {held / 1e9:.1f} GB, more than the "
                f"{given / 1e9:.1f} GB that are given; choose a smaller size."
            ]
        )


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
