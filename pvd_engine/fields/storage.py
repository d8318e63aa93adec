"""Field files: one ``.safetensors`` file holds all that is needed to render a field.

The tensors are the field's parameters and its occupancy bits (``occupancy.bits``, packed eight to
a byte). The JSON header stands in the safetensors metadata under ``pvd_field``:

====================  ====================================================================
``format``            ``"pvd-field"``, with ``version``
``kind``              ``"radiance_field"`` or ``"edited_field"``
``architecture``      name, preset, encoder and decoder with their sizes
``box``               (2, 3) corners of the scene, dataset frame
``step``              ray-marching step, dataset units
``occupancy``         cells along each axis
``units``             of density: ``"extinction per dataset unit"``
``color_space``       ``"srgb"``
``provenance``        dataset, parents by content hash, edits, settings, seed, metrics
====================  ====================================================================
"""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor

from ..errors import UserError
from ..jobs.files import write_atomic
from ..render.occupancy import OccupancyGrid
from .base import Field
from .header import encode_header, opened
from .radiance_field import RadianceField


def content_hash(path: Path) -> str:
    """SHA-256 of a file's bytes, by which provenance names parents."""
    with path.open("rb") as file:
        return "sha256:" + hashlib.file_digest(file, "sha256").hexdigest()


def radiance_field_state(field: RadianceField) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Tensors and header of a radiance field, as its file holds them."""
    tensors = {
        name: tensor.detach().cpu().contiguous()
        for name, tensor in field.state_dict().items()
        if not name.startswith("occupancy.")
    }
    bits = np.packbits(field.occupancy.binary.cpu().numpy().reshape(-1))
    tensors["occupancy.bits"] = torch.from_numpy(bits)
    header = {
        **field.header,
        "kind": "radiance_field",
        "box": field.box.double().cpu().tolist(),
        "step": field.step,
        "occupancy": field.occupancy.resolution,
        "units": "extinction per dataset unit",
    }
    return tensors, header


def radiance_field_from_state(tensors: dict[str, Tensor], header: dict[str, Any]) -> RadianceField:
    """The inverse of `radiance_field_state`."""
    resolution = int(header["occupancy"])
    occupancy = OccupancyGrid(torch.tensor(header["box"]), resolution)
    bits = np.unpackbits(tensors["occupancy.bits"].numpy(), count=resolution**3)
    occupancy.binary.copy_(torch.from_numpy(bits).view((resolution,) * 3))
    occupancy.values.copy_(occupancy.binary)
    field = RadianceField(header["architecture"], occupancy, float(header["step"]))
    parameters = {k: v for k, v in tensors.items() if k != "occupancy.bits"}
    parameters |= {f"occupancy.{k}": v for k, v in occupancy.state_dict().items()}
    field.load_state_dict(parameters)
    field.header = {
        key: header[key] for key in ("architecture", "color_space", "provenance") if key in header
    }
    return field


def save_field(path: Path, field: Field) -> None:
    """Write a field file, whole or not at all.

    Parameters
    ----------
    path : Path
        Ends in ``.safetensors``.
    field : Field
        A radiance field or an edited one.
    """
    from ..edit.edited_field import EditedField, edited_field_state

    if isinstance(field, EditedField):
        tensors, header = edited_field_state(field)
    elif isinstance(field, RadianceField):
        tensors, header = radiance_field_state(field)
    else:
        raise TypeError(f"{type(field).__name__} has no file form")
    metadata = encode_header(header)
    write_atomic(path, lambda temporary: save_file(tensors, temporary, metadata=metadata))


def load_field(path: Path, device: torch.device | str = "cpu") -> Field:
    """Read a field file.

    Raises
    ------
    UserError
        When the file does not exist, is no field file, or its tensors do not fit its header.
    """
    from ..edit.edited_field import edited_field_from_state

    with opened(path, "pt") as (header, file):
        tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    try:
        if header["kind"] == "edited_field":
            field: Field = edited_field_from_state(tensors, header)
        else:
            field = radiance_field_from_state(tensors, header)
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise UserError(
            f"'{path}' is a damaged field file: its tensors do not fit its header."
        ) from error
    return field.to(device).eval()
