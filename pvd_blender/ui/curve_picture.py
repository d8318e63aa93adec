"""A running job's PSNR over its progress, as a small picture."""

from collections.abc import Sequence

import numpy as np

SIDE = 128
"""Width and height of the picture, pixels."""

MARGIN = 6
"""Empty border on each side, pixels."""

STEP = 5.0
"""Distance of the lines of the grid, dB."""

LINE = (0.35, 0.62, 1.0, 1.0)
GRID = (0.36, 0.36, 0.36, 1.0)


def curve_pixels(points: Sequence[tuple[float, float]]) -> np.ndarray:
    """Draw PSNR over the fraction of the work that is done.

    Parameters
    ----------
    points : sequence of (float, float)
        Fraction from 0 to 1, ascending, and PSNR in dB; at least one point.

    Returns
    -------
    (SIDE, SIDE, 4) float32 array
        Straight alpha, rows upwards as in Blender; the lines of the grid are 5 dB apart.
    """
    fractions, values = np.array(points, np.float64).T
    low = np.floor(values.min() / STEP) * STEP
    high = max(np.ceil(values.max() / STEP) * STEP, low + STEP)
    inside = SIDE - 1 - 2 * MARGIN
    pixels = np.zeros((SIDE, SIDE, 4), np.float32)
    for value in np.arange(low, high + STEP / 2, STEP):
        row = MARGIN + round((value - low) / (high - low) * inside)
        pixels[row, MARGIN : SIDE - MARGIN] = GRID
    columns = np.arange(inside + 1)
    reached = columns[columns <= max(fractions.max() * inside, 1)]
    heights = np.interp(reached / inside, fractions, values)
    rows = MARGIN + np.round((heights - low) / (high - low) * inside).astype(int)
    previous = rows[0]
    for column, row in zip(reached + MARGIN, rows, strict=True):
        first, last = sorted((previous, row))
        pixels[first : last + 2, column] = LINE
        previous = row
    return pixels
