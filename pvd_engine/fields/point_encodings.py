"""Encodings of the points on a ray, which a light field's network reads."""

from typing import Any

import torch
from torch import Tensor, nn

from ..kernels.hash_grid import HashGridLayout, hash_encode
from .encoders.base import ParameterGroup
from .encoders.mlp import positional_encoding

RAY_ENCODINGS: dict[str, dict[str, Any]] = {
    "frequencies": {"type": "frequencies", "frequencies": 10},
    "hash": {
        "type": "hash",
        "levels": 12,
        "features": 2,
        "log2_table_size": 17,
        "base_resolution": 16,
        "finest_resolution": 384,
    },
}
"""Descriptions of encodings by name: R2L's, and one that learns many times faster."""

START = 1e-2
"""Largest value in new hash tables, whose features are the network's only input."""


class PointEncoding(nn.Module):
    """An encoding: points of the cube [-1, 1]^3 -> features.

    Attributes
    ----------
    width : int
        Number of features of a point.
    """

    width: int

    def forward(self, points: Tensor) -> Tensor:
        """Return features (N, width) float32 of points (N, 3) float32."""
        raise NotImplementedError

    def parameter_groups(self) -> list[ParameterGroup]:
        """Return the parameters that training optimises, if there are any."""
        return []


class Frequencies(PointEncoding):
    """NeRF's positional encoding, as R2L has it.

    Parameters
    ----------
    frequencies : int
    """

    def __init__(self, frequencies: int) -> None:
        super().__init__()
        self.frequencies = frequencies
        self.width = 3 + 6 * frequencies

    def forward(self, points: Tensor) -> Tensor:
        """Return features (N, width) float32 of points (N, 3) float32."""
        return positional_encoding(points, self.frequencies)


class HashTables(PointEncoding):
    """The multiresolution hash grid of Instant-NGP.

    Parameters
    ----------
    levels, features, log2_table_size, base_resolution, finest_resolution : int
        As in its paper's table 1.
    """

    def __init__(self, **sizes: int) -> None:
        super().__init__()
        self.layout = HashGridLayout.between(**sizes)
        self.width = self.layout.width
        table = torch.empty(self.layout.rows, self.layout.features).uniform_(-START, START)
        self.table = nn.Parameter(table)

    def forward(self, points: Tensor) -> Tensor:
        """Return features (N, width) float32 of points (N, 3) float32."""
        return hash_encode((points + 1) / 2, self.table, self.layout)

    def parameter_groups(self) -> list[ParameterGroup]:
        """Return the tables; rows that a step does not touch stay as they are."""
        return [ParameterGroup([self.table], learning_rate=1e-2, rule="adam_rows")]


def make_point_encoding(spec: dict[str, Any]) -> PointEncoding:
    """Return the encoding of a light field's description."""
    sizes = {name: value for name, value in spec.items() if name != "type"}
    return {"frequencies": Frequencies, "hash": HashTables}[spec["type"]](**sizes)
