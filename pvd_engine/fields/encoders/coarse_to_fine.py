"""Encoders whose grid grows finer as the budget is spent."""

from collections.abc import Callable
from typing import ClassVar

from torch import Tensor

from .base import Encoder


class CoarseToFineEncoder(Encoder):
    """An encoder over vertices that are resampled finer in stages.

    Attributes
    ----------
    stages : tuple of (float, float)
        Fraction of the budget at which each stage begins, and divisor of the target resolution.
    target_resolution : int
        Vertices along each axis when fully refined.
    """

    stages: ClassVar[tuple[tuple[float, float], ...]]
    target_resolution: int

    @property
    def resolution(self) -> int:
        """Vertices along each axis now."""
        raise NotImplementedError

    def resample(self, resolution: int, occupied: Callable[[Tensor], Tensor]) -> None:
        """Give the grid another resolution where the field may hold density.

        Parameters
        ----------
        resolution : int
            Vertices along each axis.
        occupied : callable
            (N, 3) points of the cube -> (N,) bool.
        """
        raise NotImplementedError

    def refine(self, fraction: float, occupied: Callable[[Tensor], Tensor]) -> bool:
        """Resample finer when the next of `stages` is reached."""
        reached = [divisor for start, divisor in self.stages if fraction >= start]
        wanted = max(round(self.target_resolution / reached[-1]), 2) if reached else 0
        if wanted <= self.resolution:
            return False
        self.resample(wanted, occupied)
        return True
