"""Teachers: training a field from a capture's images."""

from pathlib import Path

from bpy.types import Object

from ..jobs import tasks
from ..jobs.tasks import FieldSettings
from .shared import chosen_device, do, owner


def train(
    frame: Object,
    arch: str = "hash",
    *,
    preset: str | None = None,
    budget: float | None = None,
    steps: int | None = None,
    seed: int = 0,
    until_psnr: float | None = None,
    volume_resolution: int | None = None,
    wait: bool = True,
) -> Path | None:
    """Train a teacher from the capture's images.

    Parameters
    ----------
    frame : Object
    arch : str
        ``"hash"``, ``"mlp"``, ``"sparse_tensor"``, ``"vm"`` or ``"cp"``; or several of them in
        parallel: ``"hash+vm"``.
    preset : str, optional
        ``"small"`` or ``"full"``; without it, small on a CPU and full on a GPU.
    budget : float, optional
        Time limit, seconds.
    steps : int, optional
        Number of steps, instead of the budget.
    seed : int
    until_psnr : float, optional
        PSNR to a validation image, in dB, at which training ends even before the budget is spent.
    volume_resolution : int, optional
        Voxels along the longest side of the box; extracts the volume of the new field as well.
    wait : bool

    Returns
    -------
    Path or None
        The field's file.
    """
    settings = FieldSettings(arch, preset, budget, steps, seed, until_psnr)
    return do(tasks.training(owner(frame), settings, chosen_device(), volume_resolution), wait)
