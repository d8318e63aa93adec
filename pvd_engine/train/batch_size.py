"""The number of samples of a step, and how it grows."""

from dataclasses import dataclass

from ..fields.base import Learner
from ..jobs.budget import Budget
from ..kernels.workload import STEP_SAMPLES, learning_bytes, workload

GPU_FACTOR = 1 << 6
"""Samples of a step on a GPU for each of a step on a CPU, where its memory suffices."""

GPU_FIRST_SAMPLES = 1 << 18
"""Visible samples with which a budget of time starts on a GPU: smaller steps take hardly less time
there."""

FIRST_SAMPLES = 1 / 4
"""Fraction of a step's samples with which a budget of time starts on a CPU. Early steps need only a
rough gradient, and many of them; the last ones average over all that one step may have."""


@dataclass(frozen=True)
class BatchSize:
    """Visible samples that steps aim at.

    Attributes
    ----------
    most : int
        Those of the last steps.
    first : float
        Fraction of them with which the first step starts.
    """

    most: int
    first: float = 1.0

    def at(self, fraction: float) -> float:
        """Return the samples of a step when a fraction of the budget is spent, 0 to 1."""
        return self.most * self.first ** (1 - fraction)


def batch_size(learner: Learner, budget: Budget, cpu_samples: int) -> BatchSize:
    """Return the samples of steps on a learner's device, as far as its memory suffices.

    They grow where time is counted. Where steps are counted, each is as good as it can be.

    Parameters
    ----------
    learner : Learner
        The field that learns from them.
    budget : Budget
    cpu_samples : int
        Samples of the last steps on a CPU.
    """
    fitting = workload(learner.device).most(STEP_SAMPLES, learning_bytes(learner))
    if learner.device.type == "cpu":
        most, first = min(cpu_samples, fitting), FIRST_SAMPLES
    else:
        most = min(cpu_samples * GPU_FACTOR, fitting)
        first = min(GPU_FIRST_SAMPLES / most, 1.0)
    return BatchSize(most, 1.0 if budget.seconds is None else first)
