"""How large a capture's images are read where nobody says."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median_low
from typing import Any

from ...jobs.job import Job
from ..capture import Capture, View
from ..readers import open_capture
from . import MAX_DOWNSCALE
from .downscale import downscaled

LONGEST_SIDE = {"cpu": 800, "cuda": 2400}
"""Pixels that are enough: on a CPU, which in its time hardly learns more, the longer side of
NeRF-Synthetic's images; on a GPU that of four megapixels."""

_WHY = {"cpu": "the work runs on a CPU", "cuda": "they are very large"}


def open_at_size(
    path: str | Path,
    wanted: int | None,
    device: str,
    job: Job,
    provenance: Mapping[str, Any] | None = None,
) -> Capture:
    """Read a dataset whose images are as large as suits the work.

    Parameters
    ----------
    path : str or Path
    wanted : int or None
        What `--downscale` says; where it says nothing, images are as large as a field's training
        had them, or else as `automatic_factor` has them.
    device : str
        ``"cpu"`` or ``"cuda"``.
    job : Job
        Is told of a choice that makes images smaller.
    provenance : mapping, optional
        Of the field that is looked at.

    Raises
    ------
    UserError
        As `open_capture`.
    """
    capture = open_capture(path)
    if wanted is not None:
        return downscaled(capture, wanted)
    factor, why = trained_downscale(provenance), "the field was trained so"
    if factor is None:
        factor, why = (
            automatic_factor(capture.split("train") or capture.views, device),
            _WHY[device],
        )
    if factor > 1:
        job.warn(
            [
                f"Images are read at 1/{factor} of their width and height because {why}; "
                "--downscale 1 reads them whole."
            ]
        )
    return downscaled(capture, factor)


def automatic_factor(views: Sequence[View], device: str) -> int:
    """The smallest divisor that brings the median view's longer side to `LONGEST_SIDE`."""
    side = median_low(max(view.camera.width, view.camera.height) for view in views)
    return min(-(-side // LONGEST_SIDE[device]), MAX_DOWNSCALE)


def trained_downscale(provenance: Mapping[str, Any] | None) -> int | None:
    """By what the images were divided that a field, or what it was made from, was trained on.

    Parameters
    ----------
    provenance : mapping or None
        Of a field file.

    Returns
    -------
    int or None
        None where it does not say, or where the parts of a merged field had different ones.
    """
    if not provenance:
        return None
    if isinstance(known := provenance.get("downscale"), int):
        return known
    parents = [provenance.get("teacher_provenance") or provenance.get("parent_provenance")]
    found = {trained_downscale(one) for one in provenance.get("parent_provenances") or parents}
    return found.pop() if len(found) == 1 else None
