"""New students."""

import copy
from typing import Any

import torch

from ..fields.architectures import make_field
from ..fields.base import Field
from ..fields.radiance_field import RadianceField


def make_student(spec: dict[str, Any], teacher: Field) -> RadianceField:
    """Return a new field in the teacher's map of space, with the teacher's empty cells.

    The cells that are empty are knowledge of the scene, not of the teacher's weights.
    """
    occupancy = copy.deepcopy(teacher.occupancy).cpu()
    student = make_field(spec, occupancy.space, occupancy)
    student.occupancy.values[student.occupancy.binary == 0] = -1
    student.start_dense()
    return student


@torch.no_grad()
def inherit(student: RadianceField, teacher: Field) -> list[str]:
    """Copy the teacher's parameters that have the same name and shape; return their names."""
    known = dict(teacher.named_parameters())
    copied = []
    for name, parameter in student.named_parameters():
        source = known.get(name)
        if source is not None and source.shape == parameter.shape:
            parameter.copy_(source)
            copied.append(name)
    return copied
