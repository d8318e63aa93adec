"""The lens of a camera in the words of each format, where it can say it exactly."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ..capture import Camera
from ..geometry.intrinsics import whole_sphere
from ..geometry.lens_models import COEFFICIENTS

_COLMAP_MODELS = {
    "none": "PINHOLE",
    "opencv": "OPENCV",
    "opencv_fisheye": "OPENCV_FISHEYE",
    "full_opencv": "FULL_OPENCV",
    "fov": "FOV",
    "thin_prism_fisheye": "THIN_PRISM_FISHEYE",
    "rad_tan_thin_prism_fisheye": "RAD_TAN_THIN_PRISM_FISHEYE",
    "division": "DIVISION",
    "eucm": "EUCM",
}
_OPENCV_COEFFICIENTS = 4
"""COLMAP's OPENCV ends before k3."""

LATER_COLMAP_MODELS = ("RAD_TAN_THIN_PRISM_FISHEYE", "DIVISION", "EUCM", "EQUIRECTANGULAR")
"""Which COLMAP added after the eleven that all its versions have."""

_TRANSFORMS_MODELS = {"none": "PINHOLE", "opencv": "OPENCV", "opencv_fisheye": "OPENCV_FISHEYE"}

FTHETA = "FTHETA"
"""Of a lens that only instant-ngp knows, by its coefficients; nerfstudio refuses the name."""

_ROUNDINGS = 8
"""Up and down within which a number is looked for that gives another one back."""


@dataclass(frozen=True)
class Lens:
    """A lens in a format's words.

    Attributes
    ----------
    model : str
        The format's name of it.
    fields : dict
        Of a ``transforms.json``: focal lengths and coefficients by its keys.
    parameters : tuple of float
        Of COLMAP: all that follow the image's size.
    """

    model: str
    fields: dict[str, Any] = field(default_factory=dict)
    parameters: tuple[float, ...] = ()


def transforms_lens(camera: Camera) -> Lens | None:
    """The lens for a ``transforms.json``, coefficients other than zero; None where it has none."""
    model, found = _simplest(camera)
    if model == "equirectangular":
        across, up = (given_back(f, _by_pi, f * math.pi) for f in (camera.fx, camera.fy))
        return Lens("EQUIRECTANGULAR", {"fl_x": across, "fl_y": up})
    if model == "ftheta":
        return _ftheta(camera)
    focal_lengths = {"fl_x": camera.fx, "fl_y": camera.fy}
    if model == "rad_tan_thin_prism_fisheye":
        values = [found.get(name, 0.0) for name in COEFFICIENTS[model]]
        return Lens("FISHEYE624", {**focal_lengths, "distortion_params": values})
    name = _TRANSFORMS_MODELS.get(model)
    return None if name is None else Lens(name, focal_lengths | found)


def colmap_lens(camera: Camera) -> Lens | None:
    """The lens for COLMAP, all parameters in its order; None where it has none."""
    model, found = _simplest(camera)
    size = camera.width, camera.height
    numbers = (camera.fx, camera.fy, camera.cx, camera.cy)
    if model == "equirectangular":
        whole = numbers == (*whole_sphere(*size), size[0] / 2, size[1] / 2)
        return Lens("EQUIRECTANGULAR", parameters=size) if whole else None
    if model not in _COLMAP_MODELS:
        return None
    names = COEFFICIENTS[model]
    if model == "opencv":
        if "k4" in found:  # multiplies r to the 8th, which no camera model of COLMAP's has
            return None
        if "k3" in found:
            model, names = "full_opencv", COEFFICIENTS["full_opencv"]
        else:
            names = names[:_OPENCV_COEFFICIENTS]
    coefficients = (found.get(name, 0.0) for name in names)
    return Lens(_COLMAP_MODELS[model], parameters=(*numbers, *coefficients))


def where_to_write(camera: Camera) -> str:
    """What to do with a camera that a format cannot hold, as the end of a sentence."""
    for name, lens in (("nerfstudio", transforms_lens), ("colmap", colmap_lens)):
        if lens(camera) is not None:
            return f"write --to {name}, which can"
    return "no format that can be written can"


def given_back(goal: float, reading: Callable[[float], float], guess: float) -> float:
    """The number from which a reader gets another one back.

    Parameters
    ----------
    goal : float
    reading : callable
        What a reader makes of a number.
    guess : float
        Within a few roundings of the number.

    Returns
    -------
    float
        Of the guess's neighbours the one whose reading is nearest to the goal: equal to it
        wherever that was read before.
    """
    steps = sorted(range(-_ROUNDINGS, _ROUNDINGS + 1), key=abs)
    neighbours = [guess + step * math.ulp(guess) for step in steps]
    return min(neighbours, key=lambda number: abs(reading(number) - goal))


def _by_pi(number: float) -> float:
    return number / math.pi


def _ftheta(camera: Camera) -> Lens | None:
    """instant-ngp's polynomial of pixels, which must be square for it."""
    if camera.fx != camera.fy:
        return None
    p1 = given_back(camera.fx, lambda p: 1 / p, 1 / camera.fx)
    fields = {"fl_x": camera.fx, "fl_y": camera.fy}  # which instant-ngp wants of every lens
    fields |= {"ftheta_p0": camera.distortion.get("a0", 0.0), "ftheta_p1": p1}
    for power in (2, 3, 4):
        a = camera.distortion.get(f"a{power}", 0.0)
        fields[f"ftheta_p{power}"] = given_back(a, lambda p, n=power: p / p1**n, a * p1**power)
    return Lens(FTHETA, fields)


def _simplest(camera: Camera) -> tuple[str, dict[str, float]]:
    """Model, and coefficients other than zero; a rational model without a divisor is opencv's."""
    found = {name: value for name, value in camera.distortion.items() if value != 0}
    model = camera.distortion_model
    if model == "full_opencv" and not {"k4", "k5", "k6"} & set(found):
        model = "opencv"
    return ("none", {}) if model == "opencv" and not found else (model, found)
