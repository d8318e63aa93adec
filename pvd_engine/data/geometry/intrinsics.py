"""Intrinsics and lens of a camera entry of a ``transforms.json``-like file.

Every key may be at the top of the file or in an entry; an entry's own value takes precedence. Names
and meanings are instant-ngp's (``src/nerf_loader.cu``) and nerfstudio's
(``nerfstudio_dataparser.py``): ``fl_x``, ``fl_y`` in pixels, ``camera_angle_x``,
``camera_angle_y`` in radians, ``x_fov``, ``y_fov`` in degrees, ``cx``, ``cy`` with the pixel
origin at the image's corner, ``w``, ``h``, ``k1`` to ``k4``, ``p1``, ``p2``, ``camera_model``,
``is_fisheye``; nerfstudio's ``distortion_params``; instant-ngp's ``ftheta_p0`` to ``ftheta_p4``
(the angle from the axis as a polynomial of the distance in pixels) and ``latlong``
(``include/neural-graphics-primitives/common_device.cuh``). Spectacular AI writes ``k1`` to ``k6``
of OpenCV's rational model, and scripts write COLMAP's camera models with COLMAP's coefficients.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ...errors import UserError
from ...files.json_input import finite_number, positive_number, text_value
from .lens_models import COEFFICIENTS, COLMAP_LENSES, UNBENT

MAX_SIDE = 65536
"""Longest side of an image, in pixels."""

_LENSES = {**COLMAP_LENSES, "FISHEYE624": "rad_tan_thin_prism_fisheye"}
"""Lens models by names of ``camera_model``."""

_RATIONAL = ("k5", "k6")
"""Coefficients that only the rational model has; with them, k4 is below its fraction line."""

_LISTED = ("k1", "k2", "k3", "k4", "p1", "p2")
"""nerfstudio's order of ``distortion_params``, except for FISHEYE624."""

_FTHETA = tuple(f"ftheta_p{power}" for power in range(5))

MORE_THAN_THE_SPHERE = 1 + 1e-3
"""Largest angles of a panorama over those of the whole sphere; larger ones are mistakes."""

MAX_COEFFICIENT = 1e3
"""Largest distortion coefficient."""

MAX_OMEGA = 3.14
"""Largest omega of the FOV model, in radians; the model ends at half a turn."""


@dataclass(frozen=True)
class Intrinsics:
    """Intrinsics for an image of a known size, in pixels.

    Attributes
    ----------
    fx, fy, cx, cy : float
        As in `Camera`.
    distortion_model : str
        As in `Camera.distortion_model`.
    distortion : dict of str to float
        Non-zero coefficients by name.
    """

    fx: float
    fy: float
    cx: float
    cy: float
    distortion_model: str
    distortion: dict[str, float]


def stated_size(
    shared: Mapping[str, Any], entry: Mapping[str, Any], actual: tuple[int, int], where: str
) -> tuple[int, int] | None:
    """Return the width and height that a file states for an entry, or None.

    Parameters
    ----------
    shared, entry : mapping
        The file's top level and the entry.
    actual : (width, height)
        Size of the image, whose shape gives a side that the file does not state.
    where : str
        File and camera entry in messages.

    Raises
    ------
    UserError
        They are not valid numbers of pixels.
    """
    values = [entry.get(key, shared.get(key)) for key in ("w", "h")]
    if values[0] is None and values[1] is None:
        return None
    width, height = (
        None if value is None else image_side(value, key, where)
        for key, value in zip("wh", values, strict=True)
    )
    if width is None:
        assert height is not None
        width = max(1, round(height * actual[0] / actual[1]))
    if height is None:
        height = max(1, round(width * actual[1] / actual[0]))
    return width, height


def image_side(value: Any, key: str, where: str) -> int:
    """Return a number of pixels, checked, or raise UserError."""
    side = positive_number(value, key, where)
    if side > MAX_SIDE or round(side) < 1:
        raise UserError(f"{where}: {key} must be a number of pixels, not {side:g}.")
    # Programs that scale a size by a percentage render the pixels that are whole.
    return round(side) if abs(side - round(side)) <= 1e-3 else int(side)


def read_intrinsics(
    shared: Mapping[str, Any],
    entry: Mapping[str, Any],
    stated: tuple[int, int] | None,
    actual: tuple[int, int],
    where: str,
) -> Intrinsics:
    """Return the intrinsics of a camera entry for its image's actual size.

    Parameters
    ----------
    shared, entry : mapping
        The file's top level and the entry.
    stated : (width, height) or None
        Size to which the file's pixel values refer; None means the actual size.
    actual : (width, height)
        Size of the image.
    where : str
        File and camera entry in messages.

    Raises
    ------
    UserError
        The focal length is missing or not above zero, or the lens cannot be read.
    """
    reference = stated or actual
    scale_x, scale_y = actual[0] / reference[0], actual[1] / reference[1]
    cx = _principal(shared, entry, "cx", reference[0], where)
    cy = _principal(shared, entry, "cy", reference[1], where)
    model, distortion = _lens(shared, entry, where)
    if model == "equirectangular":
        fx, fy = _panorama(shared, entry, reference, where)
    elif model == "ftheta":
        fx = fy = focal_length(1 / _ftheta(shared, entry, where)[1], "1 / p1", reference[0], where)
    else:
        fx, fy = _focal_lengths(shared, entry, reference, where)
    return Intrinsics(
        fx=fx * scale_x,
        fy=fy * scale_y,
        cx=cx * scale_x,
        cy=cy * scale_y,
        distortion_model=model,
        distortion=distortion,
    )


def whole_sphere(width: float, height: float) -> tuple[float, float]:
    """Return pixels per radian, fx and fy, of an equirectangular image of all directions."""
    return width / (2 * math.pi), height / math.pi


def focal_length(value: Any, what: str, side: int, where: str) -> float:
    """Return a focal length in pixels, checked against a side of the image, or raise UserError."""
    focal = positive_number(value, what, where)
    if not 1e-3 * side <= focal <= 1e6 * side:
        raise UserError(
            f"{where}: a focal length of {focal:g} pixels does not fit an image of {side} pixels."
        )
    return focal


def principal_point(value: Any, what: str, side: int, where: str) -> float:
    """Return a checked coordinate of the principal point, in pixels, or raise UserError."""
    center = finite_number(value, what, where)
    if abs(center) > 100 * side:
        raise UserError(f"{where}: {what} is {center:g}, far outside an image of {side} pixels.")
    return center


def coefficient(value: Any, what: str, where: str) -> float:
    """Return a checked distortion coefficient, or raise UserError."""
    number = finite_number(value, what, where)
    if abs(number) > (MAX_OMEGA if what == "omega" else MAX_COEFFICIENT):
        raise UserError(f"{where}: the distortion {what} is {number:g}, which no lens has.")
    return number


def _focal_lengths(
    shared: Mapping[str, Any], entry: Mapping[str, Any], size: tuple[int, int], where: str
) -> tuple[float, float]:
    for level in (entry, shared):
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
        raise UserError(f"{where}: the camera angle must be below pi radians, not {angle:g}.")
    return focal_length(0.5 * side / math.tan(0.5 * angle), "the focal length", side, where)


def _panorama(
    shared: Mapping[str, Any], entry: Mapping[str, Any], size: tuple[int, int], where: str
) -> tuple[float, float]:
    """Return pixels per radian of longitude and latitude.

    In nerfstudio's files ``fl_x`` and ``fl_y`` are the pixels of half a turn, as in its
    ``Cameras.generate_rays``. Without them the image shows the whole sphere, as a ``latlong`` image
    always does.
    """
    whole = whole_sphere(*size)
    stated = [entry.get(key, shared.get(key)) for key in ("fl_x", "fl_y")]
    if entry.get("latlong", shared.get("latlong")) or stated == [None, None]:
        return whole
    across, up = (stated[0] or stated[1], stated[1] or stated[0])
    fx = focal_length(across, "fl_x", size[0], where) / math.pi
    fy = focal_length(up, "fl_y", size[1], where) / math.pi
    if max(whole[0] / fx, whole[1] / fy) > MORE_THAN_THE_SPHERE:
        raise UserError(
            f"{where}: with these focal lengths the equirectangular image shows more than the "
            f"whole sphere, for which fl_x is {size[0] / 2:g} and fl_y {size[1]}; correct or "
            "remove them."
        )
    return fx, fy


def _principal(
    shared: Mapping[str, Any], entry: Mapping[str, Any], key: str, side: int, where: str
) -> float:
    value = entry.get(key, shared.get(key))
    return 0.5 * side if value is None else principal_point(value, key, side, where)


def _lens(
    shared: Mapping[str, Any], entry: Mapping[str, Any], where: str
) -> tuple[str, dict[str, float]]:
    if entry.get("latlong", shared.get("latlong")):
        return "equirectangular", {}
    if entry.get(_FTHETA[0], shared.get(_FTHETA[0])) is not None:
        p0, p1, *higher = _ftheta(shared, entry, where)
        # In focal lengths of 1 / p1 instead of pixels, which holds for images of any size.
        scaled = [p / p1**power for power, p in enumerate(higher, 2)]
        names = COEFFICIENTS["ftheta"]
        return "ftheta", dict(zip(names, [p0, *scaled], strict=True))
    stated = entry.get("camera_model", shared.get("camera_model"))
    name = "" if stated is None else text_value(stated, "camera_model", where).upper()
    if name and name not in _LENSES:
        raise UserError(
            f"{where}: the camera model {name[:40]} cannot be read; use images of a PINHOLE, "
            "OPENCV or EQUIRECTANGULAR camera."
        )
    if name == "FISHEYE624":
        return _LENSES[name], _fisheye624(shared, entry, where)
    model = _LENSES.get(name, "none")
    if model in ("none", "opencv"):
        fisheye = bool(entry.get("is_fisheye", shared.get("is_fisheye")))
        model = "opencv_fisheye" if fisheye else "opencv"
    values = {**shared, **entry, **_listed_coefficients(shared, entry, where)}
    if model == "opencv" and any(values.get(key) for key in _RATIONAL):
        model = "full_opencv"
    distortion = {}
    for key in COEFFICIENTS[model]:
        number = coefficient(0.0 if values.get(key) is None else values[key], key, where)
        if number != 0:
            distortion[key] = number
    return ("none", {}) if model in UNBENT and not distortion else (model, distortion)


def _listed_coefficients(
    shared: Mapping[str, Any], entry: Mapping[str, Any], where: str
) -> dict[str, Any]:
    """Return the coefficients of nerfstudio's list, which come before those by name."""
    values = entry.get("distortion_params", shared.get("distortion_params"))
    if values is None:
        return {}
    if not isinstance(values, list) or len(values) not in (4, 6):
        raise UserError(f"{where}: distortion_params must be a list of k1 to k4, p1 and p2.")
    return dict(zip(_LISTED, values, strict=False))


def _ftheta(shared: Mapping[str, Any], entry: Mapping[str, Any], where: str) -> list[float]:
    """Return p0 to p4, radians by powers of the distance in pixels; p1 is above zero."""
    values = [entry.get(key, shared.get(key)) for key in _FTHETA]
    positive_number(values[1], _FTHETA[1], where)
    return [finite_number(value, key, where) for key, value in zip(_FTHETA, values, strict=True)]


def _fisheye624(
    shared: Mapping[str, Any], entry: Mapping[str, Any], where: str
) -> dict[str, float]:
    """Return the non-zero coefficients of nerfstudio's list, which has COLMAP's order."""
    names = COEFFICIENTS[_LENSES["FISHEYE624"]]
    values = entry.get("distortion_params", shared.get("distortion_params"))
    if not isinstance(values, list) or len(values) != len(names):
        raise UserError(f"{where}: FISHEYE624 needs distortion_params, a list of {len(names)}.")
    found = {name: coefficient(v, name, where) for name, v in zip(names, values, strict=True)}
    return {name: value for name, value in found.items() if value != 0}
