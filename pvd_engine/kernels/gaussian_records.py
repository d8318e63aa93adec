"""Gaussians in space as `gaussian_mixture` takes them: a record of each, and lists of cells."""

from dataclasses import dataclass

from torch import Tensor

RECORD = 13
"""Numbers of a Gaussian: its centre (3); the matrix (9), row by row, that takes an offset from the
centre to standard deviations along the Gaussian's axes; the logarithm of its density there (1)."""

REACH = 3.0
"""Distance from its centre, in standard deviations, up to which a Gaussian has density."""


@dataclass(frozen=True)
class CellLists:
    """The Gaussians that may have density in each cell of a grid.

    Attributes
    ----------
    offsets : (C + 1,) int32
        First entry of each cell, and their number.
    members : (E,) int32
        Gaussians of the cells, ascending in each.
    """

    offsets: Tensor
    members: Tensor
