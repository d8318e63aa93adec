"""The yardstick of the hash-grid kernel: the operations of nerfstudio's torch implementation.

`HashEncoding.pytorch_fwd` of nerfstudio (field_components/encodings.py, Apache 2.0) hashes the 8
corners of every level at once into int64 index tensors, gathers 8 feature tensors, and blends them
axis by axis. This is that sequence, with its geometry: every level is hashed, none is dense.
"""

import torch
from torch import Tensor


def scalings(levels: int, coarsest: int, finest: int) -> Tensor:
    """Return the cells along an axis for each level (levels,), geometric and rounded down."""
    growth = (finest / coarsest) ** (1 / max(levels - 1, 1))
    return torch.floor(coarsest * growth ** torch.arange(levels))


def encode(points: Tensor, table: Tensor, scales: Tensor) -> Tensor:
    """Return the hash encoding as nerfstudio's torch implementation computes it.

    Parameters
    ----------
    points : (N, 3) float32
        In [0, 1].
    table : (levels * entries, F) float32
    scales : (levels,) float32
        From `scalings`.

    Returns
    -------
    (N, levels * F) float32
    """
    entries = len(table) // len(scales)
    offsets = torch.arange(len(scales), device=table.device) * entries
    primes = torch.tensor([1, 2654435761, 805459861], device=table.device)

    def rows(corner: Tensor) -> Tensor:
        product = corner * primes
        index = torch.bitwise_xor(product[..., 0], product[..., 1])
        index = torch.bitwise_xor(index, product[..., 2])
        return index % entries + offsets

    scaled = points[..., None, :] * scales.view(-1, 1)
    upper = torch.ceil(scaled).type(torch.int32)
    lower = torch.floor(scaled).type(torch.int32)
    weight = scaled - lower

    def corner(x: Tensor, y: Tensor, z: Tensor) -> Tensor:
        return table[rows(torch.stack((x[..., 0], y[..., 1], z[..., 2]), dim=-1))]

    def blend(high: Tensor, low: Tensor, axis: int) -> Tensor:
        fraction = weight[..., axis : axis + 1]
        return high * fraction + low * (1 - fraction)

    def face(z: Tensor) -> Tensor:
        front = blend(corner(upper, upper, z), corner(lower, upper, z), 0)
        back = blend(corner(upper, lower, z), corner(lower, lower, z), 0)
        return blend(front, back, 1)

    return torch.flatten(blend(face(upper), face(lower), 2), start_dim=-2, end_dim=-1)
