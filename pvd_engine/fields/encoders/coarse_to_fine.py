"""Encoders whose grid grows finer as the budget is spent."""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import torch
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
    resolution : int
        Vertices along each axis now.
    """

    stages: ClassVar[tuple[tuple[float, float], ...]]
    target_resolution: int
    resolution: int

    def stored_sizes(self) -> dict[str, int | list[int]]:
        """Return the sizes of the grid that a state holds as tensors, by name.

        They are numbers here, because a step that read them from a device would wait for it.
        """
        raise NotImplementedError

    def take_sizes(self, sizes: Mapping[str, Any]) -> None:
        """Take what `stored_sizes` returned."""
        raise NotImplementedError

    def _save_to_state_dict(
        self, destination: dict[str, Any], prefix: str, keep_vars: bool
    ) -> None:
        super()._save_to_state_dict(destination, prefix, keep_vars)
        for name, size in self.stored_sizes().items():
            destination[prefix + name] = torch.tensor(size)

    def _load_from_state_dict(
        self, state_dict: dict[str, Any], prefix: str, *args: Any, **kwargs: Any
    ) -> None:
        names = list(self.stored_sizes())
        self.take_sizes({name: state_dict.pop(prefix + name).tolist() for name in names})
        super()._load_from_state_dict(state_dict, prefix, *args, **kwargs)

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
