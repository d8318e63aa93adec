"""Float64 on the devices that have it."""

import torch
from torch import Tensor

WITHOUT_FLOAT64 = frozenset({"mps"})
"""Types of devices that compute in float32 at most: Apple's."""


def widest_dtype(device: torch.device) -> torch.dtype:
    """Return float64, or float32 for a device without it."""
    return torch.float32 if device.type in WITHOUT_FLOAT64 else torch.float64


def widest(values: Tensor) -> Tensor:
    """Return values in the widest dtype of their device."""
    return values.to(widest_dtype(values.device))


def sums_before(values: Tensor, offsets: Tensor, ray: Tensor) -> Tensor:
    """Return for each sample the sum of the values before it on its ray.

    One sum runs over all rays, so that in float32 late rays would lose their digits. A device
    without float64 leaves it to the CPU.

    Parameters
    ----------
    values : (S,) float32
        In the order of the rays.
    offsets : (R + 1,) int64
        First sample of each ray, and the number of samples.
    ray : (S,) int64
        Ray of each sample.

    Returns
    -------
    (S,) float32
    """
    device = values.device
    if device.type in WITHOUT_FLOAT64:
        values, offsets, ray = values.cpu(), offsets.cpu(), ray.cpu()
    sums = torch.nn.functional.pad(values.double().cumsum(0), (1, 0))
    return (sums[:-1] - sums[offsets[:-1]][ray]).float().to(device)
