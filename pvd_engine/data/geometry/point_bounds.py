"""The scene's box from its sparse points, which lie on the visible surfaces."""

from collections.abc import Sequence

import numpy as np

from ..capture import Camera, Frame
from .bounds import find_box, looked_at

MIN_POINTS = 100
"""Fewest points that set the box."""

MIN_TRACK = 3
"""Fewest images that show a point which sets the box; others are wrong too often."""

QUANTILES = (0.01, 0.99)
"""Quantiles of the points along each axis between which the box lies before it grows."""

MARGIN = 0.1
"""Growth to each side, as a fraction of the box's size along that axis."""

MIN_ASPECT = 0.1
"""Smallest side over the largest: the points of a wall have no depth, its surroundings do."""


def find_box_with_points(
    cameras: Sequence[Camera],
    frame: Frame,
    has_alpha: bool,
    positions: np.ndarray,
    track_lengths: np.ndarray | None,
) -> tuple[np.ndarray, str]:
    """Return the box of a scene with sparse points.

    Parameters
    ----------
    cameras : sequence of Camera
        At least one.
    frame : Frame
    has_alpha : bool
        The images show an object on a transparent background. The box is then that of a capture
        without points: points are sparse, and the object must not be cut.
    positions : (N, 3) array
        Dataset frame.
    track_lengths : (N,) int array or None
        Number of images that show each point, where that is known.

    Returns
    -------
    box : (2, 3) float64 array
        Minimum and maximum corner, dataset frame. It is `robust_box` of the points where there are
        at least `MIN_POINTS` and the file states no box, else `find_box`. Where the cameras look
        at a common point, it is cut to `find_box`, or is `find_box` when most points lie outside.
    source : str
        Origin of the box, one sentence.
    """
    box, source = find_box(cameras, frame, has_alpha)
    seen_well = positions if track_lengths is None else positions[track_lengths >= MIN_TRACK]
    if frame.has_box or has_alpha or len(seen_well) < MIN_POINTS:
        return box, source
    found = robust_box(seen_well)
    sentence = f"The box holds 98 % of the {len(seen_well)} sparse points"
    if track_lengths is not None:
        sentence += f" that {MIN_TRACK} or more images show"
    sentence += " along each axis, grown by 10 % on every side"
    if looked_at(cameras) is not None:
        # A far background would take resolution from the object in the middle of the cameras.
        inside = np.stack([np.maximum(found[0], box[0]), np.minimum(found[1], box[1])])
        held = ((seen_well >= inside[0]) & (seen_well <= inside[1])).all(axis=1)
        if held.mean() < 0.5:
            return box, source
        if not np.array_equal(inside, found):
            found, sentence = inside, f"{sentence}, without what lies far beyond the cameras"
    return _thick(found), f"{sentence}."


def robust_box(positions: np.ndarray) -> np.ndarray:
    """Return the box of points (N, 3) without a few stray ones: (2, 3) float64.

    It spans the 1 % to 99 % quantiles along each axis, grown by a tenth on every side.
    """
    low, high = np.quantile(positions, QUANTILES, axis=0)
    margin = MARGIN * (high - low)
    return np.stack([low - margin, high + margin])


def _thick(box: np.ndarray) -> np.ndarray:
    """Return the box with its thin sides grown to `MIN_ASPECT`."""
    center, half = box.mean(axis=0), 0.5 * np.ptp(box, axis=0)
    # Points at one position have no size; any box around them will do.
    half = np.maximum(half, MIN_ASPECT * (half.max() or 1.0))
    return np.stack([center - half, center + half])
