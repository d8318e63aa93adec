"""The lens of a camera in the terms of each format, where the format can state it exactly."""

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
"""Number of coefficients of COLMAP's OPENCV, which ends before k3."""

LATER_COLMAP_MODELS = ("RAD_TAN_THIN_PRISM_FISHEYE", "DIVISION", "EUCM", "EQUIRECTANGULAR")
"""Camera models that only newer versions of COLMAP know."""

_TRANSFORMS_MODELS = {"none": "PINHOLE", "opencv": "OPENCV", "opencv_fisheye": "OPENCV_FISHEYE"}

FTHETA = "FTHETA"
"""Camera model of F-theta lenses. instant-ngp reads only the coefficients; nerfstudio refuses the
name."""

_ROUNDINGS = 8
"""Number of neighbouring floats, up and down, that `given_back` tries."""


@dataclass(frozen=True)
class Lens:
    """A lens in the terms of a format.

    Attributes
    ----------
    model : str
        The format's name of the lens model.
    fields : dict
        Focal lengths and coefficients by the keys of a ``transforms.json``.
    parameters : tuple of float
        COLMAP's numbers after the image's size.
    """

    model: str
    fields: dict[str, Any] = field(default_factory=dict)
    parameters: tuple[float, ...] = ()


def transforms_lens(camera: Camera) -> Lens | None:
    """Return the lens for a ``transforms.json`` without zero coefficients; None if it has none."""
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
    """Return the lens for COLMAP with all parameters in its order; None where it has none."""
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
        if "k4" in found:  # multiplies r⁸, a term that no camera model of COLMAP has
            return None
        if "k3" in found:
            model, names = "full_opencv", COEFFICIENTS["full_opencv"]
        else:
            names = names[:_OPENCV_COEFFICIENTS]
    coefficients = (found.get(name, 0.0) for name in names)
    return Lens(_COLMAP_MODELS[model], parameters=(*numbers, *coefficients))


def how_to_write(camera: Camera) -> str:
    """Return advice for a camera that a format cannot hold, as the end of a sentence."""
    for name, lens in (("nerfstudio", transforms_lens), ("colmap", colmap_lens)):
        if lens(camera) is not None:
            return f"write --to {name} instead"
    return "no other format can hold it either"


def given_back(goal: float, reading: Callable[[float], float], guess: float) -> float:
    """Return the number from which a reader computes a given one.

    Parameters
    ----------
    goal : float
        The number that a reader should compute.
    reading : callable
        ``reading(number)`` is what a reader computes from a number.
    guess : float
        A number within a few roundings of the result.

    Returns
    -------
    float
        The neighbour of the guess whose reading is nearest to the goal; it is equal to the goal
        wherever the goal itself was read from a file.
    """
    steps = sorted(range(-_ROUNDINGS, _ROUNDINGS + 1), key=abs)
    neighbours = [guess + step * math.ulp(guess) for step in steps]
    return min(neighbours, key=lambda number: abs(reading(number) - goal))


def _by_pi(number: float) -> float:
    return number / math.pi


def _ftheta(camera: Camera) -> Lens | None:
    """Return instant-ngp's polynomial of pixels; None where the pixels are not square."""
    if camera.fx != camera.fy:
        return None
    p1 = given_back(camera.fx, lambda p: 1 / p, 1 / camera.fx)
    fields = {"fl_x": camera.fx, "fl_y": camera.fy}  # which instant-ngp needs for every lens
    fields |= {"ftheta_p0": camera.distortion.get("a0", 0.0), "ftheta_p1": p1}
    for power in (2, 3, 4):
        a = camera.distortion.get(f"a{power}", 0.0)
        fields[f"ftheta_p{power}"] = given_back(a, lambda p, n=power: p / p1**n, a * p1**power)
    return Lens(FTHETA, fields)


def _simplest(camera: Camera) -> tuple[str, dict[str, float]]:
    """Return model and non-zero coefficients; a rational model without a divisor is opencv's."""
    found = {name: value for name, value in camera.distortion.items() if value != 0}
    model = camera.distortion_model
    if model == "full_opencv" and not {"k4", "k5", "k6"} & set(found):
        model = "opencv"
    return ("none", {}) if model == "opencv" and not found else (model, found)
