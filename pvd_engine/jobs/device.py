"""The device that a job runs on."""

import os
import platform
import re
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from ..errors import UserError

if TYPE_CHECKING:
    import torch


def processor(device_type: str) -> Literal["cpu", "gpu"]:
    """Return the kind of processor that a type of device is: limits are set by it."""
    return "cpu" if device_type == "cpu" else "gpu"


def available_devices() -> list[str]:
    """Return the types of devices that torch computes on here: the CPU, and one accelerator."""
    import torch

    accelerator = torch.accelerator.current_accelerator()
    if accelerator is None or not torch.accelerator.is_available():
        return ["cpu"]
    return ["cpu", accelerator.type]


def choose_device(name: str) -> "torch.device":
    """Return the torch device of ``--device``.

    Parameters
    ----------
    name : str
        ``"auto"`` (CUDA where there is one, else the CPU), or one of `available_devices`.

    Raises
    ------
    UserError
        torch finds no such device.
    """
    import torch

    available = available_devices()
    if name == "auto":
        return torch.device("cuda" if "cuda" in available else "cpu")
    if name not in available:
        raise UserError(
            f"torch finds no device '{name}' here; choose {' or '.join(['auto', *available])}, "
            "or install a build of torch for that device."
        )
    return torch.device(name)


def device_name(device: "torch.device") -> str:
    """Return the product's name of a device, or its processor's where torch has none."""
    import torch

    named = getattr(getattr(torch, device.type, None), "get_device_name", None)
    return _processor_name() if named is None else named()


def _processor_name() -> str:
    """Return the processor's product name, or its kind where the system does not say."""
    try:
        known = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        known = ""
    found = re.search(r"^model name[ \t]*:[ \t]*(\S.*)$", known, re.MULTILINE)
    return found[1] if found else platform.processor() or platform.machine()


def forget_peak_memory(device: "torch.device") -> None:
    """Let `peak_memory` count from now on."""
    import torch

    forget = getattr(getattr(torch, device.type, None), "reset_peak_memory_stats", None)
    if forget is not None:
        forget(device)


def peak_memory(device: "torch.device") -> int | None:
    """Return the most bytes that this process held on an accelerator; None where it is unknown."""
    import torch

    most = getattr(getattr(torch, device.type, None), "max_memory_allocated", None)
    return None if most is None else most(device)


def device_memory(device: "torch.device") -> int | None:
    """Return the bytes of a device's memory, or None where the system does not say."""
    import torch

    if device.type == "cpu":
        sizes = getattr(os, "sysconf_names", {})
        if "SC_PHYS_PAGES" not in sizes:
            return None
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if device.type == "mps":
        return torch.mps.recommended_max_memory()
    described = getattr(getattr(torch, device.type), "get_device_properties", None)
    return None if described is None else described(device).total_memory
