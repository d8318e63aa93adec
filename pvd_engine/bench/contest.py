"""A contest: a fast kernel and a rival, on the same input."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True)
class Contest:
    """One kernel and its rival, on the same input.

    Attributes
    ----------
    name, rival : str
        The kernel, and the other side.
    unit : str
        Unit of `count`.
    count : int
        Amount of work in one call.
    fast, slow : callable
        One call of either side.
    """

    name: str
    rival: str
    unit: str
    count: int
    fast: Callable[[], Any]
    slow: Callable[[], Any]


def random_values(
    shape: tuple[int, ...], generator: torch.Generator, device: torch.device
) -> Tensor:
    """Return numbers of [0, 1) that are the same on every device."""
    return torch.rand(shape, generator=generator).to(device)
