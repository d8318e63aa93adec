"""Unit quaternions (w, x, y, z) and the rotations that they stand for."""

import torch
from torch import Tensor

UNIT_TOLERANCE = 1e-6
"""Deviation of a length from 1 up to which a quaternion is left as it is."""


def normalized(quaternions: Tensor) -> Tensor:
    """Return quaternions (N, 4) of unit length, float64; those of unit length stay as they are.

    So what was written to a file and read again has the same bits. One of zero length becomes NaN.
    """
    exact = quaternions.double()
    lengths = exact.norm(dim=-1, keepdim=True)
    return torch.where((lengths - 1).abs() <= UNIT_TOLERANCE, exact, exact / lengths)


def rotation_matrices(quaternions: Tensor) -> Tensor:
    """Return the rotation matrices (N, 3, 3) of unit quaternions (N, 4)."""
    w, x, y, z = quaternions.unbind(-1)
    rows = [
        1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y),
        2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x),
        2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y),
    ]  # fmt: skip
    return torch.stack(rows, dim=-1).reshape(*quaternions.shape[:-1], 3, 3)


def quaternions_of(matrices: Tensor) -> Tensor:
    """Return unit quaternions (N, 4), w >= 0, of rotation matrices (N, 3, 3).

    All four components are formed from each diagonal, and those from the largest are taken, whose
    root is far from zero (Shepperd, 1978).
    """
    m = matrices
    xx, yy, zz = m[:, 0, 0], m[:, 1, 1], m[:, 2, 2]
    yz, zx, xy = m[:, 2, 1] - m[:, 1, 2], m[:, 0, 2] - m[:, 2, 0], m[:, 1, 0] - m[:, 0, 1]
    sums = [m[:, 1, 0] + m[:, 0, 1], m[:, 0, 2] + m[:, 2, 0], m[:, 2, 1] + m[:, 1, 2]]
    candidates = torch.stack(
        [
            torch.stack([1 + xx + yy + zz, yz, zx, xy], dim=-1),
            torch.stack([yz, 1 + xx - yy - zz, sums[0], sums[1]], dim=-1),
            torch.stack([zx, sums[0], 1 - xx + yy - zz, sums[2]], dim=-1),
            torch.stack([xy, sums[1], sums[2], 1 - xx - yy + zz], dim=-1),
        ],
        dim=1,
    )
    largest = candidates.diagonal(dim1=1, dim2=2).argmax(dim=-1)
    chosen = candidates[torch.arange(len(m), device=m.device), largest]
    chosen = chosen / chosen.norm(dim=-1, keepdim=True)
    return torch.where(chosen[:, :1] < 0, -chosen, chosen)


def multiplied(first: Tensor, second: Tensor) -> Tensor:
    """Return the products (N, 4): the rotation `second` and then `first`; both broadcast."""
    a, b, c, d = first.unbind(-1)
    w, x, y, z = second.unbind(-1)
    product = [
        a * w - b * x - c * y - d * z,
        a * x + b * w + c * z - d * y,
        a * y - b * z + c * w + d * x,
        a * z + b * y - c * x + d * w,
    ]
    return torch.stack(product, dim=-1)
