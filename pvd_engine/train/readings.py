"""Losses and metrics of steps, read from an accelerator many at a time.

To read a number, the processor waits until the device has done all work, and the device then waits
for new work.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from ..jobs.device import processor

READ_EVERY = {"cpu": 1, "gpu": 16}
"""Steps that are read at a time, by device."""

SMALLEST_ERROR = 1e-10
"""Mean squared error that counts as none: 100 dB."""

Metrics = dict[str, float | Tensor]
"""Metrics of a step by name; a tensor () is a mean squared error, which is shown as its PSNR."""


@dataclass(frozen=True)
class Reading:
    """The loss and the metrics of one step.

    Attributes
    ----------
    step : int
        Number of steps done.
    seconds : float
        Time spent by then.
    loss : float
    metrics : dict of str to float
        Errors as PSNR, decibels.
    """

    step: int
    seconds: float
    loss: float
    metrics: dict[str, float]


class Readings:
    """The steps that were not read yet.

    Parameters
    ----------
    device : torch.device
        Of the losses.
    """

    def __init__(self, device: torch.device) -> None:
        self.every = READ_EVERY[processor(device.type)]
        self._steps: list[tuple[int, float, Metrics]] = []
        self._losses: list[Tensor] = []

    def add(self, step: int, seconds: float, loss: Tensor, metrics: Metrics) -> None:
        """Add one step, without waiting for its loss () and its errors."""
        self._steps.append((step, seconds, metrics))
        self._losses.append(loss.detach())

    @property
    def due(self) -> bool:
        """Whether so many steps wait that they should be read."""
        return len(self._steps) >= self.every

    def take(self) -> list[Reading]:
        """Read all steps that wait, in one copy from the device."""
        if not self._steps:
            return []
        errors = [
            value.detach()
            for _, _, metrics in self._steps
            for value in metrics.values()
            if isinstance(value, Tensor)
        ]
        numbers = torch.stack([*self._losses, *errors]).tolist()
        losses, known = numbers[: len(self._losses)], iter(numbers[len(self._losses) :])
        readings = [
            Reading(step, seconds, loss, {name: _figure(v, known) for name, v in metrics.items()})
            for (step, seconds, metrics), loss in zip(self._steps, losses, strict=True)
        ]
        self._steps, self._losses = [], []
        return readings


def _figure(value: float | Tensor, errors: Iterator[float]) -> float:
    """Return a metric; for an error, the PSNR of the next that was read."""
    return decibels(next(errors)) if isinstance(value, Tensor) else value


def decibels(error: float) -> float:
    """Return the PSNR of a mean squared error of colours in [0, 1]."""
    return -10 * math.log10(max(error, SMALLEST_ERROR))
