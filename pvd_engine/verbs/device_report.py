"""What training computes on, and why."""

from typing import Any

import torch

from ..jobs.device import available_devices, choose_device, device_memory, device_name
from ..jobs.hello import version_of
from ..kernels.launch import has_bf16, thread_count, why_reference


def describe_device(name: str) -> dict[str, Any]:
    """Return what a training with ``--device`` computes on, and why.

    Parameters
    ----------
    name : str
        Value of ``--device``.

    Returns
    -------
    dict
        ``type`` of the device, ``why`` it is chosen, its ``name``, ``memory`` in bytes (null where
        the system does not say), ``threads`` of the CPU, ``bf16`` (whether it multiplies these
        numbers in hardware), ``kernels`` (``"warp"`` or ``"torch"``), ``why_kernels``, and the
        versions of ``torch`` and ``warp`` (null where it is missing).

    Raises
    ------
    UserError
        torch finds no such device.
    """
    device = choose_device(name)
    reason = why_reference(device)
    return {
        "type": device.type,
        "why": _why(name),
        "name": device_name(device),
        "memory": device_memory(device),
        "threads": thread_count(),
        "bf16": has_bf16(device.type),
        "kernels": "warp" if reason is None else "torch",
        "why_kernels": "Warp is installed and runs on this device" if reason is None else reason,
        "torch": torch.__version__,
        "warp": version_of("warp-lang"),
    }


def _why(name: str) -> str:
    """Return why a device is chosen."""
    if name != "auto":
        return f"--device {name} asks for it"
    others = available_devices()[1:]
    if not others:
        return "torch finds no GPU here"
    if "cuda" in others:
        return "torch finds a CUDA device"
    return f"torch finds no CUDA device; --device {others[0]} takes the other one"
