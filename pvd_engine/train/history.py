"""The curve of an optimisation: loss and PSNR over time, in a few hundred points."""

import math
from collections.abc import Sequence
from dataclasses import asdict, astuple, dataclass, fields, replace
from typing import Any

import torch
from torch import Tensor

LIMIT = 300
"""Most points of a curve; when there are more, neighbours are joined."""


@dataclass(frozen=True)
class Point:
    """The means over some consecutive steps.

    Attributes
    ----------
    step : int
        Number of steps done at their end.
    seconds : float
        Time spent by then, interruptions not counted.
    stage : int or None
        Stage of a distillation.
    loss : float
    psnr : float or None
        PSNR of the steps' rays, decibels; None where no colours were rendered.
    steps : int
        Number of these steps.
    """

    step: int
    seconds: float
    stage: int | None
    loss: float
    psnr: float | None
    steps: int = 1


class History:
    """The curve of an optimisation, in at most about `LIMIT` points.

    Each point is a mean over `stride` steps of one stage, so that noise averages out and no stage
    runs into the next.

    Parameters
    ----------
    points : sequence of Point
    stride : int
    """

    def __init__(self, points: Sequence[Point] = (), stride: int = 1) -> None:
        self.points = list(points)
        self.stride = stride

    def add(self, step: int, seconds: float, loss: float, metrics: dict[str, float]) -> None:
        """Add one step.

        Parameters
        ----------
        step : int
            Number of steps done.
        seconds : float
            Time spent by then.
        loss : float
        metrics : dict of str to float
            Metrics of the step: ``stage``, and ``psnr_to_source`` or ``psnr_to_images``.
        """
        stage = metrics.get("stage")
        psnr = metrics.get("psnr_to_source", metrics.get("psnr_to_images"))
        new = Point(step, seconds, None if stage is None else int(stage), loss, psnr)
        last = self.points[-1] if self.points else None
        if last is not None and last.steps < self.stride and last.stage == new.stage:
            self.points[-1] = joined(last, new)
            return
        self.points.append(new)
        if len(self.points) > LIMIT:
            self._thin()

    def _thin(self) -> None:
        """Join pairs of neighbours of one stage."""
        self.stride *= 2
        kept: list[Point] = []
        for point in self.points:
            fits = kept and kept[-1].stage == point.stage
            if fits and kept[-1].steps + point.steps <= self.stride:
                kept[-1] = joined(kept[-1], point)
            else:
                kept.append(point)
        self.points = kept

    def curves(self) -> dict[str, list[Any]]:
        """Return lists of equal length: ``step``, ``seconds``, ``stage``, ``loss``, ``psnr``."""
        names = ("step", "seconds", "stage", "loss", "psnr")
        return {name: [asdict(point)[name] for point in self.points] for name in names}

    def state(self) -> dict[str, Tensor]:
        """Return the curve for a checkpoint: a row of float64 for each point, NaN for None."""
        rows = [[math.nan if v is None else v for v in astuple(point)] for point in self.points]
        columns = len(fields(Point))
        return {
            "points": torch.tensor(rows, dtype=torch.float64).view(-1, columns),
            "stride": torch.tensor(self.stride),
        }

    def load_state(self, tensors: dict[str, Tensor]) -> None:
        """Take what `state` returned."""
        self.stride = int(tensors["stride"])
        self.points = [
            Point(
                int(step),
                seconds,
                None if math.isnan(stage) else int(stage),
                loss,
                None if math.isnan(psnr) else psnr,
                int(steps),
            )
            for step, seconds, stage, loss, psnr, steps in tensors["points"].tolist()
        ]


def joined(first: Point, second: Point) -> Point:
    """Return two successive points as one, each weighted by its number of steps."""
    steps = first.steps + second.steps
    fraction = first.steps / steps
    loss = fraction * first.loss + (1 - fraction) * second.loss
    if first.psnr is None or second.psnr is None:
        psnr = second.psnr if first.psnr is None else first.psnr
    else:
        psnr = fraction * first.psnr + (1 - fraction) * second.psnr
    return replace(second, loss=loss, psnr=psnr, steps=steps)
