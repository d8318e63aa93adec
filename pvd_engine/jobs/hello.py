"""The first event of a job: versions and device of the engine."""

import platform
from typing import Any

from .. import PROTOCOL_VERSION, __version__


def hello(device: str | None) -> dict[str, Any]:
    """Return the versions of the engine and of its libraries, and the device.

    Parameters
    ----------
    device : str or None
        Value of ``--device``; None for a verb that computes nothing, so that it need not import
        torch.

    Returns
    -------
    dict
        ``engine``, ``protocol``, ``python``, ``platform``; ``torch`` and ``warp``, null where
        they are not installed; ``device``, null or its ``type``, ``name`` and ``cuda`` version.
    """
    return {
        "engine": __version__,
        "protocol": PROTOCOL_VERSION,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "torch": _version("torch"),
        "warp": _version("warp-lang"),
        "device": None if device is None else _describe_device(device),
    }


def _version(distribution: str) -> str | None:
    from importlib import metadata

    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


def _describe_device(name: str) -> dict[str, Any] | None:
    try:
        import torch
    except ImportError:
        return None  # the verb reports what is missing
    available = torch.cuda.is_available()
    if name == "cpu" or not available:
        processor = platform.processor() or platform.machine()
        return {"type": "cpu", "name": processor, "cuda": None}
    return {"type": "cuda", "name": torch.cuda.get_device_name(), "cuda": torch.version.cuda}
