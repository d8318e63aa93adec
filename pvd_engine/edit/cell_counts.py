"""Counts of the filled cells in blocks of a grid, by a summed-volume table.

Crow, "Summed-area tables for texture mapping", 1984, in three dimensions.
"""

import torch
from torch import Tensor


def summed_volume(filled: Tensor) -> Tensor:
    """Return a table of the number of filled cells before each corner of a grid.

    Parameters
    ----------
    filled : (X, Y, Z) bool or uint8
        Nonzero where a cell is filled.

    Returns
    -------
    (X + 1, Y + 1, Z + 1) int32
        ``table[i, j, k]`` is the number of filled cells in ``filled[:i, :j, :k]``.
    """
    table = torch.zeros(
        tuple(size + 1 for size in filled.shape), dtype=torch.int32, device=filled.device
    )
    counts = table[1:, 1:, 1:]
    counts.copy_(filled != 0)
    for axis in range(3):
        counts.cumsum_(axis)
    return table


def count_in_blocks(table: Tensor, first: Tensor, last: Tensor) -> Tensor:
    """Return the number of filled cells in each block of cells.

    Parameters
    ----------
    table : (X + 1, Y + 1, Z + 1) int32
        From `summed_volume`.
    first, last : (M, 3) int64
        First cell and the cell after the last, per axis; an empty block counts 0.

    Returns
    -------
    (M,) int64
    """
    last = torch.maximum(first, last)
    strides = (table.shape[1] * table.shape[2], table.shape[2], 1)
    ends = [(first[:, axis] * strides[axis], last[:, axis] * strides[axis]) for axis in range(3)]
    flat = table.view(-1)
    total = torch.zeros(len(first), dtype=torch.int64, device=table.device)
    for corner in range(8):
        picks = [(corner >> axis) & 1 for axis in range(3)]
        index = ends[0][picks[0]] + ends[1][picks[1]] + ends[2][picks[2]]
        sign = 1 if sum(picks) % 2 else -1
        total += sign * flat[index].long()
    return total
