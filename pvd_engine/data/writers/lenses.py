"""The lens of a camera in the words of each format, where it can say it exactly."""

from dataclasses import dataclass

from ..capture import Camera
from ..intrinsics import COEFFICIENTS

_COLMAP_MODELS = {
    "none": "PINHOLE",
    "opencv": "OPENCV",
    "opencv_fisheye": "OPENCV_FISHEYE",
    "full_opencv": "FULL_OPENCV",
    "fov": "FOV",
    "thin_prism_fisheye": "THIN_PRISM_FISHEYE",
}
_OPENCV_COEFFICIENTS = 4
"""COLMAP's OPENCV ends before k3."""

_TRANSFORMS_MODELS = {"none": "PINHOLE", "opencv": "OPENCV", "opencv_fisheye": "OPENCV_FISHEYE"}


@dataclass(frozen=True)
class Lens:
    """A lens in a format's words.

    Attributes
    ----------
    model : str
        The format's name of it.
    coefficients : dict of str to float
    """

    model: str
    coefficients: dict[str, float]


def transforms_lens(camera: Camera) -> Lens | None:
    """The lens for a ``transforms.json``, coefficients other than zero; None where it has none."""
    model, found = _simplest(camera)
    name = _TRANSFORMS_MODELS.get(model)
    return None if name is None else Lens(name, found)


def colmap_lens(camera: Camera) -> Lens | None:
    """The lens for COLMAP, all coefficients in its order; None where it has none."""
    model, found = _simplest(camera)
    names = COEFFICIENTS[model]
    if model == "opencv":
        if "k4" in found:  # multiplies r to the 8th, which no camera model of COLMAP's has
            return None
        if "k3" in found:
            model, names = "full_opencv", COEFFICIENTS["full_opencv"]
        else:
            names = names[:_OPENCV_COEFFICIENTS]
    return Lens(_COLMAP_MODELS[model], {name: found.get(name, 0.0) for name in names})


def other_format(camera: Camera) -> str:
    """The format, as ``--to`` names it, that can say the lens of a camera."""
    return "colmap" if transforms_lens(camera) is None else "nerfstudio"


def _simplest(camera: Camera) -> tuple[str, dict[str, float]]:
    """Model, and coefficients other than zero; a rational model without a divisor is opencv's."""
    found = {name: value for name, value in camera.distortion.items() if value != 0}
    model = camera.distortion_model
    if model == "full_opencv" and not {"k4", "k5", "k6"} & set(found):
        model = "opencv"
    return ("none", {}) if model == "opencv" and not found else (model, found)
