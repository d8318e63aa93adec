"""The scene's box from its sparse points, which say where the surfaces are that images show."""

from collections.abc import Sequence

import numpy as np

from ..capture import Camera, Frame
from .bounds import find_box, looked_at

MIN_POINTS = 100
MIN_TRACK = 3
"""Points seen by fewer images are too often wrong to set the size."""

QUANTILES = (0.01, 0.99)
MARGIN = 0.1
"""Growth to each side, in shares of the box's size along that axis."""

MIN_ASPECT = 0.1
"""Least side over the largest side: the points of a wall have no depth, its surroundings do."""


def find_box_with_points(
    cameras: Sequence[Camera],
    frame: Frame,
    has_alpha: bool,
    positions: np.ndarray,
    track_lengths: np.ndarray | None,
) -> tuple[np.ndarray, str]:
    """Find the box of a scene whose sparse points are known.

    Parameters
    ----------
    cameras : sequence of Camera
        At least one.
    frame : Frame
    has_alpha : bool
        The images show an object on transparent ground. The box is then what the cameras frame,
        as of a capture without points: points are sparse, and an object must not be cut.
    positions : (N, 3) array
        Dataset frame.
    track_lengths : (N,) int array or None
        By how many images each point was seen, where that is known.

    Returns
    -------
    box : (2, 3) float64 array
        Minimum and maximum corner, dataset frame: `robust_box` of the points, where there are at
        least `MIN_POINTS` and the file states no box, and `find_box` else. Of cameras that look at
        a common point it reaches no farther than `find_box`, and is that where most of the points
        are farther away.
    source : str
        One sentence: where the box comes from.
    """
    box, source = find_box(cameras, frame, has_alpha)
    seen_well = positions if track_lengths is None else positions[track_lengths >= MIN_TRACK]
    if frame.has_box or has_alpha or len(seen_well) < MIN_POINTS:
        return box, source
    found = robust_box(seen_well)
    sentence = f"The box holds 98 % of the {len(seen_well)} sparse points"
    if track_lengths is not None:
        sentence += f" that {MIN_TRACK} or more images show"
    sentence += " along each axis, grown by 10 % to every side"
    if looked_at(cameras) is not None:
        # Far background would take the resolution from what the cameras go around.
        inside = np.stack([np.maximum(found[0], box[0]), np.minimum(found[1], box[1])])
        held = ((seen_well >= inside[0]) & (seen_well <= inside[1])).all(axis=1)
        if held.mean() < 0.5:
            return box, source
        if not np.array_equal(inside, found):
            found, sentence = inside, f"{sentence}, but none of what is far beyond the cameras"
    return _thick(found), f"{sentence}."


def robust_box(positions: np.ndarray) -> np.ndarray:
    """Box of points (N, 3) that a few stray ones do not set: (2, 3) float64.

    It spans the 1 % to 99 % quantiles along each axis, grown by a tenth to every side.
    """
    low, high = np.quantile(positions, QUANTILES, axis=0)
    margin = MARGIN * (high - low)
    return np.stack([low - margin, high + margin])


def _thick(box: np.ndarray) -> np.ndarray:
    """The box with its thin sides grown to `MIN_ASPECT`."""
    center, half = box.mean(axis=0), 0.5 * np.ptp(box, axis=0)
    # All points in one place have no size at all; any box around them is a box.
    half = np.maximum(half, MIN_ASPECT * (half.max() or 1.0))
    return np.stack([center - half, center + half])
