"""Field files: one ``.safetensors`` file holds all that is needed to render a field.

The tensors are the field's parameters and its occupancy bits (``occupancy.bits``, packed eight to
a byte). The JSON header stands in the safetensors metadata under ``pvd_field``:

====================  ====================================================================
``format``            ``"pvd-field"``, with ``version``
``kind``              ``"radiance_field"``, ``"gaussians"``, ``"edited_field"``,
                      ``"merged_field"`` or ``"light_field"``
``architecture``      name, preset, encoder and decoder with their sizes; of splats their number,
                      degree and rules; of a merged field the names of its parts
``box``               (2, 3) corners of the scene, dataset frame
``frame``             kind and values of the map of space, apart from the box; files of older
                      versions lack it and have the map of a bounded scene. Its ``origin``, of a
                      scene far from that of the dataset, is the point from which the tensors,
                      ``reach``, edits and placements count positions
``step``              ray-marching step, dataset units; not of a light field
``reach``             of a light field: the region that it was taught in (`Reach`)
``occupancy``         cells along each axis
``units``             of density: ``"extinction per dataset unit"``; not of a light field
``color_space``       ``"srgb"``
``provenance``        dataset, parents by content hash, edits, settings, seed, metrics
====================  ====================================================================
"""

import hashlib
from pathlib import Path

import torch
from safetensors.torch import save_file

from ..errors import UserError
from ..files.atomic import write_atomic
from . import gaussians, light_field, radiance_field
from .base import Field, Renderable
from .header import encode_header, opened
from .light_field import LightField
from .limits import HeaderError, check_nesting
from .state import (
    STATE_FAULTS,
    UnknownKindError,
    any_field_from_state,
    field_state,
    register_kind,
)

HEADER_BYTES = 4096
"""Bytes that are reserved for the header of a field file, which is usually smaller."""

register_kind(radiance_field.KIND)
register_kind(light_field.KIND)
register_kind(gaussians.KIND)


def content_hash(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, by which provenance names parents."""
    with path.open("rb") as file:
        return "sha256:" + hashlib.file_digest(file, "sha256").hexdigest()


def stored_bytes(field: Field) -> int:
    """Return the approximate size of a field's file: its tensors and a header of usual length."""
    tensors, _ = field_state(field)
    return sum(tensor.nbytes for tensor in tensors.values()) + HEADER_BYTES


def save_field(path: Path, field: Renderable) -> None:
    """Write a field file, whole or not at all.

    Parameters
    ----------
    path : Path
        Ends in ``.safetensors``.
    field : Renderable

    Raises
    ------
    UserError
        The field holds more than `MAX_NESTING` levels of fields within fields.
    """
    tensors, header = field_state(field)
    try:
        check_nesting(header)
    except HeaderError as error:
        raise UserError(f"The field cannot be saved: it {error}.") from error
    metadata = encode_header(header)
    write_atomic(path, lambda temporary: save_file(tensors, temporary, metadata=metadata))


def load_any_field(path: Path, device: torch.device | str = "cpu") -> Renderable:
    """Read a field file of any kind.

    Raises
    ------
    UserError
        When the file does not exist, is no field file, holds an unknown kind of field or too many
        levels of fields within fields, or its tensors do not fit its header.
    """
    with opened(path, "pt") as (header, file):
        tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    try:
        field = any_field_from_state(tensors, header)
    except UnknownKindError as error:
        raise UserError(
            f"'{path}' holds a kind of field that this program does not know, {error}; update the "
            "program."
        ) from error
    except STATE_FAULTS as error:
        raise UserError(
            f"'{path}' is a damaged field file: its tensors do not fit its header; use a copy, or "
            "make the field again."
        ) from error
    return field.to(device).eval()


def load_field(path: Path, device: torch.device | str = "cpu") -> Field:
    """Read a file of a field that has density.

    Raises
    ------
    UserError
        As `load_any_field`, and for a light field.
    """
    field = load_any_field(path, device).with_density()
    if field is None:
        raise UserError(
            f"'{path}' is a light field, which has no density: it can be rendered, measured and "
            "exported, but not edited, merged, converted or turned into a volume; use its teacher."
        )
    return field


def load_light_field(path: Path, device: torch.device | str = "cpu") -> LightField:
    """Read a file of a light field.

    Raises
    ------
    UserError
        As `load_any_field`, and for a field of another kind.
    """
    field = load_any_field(path, device)
    if not isinstance(field, LightField):
        raise UserError(f"'{path}' is not a light field; convert it first with --to light_field.")
    return field
