"""Block 2: features and view direction -> log-density and colour.

The first feature is the log-density in the cube; the others make the colour.
"""

from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from ..kernels.networks import fused, shaded_network
from .precision import matmul_precision, pad_rows

SH_0 = 0.28209479177387814
"""Harmonic of degree 0, the same in all directions: 1 / (2 sqrt(pi))."""


def spherical_harmonics(directions: Tensor, degree: int) -> Tensor:
    """Return the real spherical harmonics of unit directions, up to `degree` (0 to 4).

    The ordering and signs are those of Plenoxels, instant-ngp and 3DGS.

    Parameters
    ----------
    directions : (N, 3) float32
        Unit vectors.
    degree : int

    Returns
    -------
    (N, (degree + 1)**2) float32
    """
    x, y, z = directions.unbind(-1)
    basis = [torch.full_like(x, SH_0)]
    if degree > 0:
        c = 0.4886025119029199
        basis += [-c * y, c * z, -c * x]
    xx, yy, zz, xy, yz, xz = x * x, y * y, z * z, x * y, y * z, x * z
    if degree > 1:
        basis += [
            1.0925484305920792 * xy,
            -1.0925484305920792 * yz,
            0.31539156525252005 * (2 * zz - xx - yy),
            -1.0925484305920792 * xz,
            0.5462742152960396 * (xx - yy),
        ]
    if degree > 2:
        basis += [
            -0.5900435899266435 * y * (3 * xx - yy),
            2.890611442640554 * xy * z,
            -0.4570457994644658 * y * (4 * zz - xx - yy),
            0.3731763325901154 * z * (2 * zz - 3 * xx - 3 * yy),
            -0.4570457994644658 * x * (4 * zz - xx - yy),
            1.445305721320277 * z * (xx - yy),
            -0.5900435899266435 * x * (xx - 3 * yy),
        ]
    if degree > 3:
        basis += [
            2.5033429417967046 * xy * (xx - yy),
            -1.7701307697799304 * yz * (3 * xx - yy),
            0.9461746957575601 * xy * (6 * zz - xx - yy),
            -0.6690465435572892 * yz * (4 * zz - 3 * xx - 3 * yy),
            0.10578554691520431 * (8 * zz * (zz - 3 * (xx + yy)) + 3 * (xx + yy) ** 2),
            -0.6690465435572892 * xz * (4 * zz - 3 * xx - 3 * yy),
            0.47308734787878004 * (xx - yy) * (6 * zz - xx - yy),
            -1.7701307697799304 * xz * (xx - 3 * yy),
            0.6258357354491761 * (xx * (xx - 3 * yy) - yy * (3 * xx - yy)),
        ]
    return torch.stack(basis, dim=-1)


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
