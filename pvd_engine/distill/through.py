"""The published way to edit: through a sparse tensor."""

from dataclasses import replace

import torch

from ..edit.edited_field import EditedField, edited_occupancy, sharply_cut
from ..fields.architectures import architecture
from ..fields.radiance_field import RadianceField
from ..fields.storage import load_field, save_field
from ..jobs.budget import Budget
from ..jobs.job import Job
from .lesson import Lesson
from .student import make_student
from .teach import teach


def through_sparse_tensor(
    lesson: Lesson, preset: str, budget: Budget, seed: int, job: Job
) -> Lesson:
    """Teach a sparse tensor the field, edit its tensors, and return a lesson with it as teacher.

    This is the published way to edit (PVD, section 4.4). An unedited teacher is converted to the
    sparse tensor as it is.

    Returns
    -------
    Lesson
        With the edited sparse tensor as teacher.
    """
    path = job.checkpoints / "sparse_tensor-field.safetensors"
    if path.is_file():
        return replace(
            lesson, teacher=load_field(path, lesson.teacher.device), bridged=lesson.teacher
        )
    # Moves and tints cannot be made in tensors: the bridge learns a field that has them.
    edited = sharply_cut(lesson.teacher)
    base = lesson.teacher if edited is None else edited.base
    torch.manual_seed(seed)
    bridge = make_student(architecture("sparse_tensor", preset), base).to(base.device)
    unedited = replace(lesson, teacher=base, fine_tune=0.0)
    teach(bridge, unedited, budget, seed, job, checkpoint="sparse_tensor")
    if edited is not None:
        carve(bridge, edited)
    save_field(path, bridge)
    return replace(lesson, teacher=bridge, bridged=lesson.teacher)


def carve(field: RadianceField, edited: EditedField) -> None:
    """Drop the values of a sparse tensor where the edits of another field leave nothing."""
    field.keep_vertices(edited.mask)
    field.occupancy = edited_occupancy(field.occupancy, list(edited.edit_lists))  # type: ignore[arg-type]
