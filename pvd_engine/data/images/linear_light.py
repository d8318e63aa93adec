"""Captures with images of linear light (OpenEXR, Radiance HDR), and how they are shown."""

import contextlib
import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ...errors import UserError
from ...files.images import holds_linear_light, light_not_loaded
from ...files.linear_light import CURVE
from ..capture import Capture
from ..notes import counted, percentage
from . import MAX_STOPS

_KEY = "linear_light"
_TESTED_IMAGES = 4


def exposed(capture: Capture, stops: float) -> Capture:
    """Return a capture whose images of linear light, if it has any, are shown with an exposure.

    Parameters
    ----------
    capture : Capture
    stops : float
        Stops by which they are brightened.
    """
    linear = {
        view.image_path
        for view in capture.views
        if view.image_path is not None and holds_linear_light(view.image_path)
    }
    if not linear:
        return capture
    views = tuple(
        replace(view, exposure=stops) if view.image_path in linear else view
        for view in capture.views
    )
    note = _note(sorted(linear), stops)
    return replace(capture, views=views, notes=(*capture.notes, note), exposure=stops)


def linear_light(capture: Capture) -> dict[str, Any]:
    """Return what a field's provenance says of the linear light that it was trained on.

    Returns
    -------
    dict
        ``linear_light`` with ``curve`` and ``exposure`` (stops); empty where there was none.
    """
    if capture.exposure is None:
        return {}
    return {_KEY: {"curve": f"{CURVE}, clipped to [0, 1]", "exposure": capture.exposure}}


def stated_exposure(provenance: Mapping[str, Any]) -> float | None:
    """Return the exposure that a provenance itself states, in stops, or None."""
    light = provenance.get(_KEY)
    stops = light.get("exposure") if isinstance(light, Mapping) else None
    if not isinstance(stops, int | float) or isinstance(stops, bool):
        return None
    return float(stops) if math.isfinite(stops) and abs(stops) <= MAX_STOPS else None


def _note(paths: list[Path], stops: float) -> str:
    held = counted(len(paths), "image holds linear light", "images hold linear light")
    exposure = f" at {stops:+g} stops" if stops else ""
    note = f"{held}; it is shown by the curve of {CURVE}{exposure}"
    lost = []
    step = max(1, len(paths) // _TESTED_IMAGES)
    for path in paths[::step][:_TESTED_IMAGES]:
        # Damaged pixels are reported when the image is used.
        with contextlib.suppress(UserError):
            lost.append(light_not_loaded(path, stops))
    clipped, unseen = (
        (sum(part) / len(lost) for part in zip(*lost, strict=True)) if lost else (0, 0)
    )
    if clipped:
        note += (
            f", with values above 1 clipped (about {percentage(clipped, 1)} of the pixels; "
            "--exposure -1 of pvd train darkens all by a stop)"
        )
    if unseen:
        note += f"; light where alpha is 0 is left out ({percentage(unseen, 1)} of the pixels)"
    return f"{note}."
