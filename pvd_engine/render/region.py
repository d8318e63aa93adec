"""Cameras from which a light field was not taught: its pictures from there are guesses."""

from collections.abc import Sequence

import numpy as np

from ..data.capture import View
from ..fields.base import Renderable


def views_outside(field: Renderable, views: Sequence[View]) -> list[str]:
    """Return the names of the views whose camera is outside the region that a field knows.

    See `Renderable.taught_from`.
    """
    if not views:
        return []
    known = field.taught_from(np.stack([view.camera.camera_to_world[:3, 3] for view in views]))
    return [view.name for view, is_known in zip(views, known, strict=True) if not is_known]


def outside_warnings(outside: Sequence[str], views: Sequence[View]) -> list[str]:
    """Return one sentence about the views outside, or nothing.

    Parameters
    ----------
    outside : sequence of str
        From `views_outside`.
    views : sequence of View
        All requested views.
    """
    if not outside:
        return []
    count = (
        "The camera stands" if len(views) == 1 else f"{len(outside)} of {len(views)} cameras stand"
    )
    return [
        f"{count} outside the region that this light field was taught from; its pictures from "
        "there are guesses."
    ]
