"""Find what hangs in the air next to a field's large parts."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from tyro.conf import Positional

from ..errors import UserError
from ..jobs.job import Job
from ..jobs.verb import Verb
from .option_kinds import ComputingArguments, FieldPath, Resolution, Shown, check_suffix


@dataclass(frozen=True, kw_only=True)
class FloatersArguments(ComputingArguments):
    """Find what hangs in the air next to a field's large parts.

    Writes a grid that an edit can erase, {"op": "erase", "region": {"grid": "floaters.npz"}}, and
    the closed surface around it. Erases nothing by itself.

    Example: pvd floaters lego.safetensors --below 0.01 --out floaters.npz
    """

    field: Positional[FieldPath]
    """The field file; may be an edited or merged one."""

    out: Path
    """The file to write; ends in .npz."""

    below: Annotated[float, Shown("Smaller Than")] = 0.01
    """Size below which a part floats, as a fraction of the largest part's cells."""

    resolution: Resolution = 128
    """Cells along the longest side of the field's box."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_suffix(self.out, ".npz")
        if not 0 < self.below <= 1:
            raise UserError(f"--below must be above 0 and at most 1, not {self.below}.")


def run(arguments: FloatersArguments, job: Job) -> dict[str, Any]:
    """Read a field, and write the grid of its floaters and its surface as ``.npz``.

    Returns
    -------
    dict
        ``out``, ``parts``, the number of floaters, and ``fraction``, the fraction of the field's
        density in them.
    """
    import numpy as np

    from ..edit.floaters import find_floaters, parts_of, surface
    from ..exchange.volume import sample_volume
    from ..fields.storage import load_field
    from ..files.npz import write_npz
    from ..jobs.device import choose_device
    from ..jobs.fraction import fraction_reporter

    field = load_field(arguments.field, choose_device(arguments.device))
    report = fraction_reporter(job)
    volume = sample_volume(field, arguments.resolution, report=report)
    report(1.0)
    floating = find_floaters(volume.density * volume.cell, arguments.below)
    vertices, faces = surface(floating, volume.box, volume.cell)
    arrays = {
        "density": floating.astype(np.float32),
        "box": volume.box,
        "vertices": vertices,
        "faces": faces,
    }
    write_npz(arguments.out, arrays)
    total = float(volume.density.sum())
    return {
        "out": str(arguments.out),
        "parts": int(parts_of(floating).max()),
        "fraction": float(volume.density[floating].sum()) / total if total else 0.0,
    }


VERB = Verb("floaters", FloatersArguments, run)
