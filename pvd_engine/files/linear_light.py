"""Linear light as display colour, which is what fields are trained in.

A value is multiplied by 2 to the power of the exposure, clipped to [0, 1], and encoded by the curve
of sRGB (IEC 61966-2-1): what Blender's view transform *Standard* does.
"""

from typing import NamedTuple

import numpy as np

CURVE = "sRGB"
"""Name of the curve in a field's provenance."""

ROWS_AT_ONCE = 64
"""Rows that are computed together, so that little memory is taken."""


class LostLight(NamedTuple):
    """Fractions of an image's pixels whose light has no display colour.

    Attributes
    ----------
    clipped : float
        A value is above 1 and is clipped.
    unseen : float
        There is light where alpha is 0, as of a flame or a glow, and it is left out.
    """

    clipped: float
    unseen: float


def to_display(linear: np.ndarray, exposure: float) -> np.ndarray:
    """Return linear light as display colour.

    Parameters
    ----------
    linear : (H, W, 4) float32 array
        Premultiplied alpha. NaN counts as 0.
    exposure : float
        Stops by which it is brightened.

    Returns
    -------
    (H, W, 4) uint16 array
        sRGB with straight alpha.
    """
    result = np.empty(linear.shape, np.uint16)
    for start in range(0, len(linear), ROWS_AT_ONCE):
        rows = slice(start, start + ROWS_AT_ONCE)
        light = np.clip(_straight(linear[rows], exposure), 0, 1)
        curve = 1.055 * light ** (1 / 2.4) - 0.055
        result[rows, :, :3] = np.where(light <= 0.0031308, 12.92 * light, curve) * 65535 + 0.5
        alpha = np.clip(np.nan_to_num(linear[rows, :, 3]), 0, 1)
        result[rows, :, 3] = alpha * 65535 + 0.5
    return result


def from_display(color: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """Return display colour as linear light, the reverse of `to_display` at an exposure of 0.

    Parameters
    ----------
    color : (H, W, 3) float32 array
        sRGB, premultiplied alpha.
    alpha : (H, W) float32 array

    Returns
    -------
    (H, W, 4) float32 array
        Premultiplied alpha.
    """
    shown = np.clip(color / np.maximum(alpha[..., None], 1e-6), 0, 1)
    light = np.where(shown <= 0.04045, shown / 12.92, ((shown + 0.055) / 1.055) ** 2.4)
    return np.dstack([light * alpha[..., None], alpha]).astype(np.float32)


def lost_light(linear: np.ndarray, exposure: float) -> LostLight:
    """Return the fractions of an image's pixels whose light `to_display` clips or leaves out.

    Parameters
    ----------
    linear, exposure
        As of `to_display`.
    """
    clipped = unseen = 0
    for start in range(0, len(linear), ROWS_AT_ONCE):
        rows = linear[start : start + ROWS_AT_ONCE]
        clipped += int((_straight(rows, exposure) > 1).any(axis=-1).sum())
        unseen += int(((rows[..., :3] > 0).any(axis=-1) & ~(rows[..., 3] > 0)).sum())
    pixels = linear.shape[0] * linear.shape[1]
    return LostLight(clipped / pixels, unseen / pixels)


def _straight(linear: np.ndarray, exposure: float) -> np.ndarray:
    """Return exposed colours (H, W, 3) float64, divided by alpha; black where it is 0."""
    light = np.nan_to_num(linear.astype(np.float64), nan=0.0, posinf=1e30, neginf=0.0)
    alpha = light[..., 3:]
    return np.where(alpha > 0, light[..., :3] * 2.0**exposure / np.maximum(alpha, 1e-30), 0)
