"""The multiresolution hash grid of Instant-NGP (Müller et al. 2022) and its density network."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from ...kernels.hash_grid import HashGridLayout, hash_encode
from ...kernels.networks import encoded_network, fused
from ..precision import matmul_precision, pad_rows
from ..registry import EncoderArchitecture
from .base import Encoder, ParameterGroup


class HashEncoder(Encoder):
    """Hash tables, then a network of one hidden layer.

    Parameters
    ----------
    width : int
        Output features.
    levels, features, log2_table_size, base_resolution, finest_resolution : int
        The tables, as in the paper's table 1.
    hidden : int
        Width of the hidden layer.
    """

    def __init__(
        self,
        width: int,
        levels: int,
        features: int,
        log2_table_size: int,
        base_resolution: int,
        finest_resolution: int,
        hidden: int = 64,
    ) -> None:
        super().__init__()
        self.width = width
        self.layout = HashGridLayout.between(
            levels, features, log2_table_size, base_resolution, finest_resolution
        )
        table = torch.empty(self.layout.rows, features).uniform_(-1e-4, 1e-4)
        self.table = nn.Parameter(table)
        self.hidden = nn.Linear(levels * features, hidden, bias=False)
        self.output = nn.Linear(hidden, width, bias=False)

    def _encoded(self, points: Tensor, known: Tensor | None = None) -> Tensor:
        return hash_encode((points + 1) / 2, self.table, self.layout, known)

    def _network(self, encoded: Tensor) -> Tensor:
        weights = [self.hidden.weight, self.output.weight]
        if fused(encoded.device, weights):
            return encoded_network(encoded.t(), weights)
        with matmul_precision(encoded.device):
            features = self.output(torch.relu(self.hidden(pad_rows(encoded))))
        return features[: len(encoded)].float()

    def forward(self, points: Tensor, known: Tensor | None = None) -> Tensor:
        """Return features (N, width) of points (N, 3)."""
        return self._network(self._encoded(points, known))

    def glance(self, points: Tensor) -> tuple[Tensor, Tensor | None]:
        """Return the log-density (N,), and what the tables hold at the points."""
        encoded = self._encoded(points)
        return self._network(encoded)[:, 0], encoded.t()

    def parameter_groups(self) -> list[ParameterGroup]:
        """Return the tables, whose untouched rows are skipped as in the paper, and the network."""
        table = ParameterGroup([self.table], learning_rate=3e-2, rule="adam_rows")
        return [table, *self.network_groups(self.hidden, self.output)]


def _scaled(sizes: Mapping[str, Any], fraction: float) -> dict[str, Any]:
    """Return smaller tables, to a power of two."""
    entries = (1 << sizes["log2_table_size"]) * fraction
    return {"log2_table_size": max(int(entries).bit_length() - 1, 8)}


ARCHITECTURE = EncoderArchitecture(
    label="Hash Grid",
    description="Instant-NGP: hash tables and a small network; the fastest to train",
    good_for="Instant-NGP: the fastest to train",
    encoder=HashEncoder,
    decoder="mlp",
    presets={
        "full": {
            "levels": 14,
            "features": 2,
            "log2_table_size": 19,
            "base_resolution": 16,
            "finest_resolution": 2048,
        },
        "small": {
            "levels": 12,
            "features": 2,
            "log2_table_size": 17,
            "base_resolution": 16,
            "finest_resolution": 384,
        },
    },
    scaled=_scaled,
)
