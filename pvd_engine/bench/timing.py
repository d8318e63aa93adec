"""The time that a call takes on a device."""

import time
from collections.abc import Callable
from typing import Any, NamedTuple

import torch


class Spent(NamedTuple):
    """The time of a call, in seconds.

    Attributes
    ----------
    clock : float
        By the clock.
    processor : float
        Of all threads of this process together.
    """

    clock: float
    processor: float


def spent(call: Callable[[], Any], device: torch.device) -> Spent:
    """Return the time of a call, from a device without work until it has none again."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    processor, clock = time.process_time(), time.perf_counter()
    call()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return Spent(time.perf_counter() - clock, time.process_time() - processor)


def seconds(call: Callable[[], Any], device: torch.device) -> float:
    """Return the seconds of a call by the clock, as `spent` does."""
    return spent(call, device).clock
