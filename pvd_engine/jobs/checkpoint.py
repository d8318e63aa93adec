"""Checkpoints: tensors and a JSON header in one file, written atomically."""

import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from ..errors import UserError
from ..files.atomic import json_text, write_atomic

_KEY = "pvd_checkpoint"


def save_checkpoint(path: Path, tensors: dict[str, torch.Tensor], header: dict[str, Any]) -> None:
    """Write a checkpoint; a crash while writing leaves the previous one.

    Parameters
    ----------
    path : Path
        File to write; ends in ``.safetensors``.
    tensors : dict of str to Tensor
        On any device.
    header : dict
        JSON values by name.

    Raises
    ------
    UserError
        The file cannot be written.
    """
    own = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    # The format refuses tensors that share memory (views, tied parameters), so those are copied.
    seen: set[int] = set()
    for name, tensor in own.items():
        address = tensor.untyped_storage().data_ptr()
        if address in seen:
            own[name] = tensor.clone()
        seen.add(address)
    metadata = {_KEY: json_text(header)}
    write_atomic(path, lambda temporary: save_file(own, temporary, metadata=metadata))


def load_checkpoint(path: Path) -> tuple[dict[str, torch.Tensor], dict[str, Any]] | None:
    """Read a checkpoint.

    Returns
    -------
    tensors, header
        Tensors on the CPU. None when there is no checkpoint.

    Raises
    ------
    UserError
        The file is damaged.
    """
    if not path.is_file():
        return None
    try:
        with safe_open(path, framework="pt") as file:
            header = json.loads((file.metadata() or {})[_KEY])
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    except (SafetensorError, KeyError, ValueError, OSError) as error:
        raise UserError(
            f"The checkpoint '{path}' is damaged; delete it, or start again with --restart."
        ) from error
    return tensors, header
