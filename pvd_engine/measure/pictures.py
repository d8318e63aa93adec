"""Pictures for the page: thumbnails, error maps in colour, PNG data URIs."""

import base64
from dataclasses import dataclass

import numpy as np

from ..files.images import png_bytes
from ..files.resize import resized

MAX_WIDTH = 400
"""Largest width of a picture, in pixels; wider ones are made smaller."""

ERROR_SCALE = 0.1
"""Absolute error that has the last colour; larger ones have it too. It is fixed, so that the maps
of all reports can be compared."""

INFERNO = (
    "#000004",
    "#210c4a",
    "#56106e",
    "#89226a",
    "#bb3754",
    "#e35932",
    "#f98c0a",
    "#f9c932",
    "#fcffa4",
)
"""Nine even steps of the map *inferno* by van der Walt and Smith (matplotlib 1.5, CC0): lightness
rises evenly, in grey and to the colour-blind as well."""


@dataclass(frozen=True)
class ViewPictures:
    """One view as it was measured; each picture is (H, W, 3) float32 in [0, 1], on white.

    Attributes
    ----------
    name : str
    truth : array or None
        The capture's image, where it has one.
    teacher, student : array
        Renders.
    counts : (H, W) bool array or None
        The pixels of the image that are compared, where not all are.
    """

    name: str
    truth: np.ndarray | None
    teacher: np.ndarray
    student: np.ndarray
    counts: np.ndarray | None = None


def panels(view: ViewPictures) -> list[tuple[str, str]]:
    """Return captions and data URIs of a view's pictures, side by side, error maps last."""
    shown = [("teacher", view.teacher), ("student", view.student)]
    errors = [("error, student − teacher", error_map(view.student, view.teacher))]
    if view.truth is not None:
        shown.insert(0, ("image", view.truth))
        target = view.truth
        if view.counts is not None:
            target = np.where(view.counts[..., None], view.truth, view.student)
        errors.append(("error, student − image", error_map(view.student, target)))
    pictures = [(caption, to_uint8(smaller(picture))) for caption, picture in shown] + errors
    return [(caption, png_uri(picture)) for caption, picture in pictures]


def error_map(picture: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Return the absolute difference of two pictures in colour.

    Parameters
    ----------
    picture, target : (H, W, 3) float array

    Returns
    -------
    (h, w, 3) uint8 array
        The mean over the channels, made smaller like the pictures, then mapped: black is 0, the
        last of `INFERNO` is `ERROR_SCALE` or more.
    """
    error = np.abs(np.asarray(picture, np.float32) - target).mean(axis=-1, keepdims=True)
    return inferno(smaller(error)[..., 0] / ERROR_SCALE)


def inferno(values: np.ndarray) -> np.ndarray:
    """Return colours (..., 3) uint8 of values (...), which are clipped to [0, 1]."""
    anchors = np.array([[int(color[i : i + 2], 16) for i in (1, 3, 5)] for color in INFERNO])
    at = np.linspace(0, 1, len(anchors))
    channels = [np.interp(values, at, anchors[:, channel]) for channel in range(3)]
    return (np.stack(channels, axis=-1) + 0.5).astype(np.uint8)


def smaller(picture: np.ndarray) -> np.ndarray:
    """Return a float picture (H, W, C) at most `MAX_WIDTH` wide, by averaging; float32."""
    height, width = picture.shape[:2]
    if width <= MAX_WIDTH:
        return picture.astype(np.float32)
    size = (MAX_WIDTH, max(1, round(height * MAX_WIDTH / width)))
    return resized(picture.astype(np.float32), size)


def to_uint8(picture: np.ndarray) -> np.ndarray:
    """Return a float picture as 8-bit values."""
    return (picture.clip(0, 1) * 255 + 0.5).astype(np.uint8)


def png_uri(picture: np.ndarray) -> str:
    """Return a uint8 picture (H, W, 3) as a ``data:`` URI."""
    return "data:image/png;base64," + base64.b64encode(png_bytes(picture)).decode()
