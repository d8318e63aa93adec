"""Layers: fields over other fields, as masked, merged and edited fields are."""

import torch
from torch import Tensor

from ..fields.base import Field

MASKED = -30.0
"""Log of the density factor that stands for zero, 1e-13, and log-density where nothing is."""


class Layer(Field):
    """A field that shows other fields differently and leaves them as they are."""

    def holds(self, points: Tensor) -> Tensor:
        """Return whether anything may be left at each of points (N, 3): (N,) bool."""
        raise NotImplementedError

    def classify(self, low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
        """Return the axis-aligned cells of which certainly nothing, and certainly all is left.

        Parameters
        ----------
        low, high : (M, 3) float32
            Corners of the cells, dataset frame.

        Returns
        -------
        cleared, untouched : (M,) bool
        """
        unknown = torch.zeros(len(low), dtype=torch.bool, device=low.device)
        return unknown, unknown.clone()


def holds(field: Field, points: Tensor) -> Tensor:
    """Return whether a field of any kind may hold something at points (N, 3): (N,) bool."""
    if isinstance(field, Layer):
        return field.holds(points)
    return field.occupancy.contains(points)
