"""The device that a job runs on."""

import torch

from ..errors import UserError


def choose_device(name: str) -> torch.device:
    """Return the torch device of ``--device``.

    Parameters
    ----------
    name : str
        ``"auto"`` (CUDA where there is one), ``"cpu"`` or ``"cuda"``.

    Raises
    ------
    UserError
        CUDA is requested, and torch finds no CUDA device.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if name == "cuda" and not torch.cuda.is_available():
        raise UserError(
            "torch finds no CUDA device; use --device cpu, or install a CUDA build of torch."
        )
    return torch.device(name)
