"""Intrinsics and lens of one frame of a ``transforms.json``-like file.

Every key may stand at the top of the file or in a frame; a frame's own value comes first. Names
and meanings are instant-ngp's (``src/nerf_loader.cu``) and nerfstudio's
(``nerfstudio_dataparser.py``): ``fl_x``, ``fl_y`` in pixels, ``camera_angle_x``,
``camera_angle_y`` in radians, ``x_fov``, ``y_fov`` in degrees, ``cx``, ``cy`` with the pixel
origin at the image's corner, ``w``, ``h``, ``k1`` to ``k4``, ``p1``, ``p2``, ``camera_model``,
``is_fisheye``; nerfstudio's ``distortion_params`` of FISHEYE624; instant-ngp's ``ftheta_p0`` to
``ftheta_p4`` (the angle from the axis as a polynomial of the distance in pixels) and ``latlong``
(``include/neural-graphics-primitives/common_device.cuh``).
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ...errors import UserError
from ...files.json_input import finite_number, positive_number, text_value
from .lens_models import COEFFICIENTS

MAX_SIDE = 65536

PERSPECTIVE_MODELS = ("SIMPLE_PINHOLE", "PINHOLE", "SIMPLE_RADIAL", "RADIAL", "OPENCV")
FISHEYE_MODELS = ("OPENCV_FISHEYE",)
OTHER_MODELS = {"FISHEYE624": "rad_tan_thin_prism_fisheye", "EQUIRECTANGULAR": "equirectangular"}
"""Further names of ``camera_model``, and what they are here."""

_KNOWN_MODELS = (*PERSPECTIVE_MODELS, *FISHEYE_MODELS, *OTHER_MODELS)
_FTHETA = tuple(f"ftheta_p{power}" for power in range(5))

MORE_THAN_THE_SPHERE = 1 + 1e-3
"""Of a panorama's angles over the whole circle, from where on they are a mistake."""

MAX_COEFFICIENT = 1e3
MAX_OMEGA = 3.14
"""Radians; the FOV model ends at half a turn."""


@dataclass(frozen=True)
class Intrinsics:
    """Intrinsics for an image of a known size, in pixels.

    Attributes
    ----------
    fx, fy, cx, cy : float
        As `Camera` has them.
    distortion_model : str
        As `Camera.distortion_model`.
    distortion : dict of str to float
        Only coefficients other than zero.
    """

    fx: float
    fy: float
    cx: float
    cy: float
    distortion_model: str
    distortion: dict[str, float]


def stated_size(
    shared: Mapping[str, Any], frame: Mapping[str, Any], where: str
) -> tuple[int, int] | None:
    """Width and height that the file states for a frame, or None when it states none.

    Raises
    ------
    UserError
        Only one of them is given, or they are no sensible pixel counts.
    """
    values = [frame.get(key, shared.get(key)) for key in ("w", "h")]
    if values[0] is None and values[1] is None:
        return None
    if values[0] is None or values[1] is None:
        raise UserError(f"{where}: w and h must be given together.")
    sides = []
    for key, value in zip("wh", values, strict=True):
        side = positive_number(value, key, where)
        if side > MAX_SIDE or round(side) < 1 or abs(side - round(side)) > 1e-3:
            raise UserError(f"{where}: {key} must be a whole number of pixels, but is {side:g}.")
        sides.append(round(side))
    return sides[0], sides[1]


def read_intrinsics(
    shared: Mapping[str, Any],
    frame: Mapping[str, Any],
    stated: tuple[int, int] | None,
    actual: tuple[int, int],
    where: str,
) -> Intrinsics:
    """Intrinsics of a frame for its image's actual size.

    Parameters
    ----------
    shared, frame : mapping
        The file's top level and the frame.
    stated : (width, height) or None
        The size that the file's pixel values refer to; None means the actual one.
    actual : (width, height)
        The size of the image.
    where : str
        Names file and frame in messages.

    Raises
    ------
    UserError
        No focal length, one that is not above zero, or a lens that cannot be read.
    """
    reference = stated or actual
    scale_x, scale_y = actual[0] / reference[0], actual[1] / reference[1]
    cx = _principal(shared, frame, "cx", reference[0], where)
    cy = _principal(shared, frame, "cy", reference[1], where)
    model, distortion = _lens(shared, frame, where)
    if model == "equirectangular":
        fx, fy = _panorama(shared, frame, reference, where)
    elif model == "ftheta":
        fx = fy = focal_length(1 / _ftheta(shared, frame, where)[1], "1 / p1", reference[0], where)
    else:
        fx, fy = _focal_lengths(shared, frame, reference, where)
    return Intrinsics(
        fx=fx * scale_x,
        fy=fy * scale_y,
        cx=cx * scale_x,
        cy=cy * scale_y,
        distortion_model=model,
        distortion=distortion,
    )


def whole_sphere(width: float, height: float) -> tuple[float, float]:
    """Pixels per radian, fx and fy, of an equirectangular image that shows all directions."""
    return width / (2 * math.pi), height / math.pi


def focal_length(value: Any, what: str, side: int, where: str) -> float:
    """Check a focal length in pixels for an image of `side` pixels, or raise UserError."""
    focal = positive_number(value, what, where)
    if not 1e-3 * side <= focal <= 1e6 * side:
        raise UserError(
            f"{where}: a focal length of {focal:g} pixels does not fit an image of {side} pixels."
        )
    return focal


def principal_point(value: Any, what: str, side: int, where: str) -> float:
    """Check a principal point's coordinate in pixels, or raise UserError."""
    center = finite_number(value, what, where)
    if abs(center) > 100 * side:
        raise UserError(f"{where}: {what} is {center:g}, far outside an image of {side} pixels.")
    return center


def coefficient(value: Any, what: str, where: str) -> float:
    """Check a distortion coefficient, or raise UserError."""
    number = finite_number(value, what, where)
    if abs(number) > (MAX_OMEGA if what == "omega" else MAX_COEFFICIENT):
        raise UserError(f"{where}: the distortion {what} is {number:g}, which no lens has.")
    return number


def _focal_lengths(
    shared: Mapping[str, Any], frame: Mapping[str, Any], size: tuple[int, int], where: str
) -> tuple[float, float]:
    for level in (frame, shared):
        fx = _focal_length(level, "x", size[0], where)
        fy = _focal_length(level, "y", size[1], where)
        if fx is not None or fy is not None:
            fx = fy if fx is None else fx
            fy = fx if fy is None else fy
            assert fx is not None and fy is not None
            return fx, fy
    raise UserError(
        f"{where}: there is no focal length; the file needs fl_x (in pixels) or camera_angle_x."
    )


def _focal_length(level: Mapping[str, Any], axis: str, side: int, where: str) -> float | None:
    pixels, radians, degrees = f"fl_{axis}", f"camera_angle_{axis}", f"{axis}_fov"
    if level.get(pixels) is not None:
        return focal_length(level[pixels], pixels, side, where)
    if level.get(radians) is not None:
        angle = positive_number(level[radians], radians, where)
    elif level.get(degrees) is not None:
        angle = math.radians(positive_number(level[degrees], degrees, where))
    else:
        return None
    if angle >= math.pi:
        raise UserError(f"{where}: the camera angle must be below pi radians, but is {angle:g}.")
    return focal_length(0.5 * side / math.tan(0.5 * angle), "the focal length", side, where)


def _panorama(
    shared: Mapping[str, Any], frame: Mapping[str, Any], size: tuple[int, int], where: str
) -> tuple[float, float]:
    """Pixels per radian of longitude and latitude.

    In nerfstudio's files ``fl_x`` and ``fl_y`` are the pixels of half a turn, as its
    ``Cameras.generate_rays`` has it. Without them the image shows the whole sphere, as one that is
    ``latlong`` always does.
    """
    whole = whole_sphere(*size)
    stated = [frame.get(key, shared.get(key)) for key in ("fl_x", "fl_y")]
    if frame.get("latlong", shared.get("latlong")) or stated == [None, None]:
        return whole
    across, up = (stated[0] or stated[1], stated[1] or stated[0])
    fx = focal_length(across, "fl_x", size[0], where) / math.pi
    fy = focal_length(up, "fl_y", size[1], where) / math.pi
    if max(whole[0] / fx, whole[1] / fy) > MORE_THAN_THE_SPHERE:
        raise UserError(
            f"{where}: the focal lengths say that the equirectangular image shows more than the "
            f"whole sphere, for which fl_x is {size[0] / 2:g} and fl_y {size[1]}; correct or "
            "remove them."
        )
    return fx, fy


def _principal(
    shared: Mapping[str, Any], frame: Mapping[str, Any], key: str, side: int, where: str
) -> float:
    value = frame.get(key, shared.get(key))
    return 0.5 * side if value is None else principal_point(value, key, side, where)


def _lens(
    shared: Mapping[str, Any], frame: Mapping[str, Any], where: str
) -> tuple[str, dict[str, float]]:
    if frame.get("equirectangular", shared.get("equirectangular")):
        raise UserError(
            f"{where}: instant-ngp's equirectangular images, whose rows show equal areas, cannot "
            "be read; resample them to rows of equal angles, which are latlong."
        )
    if frame.get("latlong", shared.get("latlong")):
        return "equirectangular", {}
    if frame.get(_FTHETA[0], shared.get(_FTHETA[0])) is not None:
        p0, p1, *higher = _ftheta(shared, frame, where)
        # By focal lengths of 1 / p1 instead of pixels, so that it holds for images of any size.
        scaled = [p / p1**power for power, p in enumerate(higher, 2)]
        names = COEFFICIENTS["ftheta"]
        return "ftheta", dict(zip(names, [p0, *scaled], strict=True))
    stated = frame.get("camera_model", shared.get("camera_model"))
    name = "" if stated is None else text_value(stated, "camera_model", where).upper()
    if name and name not in _KNOWN_MODELS:
        raise UserError(
            f"{where}: the camera model {name[:40]} cannot be read; "
            f"known are {', '.join(_KNOWN_MODELS)}."
        )
    if name == "EQUIRECTANGULAR":
        return OTHER_MODELS[name], {}
    if name == "FISHEYE624":
        return OTHER_MODELS[name], _fisheye624(shared, frame, where)
    fisheye = name in FISHEYE_MODELS or bool(frame.get("is_fisheye", shared.get("is_fisheye")))
    model = "opencv_fisheye" if fisheye else "opencv"
    distortion = {}
    for key in COEFFICIENTS[model]:
        value = frame.get(key, shared.get(key))
        number = 0.0 if value is None else coefficient(value, key, where)
        if number != 0:
            distortion[key] = number
    if not fisheye and not distortion:
        return "none", {}
    return model, distortion


def _ftheta(shared: Mapping[str, Any], frame: Mapping[str, Any], where: str) -> list[float]:
    """p0 to p4: radians by powers of the distance in pixels; p1 is above zero."""
    values = [frame.get(key, shared.get(key)) for key in _FTHETA]
    positive_number(values[1], _FTHETA[1], where)
    return [finite_number(value, key, where) for key, value in zip(_FTHETA, values, strict=True)]


def _fisheye624(
    shared: Mapping[str, Any], frame: Mapping[str, Any], where: str
) -> dict[str, float]:
    """The twelve coefficients of nerfstudio's list, which has COLMAP's order."""
    names = COEFFICIENTS[OTHER_MODELS["FISHEYE624"]]
    values = frame.get("distortion_params", shared.get("distortion_params"))
    if not isinstance(values, list) or len(values) != len(names):
        raise UserError(f"{where}: FISHEYE624 needs distortion_params, a list of {len(names)}.")
    found = {name: coefficient(v, name, where) for name, v in zip(names, values, strict=True)}
    return {name: value for name, value in found.items() if value != 0}
