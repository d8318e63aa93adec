"""Sample a field's density and display colour to a grid."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..jobs.job import Job
from ..jobs.verb import Verb
from .option_kinds import Corners, FieldArguments, Resolution, check_suffix


@dataclass(frozen=True, kw_only=True)
class VolumeArguments(FieldArguments):
    """Sample a field's density and display colour to a grid.

    Density is extinction per unit length of the dataset's frame; the file also holds the grid's
    box. Blender writes it as VDB.

    Example: pvd volume lego.safetensors --resolution 128 --out lego.npz
    """

    out: Path
    """The file to write; ends in .npz."""

    resolution: Resolution = 128
    """Voxels along the longest side of the capture's box, or of --crop."""

    crop: Corners | None = None
    """Only this part: the corners x0 y0 z0 x1 y1 z1 of a box in the dataset frame."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_suffix(self.out, ".npz")


def run(arguments: VolumeArguments, job: Job) -> dict[str, Any]:
    """Read a field, sample it and write the grid as ``.npz``.

    Returns
    -------
    dict
        ``out``, ``shape`` of the grid, ``box``, its corners in the dataset frame, ``cell``, the
        side of a cell, ``filled_fraction``, ``largest_density``, ``warnings`` and ``size`` (bytes).
    """
    from ..data.geometry.bounds import crop_box
    from ..exchange.volume import sample_volume, save_volume
    from ..fields.storage import load_field
    from ..jobs.device import choose_device
    from ..jobs.fraction import fraction_reporter

    path, out = arguments.field, arguments.out
    field = load_field(path, choose_device(arguments.device))
    report = fraction_reporter(job)
    crop = None if arguments.crop is None else crop_box(arguments.crop)
    volume = sample_volume(field, arguments.resolution, crop=crop, report=report)
    report(1.0)
    save_volume(out, volume, path.stem)
    filled = volume.density > 0
    warnings = [] if filled.any() else ["The field is empty, and so is its volume."]
    job.warn(warnings)
    return {
        "out": str(out),
        "shape": list(volume.density.shape),
        "box": volume.box.tolist(),
        "cell": volume.cell,
        "filled_fraction": float(filled.mean()),
        "largest_density": float(volume.density.max()),
        "warnings": warnings,
        "size": out.stat().st_size,
    }


VERB = Verb("volume", VolumeArguments, run)
