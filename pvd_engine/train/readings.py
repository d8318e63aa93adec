"""Losses and metrics of steps, read from an accelerator many at a time.

To read a number, the processor waits until the device has done all work, and the device then waits
for new work.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from ..jobs.device import processor
from .picture_error import decibels

READ_EVERY = {"cpu": 1, "gpu": 16}
"""Steps that are read at a time, by device."""

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
        self._steps: list[tuple[int, float, dict[str, float | None]]] = []
        self._numbers: list[Tensor] = []  # of each step its loss, then its errors

    def add(self, step: int, seconds: float, loss: Tensor, metrics: Metrics) -> None:
        """Add one step, without waiting for its loss () and its errors."""
        errors = [value.detach() for value in metrics.values() if isinstance(value, Tensor)]
        self._numbers += [loss.detach(), *errors]
        shown = {k: None if isinstance(v, Tensor) else float(v) for k, v in metrics.items()}
        self._steps.append((step, seconds, shown))

    @property
    def due(self) -> bool:
        """Whether so many steps wait that they should be read."""
        return len(self._steps) >= self.every

    def take(self) -> list[Reading]:
        """Read all steps that wait, in one copy from the device."""
        if not self._steps:
            return []
        numbers = iter(torch.stack(self._numbers).tolist())
        readings = [
            Reading(
                step, seconds, next(numbers), {k: _figure(v, numbers) for k, v in shown.items()}
            )
            for step, seconds, shown in self._steps
        ]
        self._steps, self._numbers = [], []
        return readings


def _figure(value: float | None, numbers: Iterator[float]) -> float:
    """Return a metric; for None, the PSNR of the error that was read next."""
    return decibels(next(numbers)) if value is None else value
