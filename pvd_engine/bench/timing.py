"""The time that a call takes on a device."""

import time
from collections.abc import Callable
from typing import Any

import torch


def seconds(call: Callable[[], Any], device: torch.device) -> float:
    """Return the seconds of a call, from a device without work until it has none again."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    start = time.perf_counter()
    call()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - start
