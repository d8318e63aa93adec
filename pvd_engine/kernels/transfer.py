"""Copies from the processor to a device, for which the processor does not wait."""

import torch
from torch import Tensor

WITHOUT_PINNED = frozenset({"cpu", "mps"})
"""Types of devices that share their memory with the processor."""


def upload(values: Tensor, device: torch.device) -> Tensor:
    """Return values of the CPU on a device.

    The copy starts from pinned memory, in order with the work on the device. From other memory,
    the processor would wait until it is done.
    """
    if device.type in WITHOUT_PINNED:
        return values.to(device)
    return values.pin_memory().to(device, non_blocking=True)
