"""What a measurement states about the machine that it was made on."""

from datetime import UTC, datetime
from typing import Any

import torch

from .. import __version__
from ..jobs.device import device_name
from ..kernels.launch import thread_count


def machine(device: torch.device) -> dict[str, Any]:
    """Return the machine, the program and the day, JSON.

    Returns
    -------
    dict
        ``device`` (its type), ``name`` of the device, ``threads`` of the CPU, ``version`` of this
        engine, and ``date`` (UTC).
    """
    return {
        "device": device.type,
        "name": device_name(device),
        "threads": thread_count(),
        "version": __version__,
        "date": datetime.now(UTC).date().isoformat(),
    }
