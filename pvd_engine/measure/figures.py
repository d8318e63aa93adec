"""Figures of a field's quality, each with its meaning and with what it was measured on.

There are two meanings. *PSNR to images* compares renders with a capture's images, *PSNR to source*
with renders of the field that a student was made from; both on white. A mapping of figures is JSON
with a `Figure` under ``psnr_to_images``, ``psnr_to_source`` and ``source_psnr_to_images``, the
PSNR to images of the source itself. A meaning that was not measured is null.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from .image_metrics import mean_psnr

TO_IMAGES = "psnr_to_images"
TO_SOURCE = "psnr_to_source"
SOURCE_TO_IMAGES = "source_psnr_to_images"


@dataclass(frozen=True)
class Figure:
    """A PSNR and what it was measured on.

    Attributes
    ----------
    psnr : float
        Mean of the views' PSNR, decibels.
    measured_on : str
        For people, such as ``"8 of 25 test views, 200 px"``; the pixels are those of the longest
        side of the largest view.
    quick : bool
        Measured in passing, on one small view; a report's figure is better.
    """

    psnr: float
    measured_on: str
    quick: bool = False

    def to_json(self) -> dict[str, Any]:
        """Return a JSON object."""
        return asdict(self)


def measured_on(count: int, of: int, split: str, side: int) -> str:
    """Return what a figure was measured on, for people.

    Parameters
    ----------
    count : int
        Number of views that were compared.
    of : int
        Number of views of the split.
    split : str
        Empty for cameras that no capture has.
    side : int
        Longest side of the largest view, pixels.
    """
    number = f"{count}" if count == of else f"{count} of {of}"
    views = f"{split} view{'s' * (of != 1)}".lstrip()
    return f"{number} {views}, {side} px"


def figure(
    decibels: Sequence[float | None], of: int, split: str, side: int, quick: bool = False
) -> dict[str, Any] | None:
    """Return the JSON of a figure, or None where no view was compared.

    Parameters
    ----------
    decibels : sequence of float or None
        PSNR of each view; None of a view that could not be compared.
    of, split, side, quick
        As for `measured_on` and `Figure`.
    """
    known = [value for value in decibels if value is not None]
    if not known:
        return None
    where = measured_on(len(known), of, split, side)
    return Figure(mean_psnr(known), f"quick: {where}" if quick else where, quick).to_json()
