"""The size at which a capture's images are read by default."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import median_low
from typing import Any, TypeVar

from ...jobs.device import processor
from ...jobs.job import Job
from ..capture import Capture, View
from ..readers import open_capture
from . import MAX_DOWNSCALE
from .downscale import downscaled
from .linear_light import stated_exposure

_Value = TypeVar("_Value")

LONGEST_SIDE = {"cpu": 800, "gpu": 2400}
"""Longest side of images, in pixels. On a CPU, where more is hardly learned in the usual time, that
of NeRF-Synthetic's images; on a GPU that of four megapixels."""

_WHY = {"cpu": "the work runs on a CPU", "gpu": "they are very large"}


def open_at_size(
    path: str | Path,
    wanted: int | None,
    device: str,
    job: Job,
    provenance: Mapping[str, Any] | None = None,
    exposure: float | None = None,
) -> Capture:
    """Read a dataset with images at a size that suits the work.

    Parameters
    ----------
    path : str or Path
    wanted : int or None
        Value of ``--downscale``. None takes the factor of a field's training, or else
        `automatic_factor`.
    device : str
        Its type, such as ``"cpu"``.
    job : Job
        The job, which warns when images are read smaller.
    provenance : mapping, optional
        Provenance of the field that is viewed.
    exposure : float, optional
        Stops by which images of linear light are brightened. Those of a field's training, or else
        none, when not given.

    Raises
    ------
    UserError
        As `open_capture`.
    """
    if exposure is None:
        exposure = trained_exposure(provenance)
    capture = open_capture(path, exposure=exposure or 0.0)
    if wanted is not None:
        return downscaled(capture, wanted)
    factor, why = trained_downscale(provenance), "the field was trained at that size"
    if factor is None:
        factor, why = (
            automatic_factor(capture.split("train") or capture.views, device),
            _WHY[processor(device)],
        )
    if factor > 1:
        job.warn(
            [
                f"Images are read at 1/{factor} of their width and height because {why}; "
                "--downscale 1 reads them at full size."
            ]
        )
    return downscaled(capture, factor)


def automatic_factor(views: Sequence[View], device: str) -> int:
    """Return the smallest divisor that brings the median longer side down to `LONGEST_SIDE`."""
    side = median_low(max(view.camera.width, view.camera.height) for view in views)
    return min(-(-side // LONGEST_SIDE[processor(device)]), MAX_DOWNSCALE)


def trained_downscale(provenance: Mapping[str, Any] | None) -> int | None:
    """Return the divisor of the images on which a field, or its source, was trained.

    Parameters
    ----------
    provenance : mapping or None
        Provenance of a field file.

    Returns
    -------
    int or None
        None where it is not stated, or where it differs between the parts of a merged field.
    """
    return _of_training(
        provenance, lambda one: known if isinstance(known := one.get("downscale"), int) else None
    )


def trained_exposure(provenance: Mapping[str, Any] | None) -> float | None:
    """Return the exposure of the linear light on which a field, or its source, was trained.

    Parameters
    ----------
    provenance : mapping or None
        Provenance of a field file.

    Returns
    -------
    float or None
        Stops; None where it is not stated, or where it differs between the parts of a merged field.
    """
    return _of_training(provenance, stated_exposure)


def _of_training(
    provenance: Mapping[str, Any] | None, read: Callable[[Mapping[str, Any]], _Value | None]
) -> _Value | None:
    """Return what `read` finds in a provenance, or else in those of all its sources alike."""
    if not provenance:
        return None
    if (known := read(provenance)) is not None:
        return known
    parents = [provenance.get("teacher_provenance") or provenance.get("parent_provenance")]
    found = {_of_training(one, read) for one in provenance.get("parent_provenances") or parents}
    return found.pop() if len(found) == 1 else None
