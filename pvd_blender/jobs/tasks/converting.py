"""The task that converts a field into another architecture, and its settings."""

from dataclasses import asdict, dataclass
from pathlib import Path

from bpy.types import Object

from ...scene.frame import CAPTURE, NAME
from ...state.properties import find_field
from ...state.settings import LIGHT_FIELD, architecture_label
from .making import FieldSettings
from .task import Task, chosen_downscale, client_notes


@dataclass(frozen=True)
class DistillSettings:
    """Settings of a conversion, with the engine's own names and defaults.

    Attributes
    ----------
    inherit : bool
        Copy the parts of the source field that fit the student.
    through : str or None
        ``"sparse_tensor"`` converts into a sparse tensor first.
    max_size : str or None
        Largest field file, such as ``"5MB"``.
    projection : bool
        Start from a direct projection of the source field, where the student can.
    stages : str
        Stages that take part: ``"123"``, ``"23"``, ``"13"`` or ``"3"``.
    density_constraint : bool
        Compare densities within a range only.
    hard_poses, hard_rays, hard_points : bool
        Learn again where the student has the largest errors.
    ray_points, ray_encoding, ray_interval, ray_skip_empty, ray_hard, ray_importance
        For light fields: number of points along a ray, their encoding (the preset's if None), the
        part of the ray that they lie in, and the choice of rays to learn from.
    fine_tune : float
        For light fields: fraction of the work, at its end, that learns from the images.
    report : bool
        Write a page with figures and pictures next to the field.
    """

    inherit: bool = False
    through: str | None = None
    max_size: str | None = None
    projection: bool = True
    stages: str = "123"
    density_constraint: bool = True
    hard_poses: bool = True
    hard_rays: bool = True
    hard_points: bool = True
    ray_points: int = 16
    ray_encoding: str | None = None
    ray_interval: str = "occupied"
    ray_skip_empty: bool = True
    ray_hard: bool = True
    ray_importance: bool = True
    fine_tune: float = 0.15
    report: bool = True


def converting(
    frame: Object,
    source: Path,
    settings: FieldSettings,
    device: str,
    distilling: DistillSettings,
    volume_resolution: int | None = None,
) -> Task:
    """Return the task that converts a field into another architecture."""
    # A capture's cameras may not see the other parts of a merged field, whose own file names the
    # cameras that see all of it.
    capture = None if _has_merged(frame, source) else frame[CAPTURE]
    arguments = settings.arguments() | asdict(distilling) | {
        "field": str(source),
        "to": settings.architecture,
        "capture": capture,
        "downscale": chosen_downscale(frame),
        "device": device,
    }  # fmt: skip
    if settings.architecture == LIGHT_FIELD:
        volume_resolution = None
    return Task(
        f"Convert to {architecture_label(settings.architecture)}",
        frame[NAME],
        "convert",
        arguments,
        outputs={"out": settings.file_name()},
        client=client_notes(frame, volume_resolution),
    )


def _has_merged(frame: Object, source: Path) -> bool:
    """Return whether a field is a merged one, or was made from one."""
    path, seen = str(source), set()
    while path and path not in seen:
        seen.add(path)
        item = find_field(frame, path)
        if item is None:
            return False
        if item.role == "MERGED":
            return True
        path = item.parent
    return False
