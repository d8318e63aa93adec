"""Several encoders side by side."""

import functools
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from .base import Encoder, ParameterGroup


class CompositionEncoder(Encoder):
    """The sum of several encoders' features.

    Each encoder ends in a linear map (or is one), so that a sum is what a linear layer makes of
    all their features side by side.

    Parameters
    ----------
    parts : sequence of Encoder
        At least two, of the same width.
    """

    def __init__(self, parts: Sequence[Encoder]) -> None:
        super().__init__()
        if len({part.width for part in parts}) != 1:
            raise ValueError("the parts of a composition must have the same width")
        self.parts = nn.ModuleList(parts)
        self.width = parts[0].width
        self.cpu_samples = min(part.cpu_samples for part in parts)
        # Parts that take all of the features themselves would leave nothing to the others.
        fitted = any(part.projection == "fit" for part in parts)
        self.projection = "fit" if fitted else "none"
        starts = [part.start_log_density for part in parts]
        self.start_log_density = min(starts)
        # A sum of thin fogs would be so thin that pictures teach it nothing.
        self.surplus = self.start_log_density - sum(starts)

    def _encoders(self) -> list[Encoder]:
        return list(self.parts)  # type: ignore[arg-type]

    def forward(self, points: Tensor) -> Tensor:
        """Features (N, width) of points (N, 3)."""
        features = functools.reduce(torch.add, (part(points) for part in self._encoders()))
        features[:, 0] += self.surplus
        return features

    def log_density(self, points: Tensor) -> Tensor:
        """The sum of the log-densities."""
        densities = (part.log_density(points) for part in self._encoders())
        return functools.reduce(torch.add, densities) + self.surplus

    def parameter_groups(self) -> list[ParameterGroup]:
        """Those of all parts."""
        return [group for part in self._encoders() for group in part.parameter_groups()]

    def start_dense(self) -> None:
        """Let each part start dense."""
        for part in self._encoders():
            part.start_dense()

    def refine(self, fraction: float, occupied: Callable[[Tensor], Tensor]) -> bool:
        """Let each part go from coarse to fine."""
        return any([part.refine(fraction, occupied) for part in self._encoders()])

    def begin_projection(
        self, target: Callable[[Tensor], Tensor], occupied: Callable[[Tensor], Tensor]
    ) -> None:
        """Make the parts ready that can be fitted; all are fitted together."""
        for part in self._encoders():
            if part.projection == "fit":
                part.begin_projection(target, occupied)
