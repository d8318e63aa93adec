"""Block 2: features and view direction -> log-density and colour.

The first feature is the log-density in the cube; the others make the colour.
"""

from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from ..kernels.harmonics import spherical_harmonics
from ..kernels.networks import fused, shaded_network
from .precision import matmul_precision, pad_rows


class Decoder(nn.Module):
    """The colour part of block 2: features and view direction -> colour.

    Attributes
    ----------
    input_width : int
        Number of features that it needs from the encoder, the log-density included.
    harmonics_degree : int or None
        Degree of the spherical harmonics whose coefficients it takes; None for a network.
    """

    input_width: int
    harmonics_degree: int | None = None

    def forward(self, features: Tensor, directions: Tensor) -> Tensor:
        """Return colour (N, 3) in [0, 1]; features (N, input_width), directions (N, 3)."""
        raise NotImplementedError


class MlpDecoder(Decoder):
    """Spherical harmonics of the direction and 15 features through a small network.

    Instant-NGP's colour network, the block 2 that PVD uses for all of its architectures.

    Parameters
    ----------
    hidden : int
        Width of the hidden layers.
    layers : int
        Number of hidden layers.
    """

    input_width = 16

    def __init__(self, hidden: int = 64, layers: int = 2) -> None:
        super().__init__()
        widths = [16 + self.input_width - 1] + [hidden] * layers + [3]
        self.layers = nn.ModuleList(nn.Linear(a, b, bias=False) for a, b in pairwise(widths))

    def forward(self, features: Tensor, directions: Tensor) -> Tensor:
        """Return colour (N, 3) in [0, 1] from features (N, 16) and directions (N, 3)."""
        weights = list(self.parameters())
        if len(weights) == 3 and fused(features.device, weights):
            return torch.sigmoid(shaded_network(directions, features, weights))
        x = pad_rows(torch.cat((spherical_harmonics(directions, 3), features[:, 1:]), dim=-1))
        with matmul_precision(x.device):
            for layer in self.layers[:-1]:
                x = torch.relu(layer(x))
            x = self.layers[-1](x)
        return torch.sigmoid(x[: len(features)].float())


class ShDecoder(Decoder):
    """Spherical-harmonics coefficients dotted with the basis: Plenoxels' identity block 2.

    Parameters
    ----------
    degree : int
        Degree d has (d + 1)**2 coefficients a channel, stored channel by channel.
    """

    def __init__(self, degree: int = 2) -> None:
        super().__init__()
        self.degree = self.harmonics_degree = degree
        self.input_width = 1 + 3 * (degree + 1) ** 2

    def forward(self, features: Tensor, directions: Tensor) -> Tensor:
        """Return colour (N, 3) in [0, 1] from features (N, 1 + 3 (degree + 1)**2)."""
        basis = spherical_harmonics(directions, self.degree)
        coefficients = features[:, 1:].reshape(len(features), 3, (self.degree + 1) ** 2)
        return torch.sigmoid((coefficients * basis[:, None, :]).sum(dim=-1))


DECODERS: dict[str, type[Decoder]] = {"mlp": MlpDecoder, "sh": ShDecoder}


def make_decoder(spec: dict[str, Any]) -> Decoder:
    """Build a decoder from its JSON description, ``{"type": ..., **sizes}``."""
    sizes = {key: value for key, value in spec.items() if key != "type"}
    return DECODERS[spec["type"]](**sizes)
