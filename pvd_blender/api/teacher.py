"""Teachers: training a field from a capture's images."""

from pathlib import Path

from bpy.types import Object

from ..jobs import tasks
from ..jobs.tasks import FieldSettings
from .shared import chosen, chosen_computing, do, owner


def train(
    frame: Object,
    arch: str = "hash",
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
    """Train a teacher from the capture's images.

    Parameters
    ----------
    frame : Object
    arch : str
        ``"hash"``, ``"mlp"``, ``"sparse_tensor"``, ``"vm"`` or ``"cp"``; several of them in
        parallel: ``"hash+vm"``; or ``"gaussians"``, with the option ``splats``, their number.
    preset : str, optional
        ``"small"`` or ``"full"``; without it, small on a CPU and full on a GPU.
    budget : float, optional
        Time limit, seconds.
    steps : int, optional
        Number of steps, instead of the budget.
    seed : int, optional
        Seed of all random numbers.
    until_psnr : float, optional
        PSNR to a validation image, in dB, at which training ends even before the budget is spent.
    volume_resolution : int, optional
        Voxels along the longest side of the box; extracts the volume of the new field as well.
    wait : bool
    **options
        Further options of the engine's ``train``, by name.

    Returns
    -------
    Path or None
        The field's file.
    """
    named = {"preset": preset, "steps": steps, "seed": seed, "until_psnr": until_psnr}
    settings = FieldSettings(arch, budget, chosen(named) | options)
    return do(tasks.training(owner(frame), settings, chosen_computing(), volume_resolution), wait)
