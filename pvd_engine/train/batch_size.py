"""The number of samples of a step, and how it grows."""

from dataclasses import dataclass

import torch

from ..jobs.budget import Budget

CUDA_SAMPLES = 1 << 18
"""Visible samples that a step on a GPU aims at; the number of rays follows."""

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


def batch_size(device: torch.device, budget: Budget, cpu_samples: int) -> BatchSize:
    """Return the samples of steps on a device.

    They grow on a CPU where time is counted. Where steps are counted, each is as good as it can be,
    and on a GPU small steps take hardly less time than large ones.

    Parameters
    ----------
    device : torch.device
    budget : Budget
    cpu_samples : int
        Samples of the last steps on a CPU.
    """
    if device.type != "cpu":
        return BatchSize(CUDA_SAMPLES)
    return BatchSize(cpu_samples, 1.0 if budget.seconds is None else FIRST_SAMPLES)
