"""Cameras from which a light field was not taught: its pictures from there are guesses."""

from collections.abc import Sequence

import numpy as np

from ..data.capture import View
from ..data.geometry.poses import PoseDistribution
from ..fields.light_field import AnyField, LightField


def views_outside(field: AnyField, views: Sequence[View]) -> list[str]:
    """Names of the views whose camera stands where a light field was not taught.

    Fields with density can be looked at from anywhere, so for them there are none.
    """
    if not isinstance(field, LightField) or not views:
        return []
    region = PoseDistribution.from_json(field.reach.region)
    inside = region.contains(np.stack([view.camera.camera_to_world[:3, 3] for view in views]))
    return [view.name for view, known in zip(views, inside, strict=True) if not known]


def outside_warnings(outside: Sequence[str], views: Sequence[View]) -> list[str]:
    """One sentence about the views that stand outside, or none.

    Parameters
    ----------
    outside : sequence of str
        From `views_outside`.
    views : sequence of View
        All that were asked for.
    """
    if not outside:
        return []
    count = (
        "The camera stands" if len(views) == 1 else f"{len(outside)} of {len(views)} cameras stand"
    )
    return [
        f"{count} outside the region that this light field was taught from; what it shows from "
        "there is a guess."
    ]
