"""The contract of encoders."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class ParameterGroup:
    """Parameters that are optimised alike.

    Attributes
    ----------
    parameters : list of nn.Parameter
    learning_rate : float
        Base rate, before the schedule.
    rule : str
        ``"adam"``; ``"adam_rows"`` for large tables of which a step touches few rows: rows without
        gradient are left as they are, moments included; ``"muon"`` for matrices.
    """

    parameters: list[nn.Parameter]
    learning_rate: float
    rule: Literal["adam", "adam_rows", "muon"] = "adam"


def random_parameter(rows: int, columns: int, deviation: float) -> nn.Parameter:
    """Return a table of normal random numbers; without values on the device ``"meta"``."""
    values = torch.empty(rows, columns)
    if not values.is_meta:  # there, random numbers would import for a second
        values = deviation * torch.randn(rows, columns)
    return nn.Parameter(values)


def muon_groups(*networks: nn.Module) -> list[ParameterGroup]:
    """Return groups of networks' parameters: matrices by Muon, biases by Adam.

    Muon brought a distilled network 3.6 dB nearer to its teacher than Adam. The small networks of a
    hash grid keep Adam, because Muon was unstable for them on a small scene.
    """
    parameters = [parameter for network in networks for parameter in network.parameters()]
    matrices = [parameter for parameter in parameters if parameter.ndim == 2]
    biases = [parameter for parameter in parameters if parameter.ndim == 1]
    groups = [ParameterGroup(matrices, 3e-2, "muon"), ParameterGroup(biases, 1e-2)]
    return [group for group in groups if group.parameters]


Projection = Literal["none", "fit", "take"]
"""Ways to start from known features: none, a fit to them at points, or a copy at vertices."""


class Encoder(nn.Module):
    """Block 1: points of the cube [-1, 1]^3 -> features.

    Feature 0 is the log-density per unit of the cube.

    Attributes
    ----------
    width : int
        Number of features.
    cpu_samples : int
        Visible samples that a training step on a CPU aims at.
    start_log_density : float
        Approximate log-density of a new encoder, per unit of the cube.
    projection : str
        ``"none"`` for a network, which has no values in space to start from; ``"fit"`` where
        `begin_projection` prepares a fit to features at points; ``"take"`` where it copies the
        features itself.
    """

    width: int
    cpu_samples: int = 1 << 15
    start_log_density: float = 0.0
    projection: Projection = "none"

    def forward(self, points: Tensor) -> Tensor:
        """Return features (N, width) float32 of points (N, 3) float32 in [-1, 1]."""
        raise NotImplementedError

    def glance(self, points: Tensor) -> tuple[Tensor, Tensor | None]:
        """Return the log-density (N,), and what helps `forward` at the same points: (K, N) or None.

        An encoder that returns something takes it as `forward`'s second argument.
        """
        return self.log_density(points), None

    def log_density(self, points: Tensor) -> Tensor:
        """Return the log-density (N,) per unit of the cube; skip other features where possible."""
        return self(points)[:, 0]

    def parameter_groups(self) -> list[ParameterGroup]:
        """Return the parameters that training optimises."""
        raise NotImplementedError

    def network_groups(self, *networks: nn.Module) -> list[ParameterGroup]:
        """Return the groups of networks that learn with this encoder: its own and the decoder."""
        parameters = [parameter for network in networks for parameter in network.parameters()]
        return [ParameterGroup(parameters, learning_rate=1e-2)] if parameters else []

    def start_dense(self) -> None:
        """Start from a density of about 1 where an encoder would start from thin fog.

        Thin fog is for training from pictures, which make dense fog vanish. A teacher gives the
        density of every sample, and a student learns no colour from samples of little weight.
        """

    def refine(self, fraction: float, occupied: Callable[[Tensor], Tensor]) -> bool:
        """Go from coarse to fine as training proceeds.

        Parameters
        ----------
        fraction : float
            Fraction of the budget that is spent, 0 to 1.
        occupied : callable
            (N, 3) points of the cube -> (N,) bool, whether the field may hold density there.

        Returns
        -------
        bool
            True when parameters were replaced, so that an optimiser must start again.
        """
        return False

    def begin_projection(
        self, target: Callable[[Tensor], Tensor], occupied: Callable[[Tensor], Tensor]
    ) -> None:
        """Prepare to start from known features instead of noise, in the way of `projection`.

        Parameters
        ----------
        target : callable
            (N, 3) points of the cube -> (N, width) wanted features.
        occupied : callable
            (N, 3) points of the cube -> (N,) bool, whether the field may hold density there.
        """

    def keep_vertices(self, kept: Callable[[Tensor], Tensor]) -> None:
        """Keep the values of only some vertices.

        Parameters
        ----------
        kept : callable
            (M, 3) points of the cube -> (M,) bool.

        Raises
        ------
        TypeError
            The encoder has no values at vertices.
        """
        raise TypeError(f"{type(self).__name__} has no values at vertices")
