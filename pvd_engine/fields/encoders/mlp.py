"""NeRF's network (Mildenhall et al. 2020) as PVD splits it: trunk, then a small density network."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from ..precision import ROWS, matmul_precision, pad_rows
from ..registry import EncoderArchitecture
from .base import Encoder, ParameterGroup, muon_groups

START_LOG_DENSITY = -3.0
"""Log-density of a new network, per unit of the cube: thin fog. From dense fog, a network that was
trained on pictures of mostly empty space became empty everywhere and stayed so."""

DENSE_POINTS = 4096
"""Points in the whole cube at which the density of a new network is evaluated."""


def positional_encoding(points: Tensor, frequencies: int) -> Tensor:
    """Return points with sines and cosines at frequencies 2^0 .. 2^(L-1) (NeRF, section 5.1).

    Parameters
    ----------
    points : (N, 3) float32
    frequencies : int

    Returns
    -------
    (N, 3 + 6 * frequencies) float32
    """
    scales = 2.0 ** torch.arange(frequencies, device=points.device)
    angles = (points[:, None, :] * scales[:, None]).flatten(1)
    return torch.cat((points, angles.sin(), angles.cos()), dim=-1)


class MlpEncoder(Encoder):
    """Positional encoding, a trunk with one skip connection, and PVD's density network.

    Parameters
    ----------
    width : int
        Output features.
    hidden, layers : int
        Width and number of the trunk's layers.
    skip : int
        The encoded point joins the input of this layer (counted from 0).
    frequencies : int
        Number of frequencies of the positional encoding.
    bottleneck : int
        Width between trunk and density network (28 in PVD: the width of its hash features).
    """

    cpu_samples = 1 << 13  # a sample costs many times what it costs in a hash grid
    start_log_density = START_LOG_DENSITY

    def __init__(
        self,
        width: int,
        hidden: int,
        layers: int,
        skip: int,
        frequencies: int,
        bottleneck: int = 28,
    ) -> None:
        super().__init__()
        self.width = width
        self.skip = skip
        self.frequencies = frequencies
        encoded = 3 + 6 * frequencies
        inputs = [encoded] + [hidden + (encoded if i == skip else 0) for i in range(1, layers)]
        outputs = [hidden] * (layers - 1) + [bottleneck]
        self.trunk = nn.ModuleList(nn.Linear(a, b) for a, b in zip(inputs, outputs, strict=True))
        self.hidden = nn.Linear(bottleneck, 64, bias=False)
        self.output = nn.Linear(64, width, bias=False)

    def forward(self, points: Tensor) -> Tensor:
        """Return features (N, width) of points (N, 3)."""
        if points.device.type != "cpu" or len(points) <= ROWS:
            return self._network(points)
        # In portions, so that activations stay in the cache.
        return torch.cat([self._network(part) for part in points.split(ROWS)])

    def _network(self, points: Tensor) -> Tensor:
        with matmul_precision(points.device):
            features = self.output(self._hidden(pad_rows(points)))[: len(points)].float()
        return torch.cat((features[:, :1] + START_LOG_DENSITY, features[:, 1:]), dim=-1)

    def _hidden(self, points: Tensor) -> Tensor:
        encoded = positional_encoding(points, self.frequencies)
        x = self.trunk[0](encoded)
        for index, layer in enumerate(self.trunk[1:], start=1):
            x = torch.relu(x)
            if index == self.skip:
                x = torch.cat((x, encoded.to(x.dtype)), dim=-1)
            x = layer(x)
        return torch.relu(self.hidden(x))

    @torch.no_grad()
    def start_dense(self) -> None:
        """Shift the density's weights along the mean of their inputs."""
        generator = torch.Generator().manual_seed(0)
        points = torch.rand((DENSE_POINTS, 3), generator=generator) * 2 - 1
        mean = self._hidden(points.to(self.output.weight.device)).mean(dim=0)
        self.output.weight[0] -= START_LOG_DENSITY * mean / (mean @ mean)

    def parameter_groups(self) -> list[ParameterGroup]:
        """Return the parameter groups of the network."""
        return self.network_groups(self)

    def network_groups(self, *networks: nn.Module) -> list[ParameterGroup]:
        """Return the groups of `muon_groups`."""
        return muon_groups(*networks)


def _scaled(sizes: Mapping[str, Any], fraction: float) -> dict[str, Any]:
    """Return narrower layers, in steps of 16."""
    return {"hidden": max(round(sizes["hidden"] * fraction**0.5 / 16) * 16, 16)}


ARCHITECTURE = EncoderArchitecture(
    label="Network",
    description="NeRF: one network and nothing else; a small file",
    good_for="NeRF: a network alone; a small file",
    encoder=MlpEncoder,
    decoder="mlp",
    presets={
        "full": {"hidden": 256, "layers": 8, "skip": 4, "frequencies": 10},
        "small": {"hidden": 256, "layers": 6, "skip": 3, "frequencies": 10},
    },
    scaled=_scaled,
)
