"""Students: converting a field into another architecture."""

from pathlib import Path

from bpy.types import Object

from ..jobs import tasks
from ..jobs.tasks import FieldSettings
from .shared import chosen, chosen_computing, do, owner, source


def convert(
    frame: Object,
    to: str = "mlp",
    field: str | Path | None = None,
    *,
    preset: str | None = None,
    budget: float | None = None,
    steps: int | None = None,
    seed: int | None = None,
    until_psnr: float | None = None,
    volume_resolution: int | None = None,
    wait: bool = True,
    **options: object,
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
    volume_resolution : int, optional
        Voxels along the longest side of the box; extracts the volume of the new field as well.
    wait : bool
    **options
        Further options of the engine's ``convert``, by name, such as ``max_size="5MB"``,
        ``stages="23"`` or ``hard_rays=False``; docs/scripts.md lists them.

    Returns
    -------
    Path or None
        The student's file.

    Raises
    ------
    ConvertFieldError
        When there is no such option.
    """
    named = {"preset": preset, "steps": steps, "seed": seed, "until_psnr": until_psnr}
    settings = FieldSettings(to, budget, chosen(named) | options)
    task = tasks.converting(
        owner(frame), source(frame, field), settings, chosen_computing(), volume_resolution
    )
    return do(task, wait)
