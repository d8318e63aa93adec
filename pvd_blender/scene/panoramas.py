"""Equirectangular cameras: Blender's panoramas of that type to pixels per radian, and back.

A panorama fills the render size whatever the pixel aspect, longitude along x and latitude along y;
its shifts are fractions of width and height (measured with Cycles in Blender 4.2, 4.5, 5.0, 5.2).
"""

from bpy.types import Camera, Object, Scene

from ..errors import SceneError
from .intrinsics import Intrinsics, render_size

EQUIRECTANGULAR = "equirectangular"
"""The engine's name of the lens: fx and fy in pixels per radian, (cx, cy) straight ahead."""

RANGES = ("longitude_min", "longitude_max", "latitude_min", "latitude_max")


def is_panorama(camera: dict) -> bool:
    """Return whether a camera entry is that of an equirectangular camera."""
    return camera.get("distortion_model") == EQUIRECTANGULAR


def set_panorama(data: Camera, k: Intrinsics) -> None:
    """Make a camera datablock an equirectangular camera."""
    data.type = "PANO"
    data.panorama_type = "EQUIRECTANGULAR"
    for name, value in zip(RANGES, _ranges(k), strict=True):
        setattr(data, name, value)


def has_panorama(data: Camera, k: Intrinsics) -> bool:
    """Return whether a camera still has the values that `set_panorama` gave it."""
    return (
        data.type == "PANO"
        and data.panorama_type == "EQUIRECTANGULAR"
        and data.shift_x == data.shift_y == 0
        and all(
            abs(getattr(data, name) - value) < 1e-5
            for name, value in zip(RANGES, _ranges(k), strict=True)
        )
    )


def read_panorama(item: Object, scene: Scene) -> Intrinsics:
    """Return the pixels per radian and the centre with which a scene renders a panoramic camera.

    Raises
    ------
    SceneError
        When its panorama is not equirectangular, or shows nothing.
    """
    data = item.data
    if data.panorama_type != "EQUIRECTANGULAR":
        raise SceneError(
            f"Camera '{item.name}' is panoramic but not equirectangular; "
            "set its Panorama Type to Equirectangular."
        )
    left, right, low, high = (getattr(data, name) for name in RANGES)
    if not (left < right and low < high):
        raise SceneError(
            f"Camera '{item.name}' shows nothing; "
            "set its maximum latitude and longitude above the minimum."
        )
    width, height = render_size(scene.render)
    fx, fy = width / (right - left), height / (high - low)
    return Intrinsics(
        width=width,
        height=height,
        fx=fx,
        fy=fy,
        cx=-left * fx - data.shift_x * width,
        cy=high * fy + data.shift_y * height,
    )


def _ranges(k: Intrinsics) -> tuple[float, float, float, float]:
    """Return the ranges of longitude and latitude of an image, radians, ordered as `RANGES`."""
    return -k.cx / k.fx, (k.width - k.cx) / k.fx, (k.cy - k.height) / k.fy, k.cy / k.fy
