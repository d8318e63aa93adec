"""Cameras from which a light field was not taught: its pictures from there are guesses."""

from collections.abc import Sequence

import numpy as np

from ..data.capture import View
from ..data.poses import PoseDistribution
from ..fields.light_field import AnyField, LightField
from ..jobs.job import Job


def views_outside(field: AnyField, views: Sequence[View]) -> list[str]:
    """Names of the views whose camera stands where a light field was not taught.

    Fields with density can be looked at from anywhere, so for them there are none.
    """
    if not isinstance(field, LightField) or not views:
        return []
    region = PoseDistribution.from_json(field.reach.region)
    inside = region.contains(np.stack([view.camera.camera_to_world[:3, 3] for view in views]))
    return [view.name for view, known in zip(views, inside, strict=True) if not known]


def report_outside(field: AnyField, views: Sequence[View], job: Job) -> list[str]:
    """The same, with one sentence to whoever runs the job."""
    names = views_outside(field, views)
    if names:
        count = (
            "The camera stands"
            if len(views) == 1
            else f"{len(names)} of {len(views)} cameras stand"
        )
        job.emit(
            "message",
            text=f"{count} outside the region that this light field was taught from; "
            "what it shows from there is a guess.",
        )
    return names
