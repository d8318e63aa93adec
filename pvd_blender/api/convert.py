"""Students: converting a field into another architecture."""

from pathlib import Path

from bpy.types import Object

from ..jobs import tasks
from ..jobs.tasks import DistillSettings, FieldSettings
from .shared import chosen_device, do, owner, source


def convert(
    frame: Object,
    to: str = "mlp",
    field: str | Path | None = None,
    *,
    preset: str | None = None,
    budget: float | None = None,
    steps: int | None = None,
    seed: int = 0,
    until_psnr: float | None = None,
    inherit: bool = False,
    through: str | None = None,
    max_size: str | None = None,
    projection: bool = True,
    stages: str = "123",
    density_constraint: bool = True,
    hard_poses: bool = True,
    hard_rays: bool = True,
    hard_points: bool = True,
    ray_points: int = 16,
    ray_encoding: str | None = None,
    ray_interval: str = "occupied",
    ray_skip_empty: bool = True,
    ray_hard: bool = True,
    ray_importance: bool = True,
    fine_tune: float = 0.15,
    report: bool = True,
    volume_resolution: int | None = None,
    wait: bool = True,
) -> Path | None:
    """Convert a field into another architecture by distillation.

    Parameters
    ----------
    frame : Object
    to : str
        As `arch` in `train`, or ``"light_field"``: a network that renders a whole ray in one pass
        and has no density.
    field : path, optional
    preset, budget, steps, seed
        As in `train`.
    until_psnr : float, optional
        PSNR to the source field, in dB, at which the work ends even before the budget is spent.
    inherit : bool
        Copy the parts of the source field that fit the student.
    through : str, optional
        ``"sparse_tensor"`` converts into a sparse tensor first, the published method.
    max_size : str, optional
        Largest field file, such as ``"5MB"``; the student is made to fit.
    projection : bool
        Start grids and factors from a direct projection of the source field.
    stages : str
        Stages that take part, of 1 features, 2 density and colour of points, 3 rendered rays:
        ``"123"``, ``"23"``, ``"13"`` or ``"3"``.
    density_constraint : bool
        Compare densities only within the range in which a difference is visible.
    hard_poses, hard_rays, hard_points : bool
        Render again the views with the student's largest errors; cast again the rays with the
        largest errors; compare only the points that contribute most to each ray.
    ray_points, ray_encoding, ray_interval, ray_skip_empty
        For light fields: number of points along each ray; their encoding, by ``"frequencies"`` or
        by a ``"hash"`` grid (the preset's if None); the part of the ray that they lie in, its
        ``"occupied"`` cells, the ``"box"`` around all of them, or between ``"fixed"`` planes;
        whether rays without occupied cells are background without the network.
    ray_hard, ray_importance : bool
        For light fields: draw the hardest rays again; learn from few of those that show nothing.
    fine_tune : float
        For light fields: fraction of the work, at its end, that learns from the capture's images.
    report : bool
        Write ``<field>.report.html`` and ``.json`` next to the student's file.
    volume_resolution : int, optional
        Voxels along the longest side of the box; extracts the volume of the new field as well.
    wait : bool

    Returns
    -------
    Path or None
        The student's file.
    """
    settings = FieldSettings(to, preset, budget, steps, seed, until_psnr)
    distilling = DistillSettings(
        inherit=inherit,
        through=through,
        max_size=max_size,
        projection=projection,
        stages=stages,
        density_constraint=density_constraint,
        hard_poses=hard_poses,
        hard_rays=hard_rays,
        hard_points=hard_points,
        ray_points=ray_points,
        ray_encoding=ray_encoding,
        ray_interval=ray_interval,
        ray_skip_empty=ray_skip_empty,
        ray_hard=ray_hard,
        ray_importance=ray_importance,
        fine_tune=fine_tune,
        report=report,
    )
    teacher = source(frame, field)
    task = tasks.converting(
        owner(frame), teacher, settings, chosen_device(), distilling, volume_resolution
    )
    return do(task, wait)
