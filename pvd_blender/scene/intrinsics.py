"""Pinhole intrinsics in pixels to Blender's lens, shift and pixel aspect, and back.

Pixel origin at the image's top-left corner, y down. Both directions follow Blender's own
computation of the view plane and agree with its projection matrix to 1e-3 px.
"""

from dataclasses import dataclass

from bpy.types import Camera, Object, RenderSettings, Scene

from ..errors import SceneError

SENSOR_WIDTH = 36.0
"""Width of every imported camera's sensor, mm."""


@dataclass(frozen=True)
class Intrinsics:
    """Image size and pinhole parameters in pixels."""

    width: int
    height: int
    fx: float
    fy: float
    cx: float
    cy: float

    @classmethod
    def from_dict(cls, values: dict) -> "Intrinsics":
        """Return the intrinsics of a camera entry."""
        return cls(
            int(values["width"]),
            int(values["height"]),
            *(float(values[key]) for key in ("fx", "fy", "cx", "cy")),
        )


def fitted(k: Intrinsics, width: int, height: int) -> Intrinsics:
    """Return a lens with a picture of another size, which holds all of the first.

    Where the shape differs, it shows more on two sides.
    """
    scale = min(width / k.width, height / k.height)
    return Intrinsics(
        width=width,
        height=height,
        fx=k.fx * scale,
        fy=k.fy * scale,
        cx=width / 2 + (k.cx - k.width / 2) * scale,
        cy=height / 2 + (k.cy - k.height / 2) * scale,
    )


def lens_and_shift(k: Intrinsics) -> tuple[float, float, float]:
    """Return (lens in mm for a sensor 36 mm wide, shift_x, shift_y) of a camera."""
    return (
        SENSOR_WIDTH * k.fx / k.width,
        (k.width / 2 - k.cx) / k.width,
        (k.cy - k.height / 2) / k.width * (k.fx / k.fy),
    )


def pixel_aspect(k: Intrinsics) -> tuple[float, float]:
    """Return the scene's (pixel_aspect_x, pixel_aspect_y), neither below 1."""
    return max(1.0, k.fy / k.fx), max(1.0, k.fx / k.fy)


def set_intrinsics(data: Camera, k: Intrinsics) -> None:
    """Give a camera datablock the lens and shift of these intrinsics."""
    data.type = "PERSP"
    # Never AUTO: that changes its meaning with the scene's render size.
    data.sensor_fit = "HORIZONTAL"
    data.sensor_width = SENSOR_WIDTH
    data.lens, data.shift_x, data.shift_y = lens_and_shift(k)


def has_intrinsics(data: Camera, k: Intrinsics) -> bool:
    """Return whether a camera still has the lens and shift that `set_intrinsics` gave it."""
    lens, shift_x, shift_y = lens_and_shift(k)
    return (
        data.type == "PERSP"
        and data.sensor_fit == "HORIZONTAL"
        and abs(data.sensor_width / SENSOR_WIDTH - 1) < 1e-6
        and abs(data.lens / lens - 1) < 1e-6
        and abs(data.shift_x - shift_x) < 1e-6
        and abs(data.shift_y - shift_y) < 1e-6
    )


def render_size(render: RenderSettings) -> tuple[int, int]:
    """Return the (width, height) of a render in pixels."""
    percentage = render.resolution_percentage
    return (
        max(1, render.resolution_x * percentage // 100),
        max(1, render.resolution_y * percentage // 100),
    )


def read_intrinsics(item: Object, scene: Scene) -> Intrinsics:
    """Return the intrinsics with which a scene renders a camera.

    Any sensor fit, shift, pixel aspect and resolution percentage.

    Raises
    ------
    SceneError
        When the camera is not a perspective camera.
    """
    data = item.data
    if data.type != "PERSP":
        raise SceneError(
            f"Camera '{item.name}' is not a perspective camera; set its type to Perspective."
        )
    width, height = render_size(scene.render)
    aspect_x, aspect_y = scene.render.pixel_aspect_x, scene.render.pixel_aspect_y
    fit = data.sensor_fit
    if fit == "AUTO":
        fit = "HORIZONTAL" if width * aspect_x >= height * aspect_y else "VERTICAL"
    # AUTO measures both sides by the sensor's width; only VERTICAL itself uses its height.
    sensor = data.sensor_height if data.sensor_fit == "VERTICAL" else data.sensor_width
    ratio = aspect_y / aspect_x
    side = width if fit == "HORIZONTAL" else height * ratio
    fx = data.lens / sensor * side
    return Intrinsics(
        width=width,
        height=height,
        fx=fx,
        fy=fx / ratio,
        cx=width / 2 - data.shift_x * side,
        cy=height / 2 + data.shift_y * side / ratio,
    )
