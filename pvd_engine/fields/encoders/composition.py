"""Several encoders whose features are added."""

import functools
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from .base import Encoder, ParameterGroup


class CompositionEncoder(Encoder):
    """The sum of several encoders' features.

    Each encoder ends in a linear map (or is one), so that the sum is the same as a linear layer
    over the features of all of them.

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
        # A part that copied all of the features would leave nothing to the others.
        fitted = any(part.projection == "fit" for part in parts)
        self.projection = "fit" if fitted else "none"
        starts = [part.start_log_density for part in parts]
        self.start_log_density = min(starts)
        # The sum of several thin fogs would be too thin to learn from pictures.
        self.surplus = self.start_log_density - sum(starts)

    def _encoders(self) -> list[Encoder]:
        return list(self.parts)  # type: ignore[arg-type]

    def forward(self, points: Tensor) -> Tensor:
        """Return features (N, width) of points (N, 3)."""
        features = functools.reduce(torch.add, (part(points) for part in self._encoders()))
        features[:, 0] += self.surplus
        return features

    def log_density(self, points: Tensor) -> Tensor:
        """Return the sum of the log-densities."""
        densities = (part.log_density(points) for part in self._encoders())
        return functools.reduce(torch.add, densities) + self.surplus

    def parameter_groups(self) -> list[ParameterGroup]:
        """Return the groups of all parts."""
        return [group for part in self._encoders() for group in part.parameter_groups()]

    def start_dense(self) -> None:
        """Let each part start dense."""
        for part in self._encoders():
            part.start_dense()

    def refine(self, fraction: float, occupied: Callable[[Tensor], Tensor]) -> bool:
        """Let each part go from coarse to fine; return True when parameters were replaced."""
        return any([part.refine(fraction, occupied) for part in self._encoders()])

    def begin_projection(
        self, target: Callable[[Tensor], Tensor], occupied: Callable[[Tensor], Tensor]
    ) -> None:
        """Prepare the parts that can be fitted; all are fitted together."""
        for part in self._encoders():
            if part.projection == "fit":
                part.begin_projection(target, occupied)
