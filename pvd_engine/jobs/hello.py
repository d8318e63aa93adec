"""The first event of a job: versions and device of the engine."""

import platform
from typing import Any

from .. import PROTOCOL_VERSION, __version__
from ..errors import UserError
from .device import choose_device, device_name


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
        they are not installed; ``device``, null where there is none, or its ``type``, ``name`` and
        ``cuda`` version.
    """
    return {
        "engine": __version__,
        "protocol": PROTOCOL_VERSION,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "torch": version_of("torch"),
        "warp": version_of("warp-lang"),
        "device": None if device is None else _describe_device(device),
    }


def version_of(distribution: str) -> str | None:
    """Return the version of an installed library, or None where it is missing."""
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
    try:
        device = choose_device(name)
    except UserError:
        return None  # the verb reports what is wrong
    cuda = torch.version.cuda if device.type == "cuda" else None
    return {"type": device.type, "name": device_name(device), "cuda": cuda}
