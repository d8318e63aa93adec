"""Images without lens distortion, for the cameras of Blender, which are pinhole cameras.

The copy has the size and the pinhole parameters of the original; a pixel that the original does
not show is transparent. The engine itself casts distorted rays and never sees these copies.
"""

import hashlib
import json
import re
from pathlib import Path

import bpy
import numpy as np

from ..errors import SceneError
from .panoramas import EQUIRECTANGULAR

NO_PINHOLES = (
    *("opencv_fisheye", "thin_prism_fisheye", "rad_tan_thin_prism_fisheye"),
    *("eucm", "ftheta", EQUIRECTANGULAR),
)
"""Lens models that differ from a pinhole even without coefficients."""

FTHETA_STEPS = 20
"""Of Newton's method, which real lenses need 5 of."""


def is_distorted(camera: dict) -> bool:
    """Tell whether a camera's lens differs from a pinhole."""
    model = camera.get("distortion_model", "none")
    if model in NO_PINHOLES:
        return True
    return model != "none" and any(value != 0 for value in camera.get("distortion", {}).values())


def distort(x: np.ndarray, y: np.ndarray, camera: dict) -> tuple[np.ndarray, np.ndarray]:
    """Map pinhole image-plane points to where the lens puts them.

    Parameters
    ----------
    x, y : arrays of one shape
        Points on the plane at depth 1, OpenCV axes (x right, y down).
    camera : dict
        ``distortion_model`` and ``distortion``, its coefficients by name.

    Returns
    -------
    tuple of arrays
        Distorted x and y. ``"opencv"`` is Brown-Conrady with k1 to k4 on r^2 to r^8 and p1, p2;
        ``"full_opencv"`` OpenCV's rational model; ``"opencv_fisheye"`` Kannala-Brandt with k1 to k4
        on theta^2 to theta^8; ``"fov"`` that of Devernay and Faugeras; ``"ftheta"`` instant-ngp's;
        ``"thin_prism_fisheye"``, ``"rad_tan_thin_prism_fisheye"``, ``"division"`` and ``"eucm"``
        COLMAP's.

    Raises
    ------
    SceneError
        The lens model is an unknown one, or has no image plane, as a panorama.
    """
    lens = LENSES.get(camera["distortion_model"])
    if lens is None:
        raise SceneError(
            f"The lens model {camera['distortion_model']} is unknown; update the add-on."
        )
    return lens(x, y, camera["distortion"])


def source_positions(camera: dict) -> tuple[np.ndarray, np.ndarray]:
    """Return where in the original image each pixel centre of the undistorted one lies.

    Returns
    -------
    tuple of (height, width) float64 arrays
        u and v in pixels of the stated size, corner origin, y down.
    """
    u = (np.arange(camera["width"]) + 0.5 - camera["cx"]) / camera["fx"]
    v = (np.arange(camera["height"]) + 0.5 - camera["cy"]) / camera["fy"]
    x, y = distort(*np.meshgrid(u, v), camera)
    return x * camera["fx"] + camera["cx"], y * camera["fy"] + camera["cy"]


def sample_bilinear(pixels: np.ndarray, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Look an image up between its pixels; transparent outside.

    Parameters
    ----------
    pixels : (H, W, 4) float32 array
        Straight alpha, first row on top.
    u, v : (h, w) arrays
        Positions in pixels, corner origin.

    Returns
    -------
    (h, w, 4) float32 array
    """
    height, width = pixels.shape[:2]
    inside = (u >= 0) & (u <= width) & (v >= 0) & (v <= height)
    x = np.clip(np.where(inside, u, 0.0) - 0.5, 0, width - 1)
    y = np.clip(np.where(inside, v, 0.0) - 0.5, 0, height - 1)
    x0 = np.minimum(x.astype(np.int64), max(width - 2, 0))
    y0 = np.minimum(y.astype(np.int64), max(height - 2, 0))
    x1, y1 = np.minimum(x0 + 1, width - 1), np.minimum(y0 + 1, height - 1)
    right, down = (x - x0).astype(np.float32)[..., None], (y - y0).astype(np.float32)[..., None]
    # Colours are weighed by their alpha: a transparent pixel's colour must not bleed in.
    weighed = pixels.copy()
    weighed[..., :3] *= pixels[..., 3:]
    top = weighed[y0, x0] * (1 - right) + weighed[y0, x1] * right
    bottom = weighed[y1, x0] * (1 - right) + weighed[y1, x1] * right
    out = (top * (1 - down) + bottom * down) * inside[..., None]
    out[..., :3] /= np.maximum(out[..., 3:], 1e-6)
    return out.astype(np.float32)


def read_pixels(path: Path) -> np.ndarray:
    """Read an image file as (H, W, 4) float32 of the file's own values, first row on top.

    Raises
    ------
    SceneError
        When Blender cannot decode the file.
    """
    image = bpy.data.images.load(str(path), check_existing=False)
    try:
        width, height = image.size
        if width == 0 or height == 0:
            raise SceneError(f"The image {path} cannot be read; replace or remove it.")
        values = np.empty(width * height * 4, dtype=np.float32)
        image.pixels.foreach_get(values)
    finally:
        bpy.data.images.remove(image)
    return values.reshape(height, width, 4)[::-1]


def write_png(path: Path, pixels: np.ndarray) -> None:
    """Write (H, W, 4) values in [0, 1] as an 8-bit PNG; the file appears whole or not at all."""
    height, width = pixels.shape[:2]
    image = bpy.data.images.new(path.stem, width, height, alpha=True)
    temporary = path.with_name(f".{path.stem}.part.png")
    try:
        image.alpha_mode = "STRAIGHT"
        image.pixels.foreach_set(np.ascontiguousarray(pixels[::-1], dtype=np.float32).ravel())
        image.filepath_raw = str(temporary)
        image.file_format = "PNG"
        image.save()
        temporary.replace(path)
    finally:
        bpy.data.images.remove(image)
        temporary.unlink(missing_ok=True)


def undistorted_copy(camera: dict, folder: Path) -> Path:
    """Return the undistorted copy of a camera's image, made once per lens and image.

    Parameters
    ----------
    camera : dict
        A dataset camera with its ``image_path``.
    folder : Path
        Where the copies lie; created when missing.
    """
    source = Path(camera["image_path"])
    keys = ("width", "height", "fx", "fy", "cx", "cy", "distortion_model", "distortion")
    numbers = json.dumps([str(source), *(camera[key] for key in keys)], sort_keys=True)
    digest = hashlib.sha256(numbers.encode()).hexdigest()[:12]
    stem = re.sub(r"[^\w.-]+", "_", camera["name"])[-80:]
    copy = folder / f"{stem}_{digest}.png"
    if copy.is_file() and copy.stat().st_mtime >= source.stat().st_mtime:
        return copy
    folder.mkdir(parents=True, exist_ok=True)
    pixels = read_pixels(source)
    u, v = source_positions(camera)
    # A file may hold its images at another size than the one it states.
    u *= pixels.shape[1] / camera["width"]
    v *= pixels.shape[0] / camera["height"]
    write_png(copy, sample_bilinear(pixels, u, v))
    return copy


def _pinhole(x: np.ndarray, y: np.ndarray, lens: dict) -> tuple[np.ndarray, np.ndarray]:
    return x, y


def _opencv(x: np.ndarray, y: np.ndarray, lens: dict) -> tuple[np.ndarray, np.ndarray]:
    k1, k2, k3, k4 = _coefficients(lens, "k1", "k2", "k3", "k4")
    square = x * x + y * y
    scale = 1 + square * (k1 + square * (k2 + square * (k3 + square * k4)))
    return _tangential(x, y, scale, lens)


def _full_opencv(x: np.ndarray, y: np.ndarray, lens: dict) -> tuple[np.ndarray, np.ndarray]:
    k1, k2, k3, k4, k5, k6 = _coefficients(lens, "k1", "k2", "k3", "k4", "k5", "k6")
    square = x * x + y * y
    upper = 1 + square * (k1 + square * (k2 + square * k3))
    lower = 1 + square * (k4 + square * (k5 + square * k6))
    return _tangential(x, y, upper / lower, lens)


def _fov(x: np.ndarray, y: np.ndarray, lens: dict) -> tuple[np.ndarray, np.ndarray]:
    omega = abs(_coefficients(lens, "omega")[0])
    if omega < 1e-8:
        return x, y
    radius, stretch = np.sqrt(x * x + y * y), 2 * np.tan(omega / 2)
    bent = np.arctan(radius * stretch) / omega
    scale = np.where(radius > 1e-9, bent / np.maximum(radius, 1e-9), stretch / omega)
    return x * scale, y * scale


def _fisheye(x: np.ndarray, y: np.ndarray, lens: dict) -> tuple[np.ndarray, np.ndarray]:
    k1, k2, k3, k4 = _coefficients(lens, "k1", "k2", "k3", "k4")
    radius = np.sqrt(x * x + y * y)
    theta = np.arctan(radius)
    t2 = theta * theta
    bent = theta * (1 + t2 * (k1 + t2 * (k2 + t2 * (k3 + t2 * k4))))
    scale = np.where(radius > 1e-9, bent / np.maximum(radius, 1e-9), 1.0)
    return x * scale, y * scale


def _thin_prism_fisheye(x: np.ndarray, y: np.ndarray, lens: dict) -> tuple[np.ndarray, np.ndarray]:
    sx1, sy1 = _coefficients(lens, "sx1", "sy1")
    x, y = _fisheye(x, y, {})
    square = x * x + y * y
    bent_x, bent_y = _opencv(x, y, lens)
    return bent_x + sx1 * square, bent_y + sy1 * square


def _rad_tan_thin_prism_fisheye(
    x: np.ndarray, y: np.ndarray, lens: dict
) -> tuple[np.ndarray, np.ndarray]:
    p0, p1, s0, s1, s2, s3 = _coefficients(lens, "p0", "p1", "s0", "s1", "s2", "s3")
    x, y = _fisheye(x, y, {})
    square = x * x + y * y
    radial = 1 + sum(k * square**n for n, k in enumerate(_coefficients(lens, *RADIAL), 1))
    x, y = x * radial, y * radial
    square = x * x + y * y
    # COLMAP's p0 and p1 are OpenCV's p2 and p1.
    x, y = _tangential(x, y, np.ones_like(x), {"p1": p1, "p2": p0})
    return x + square * (s0 + s1 * square), y + square * (s2 + s3 * square)


def _division(x: np.ndarray, y: np.ndarray, lens: dict) -> tuple[np.ndarray, np.ndarray]:
    (k,) = _coefficients(lens, "k")
    inside = 1 - 4 * k * (x * x + y * y)
    scale = np.where(inside >= 0, 2 / (1 + np.sqrt(np.maximum(inside, 0))), np.nan)
    return x * scale, y * scale


def _eucm(x: np.ndarray, y: np.ndarray, lens: dict) -> tuple[np.ndarray, np.ndarray]:
    alpha, beta = _coefficients(lens, "alpha", "beta")
    scale = 1 / (alpha * np.sqrt(beta * (x * x + y * y) + 1) + 1 - alpha)
    return x * scale, y * scale


def _ftheta(x: np.ndarray, y: np.ndarray, lens: dict) -> tuple[np.ndarray, np.ndarray]:
    a0, a2, a3, a4 = _coefficients(lens, "a0", "a2", "a3", "a4")
    away = np.sqrt(x * x + y * y)
    angle = np.arctan(away)
    bent = angle - a0
    for _ in range(FTHETA_STEPS):
        value = a0 + bent * (1 + bent * (a2 + bent * (a3 + bent * a4)))
        slope = 1 + bent * (2 * a2 + bent * (3 * a3 + bent * 4 * a4))
        bent = bent - (value - angle) / np.where(np.abs(slope) < 1e-6, 1e-6, slope)
    scale = np.where(away > 1e-9, bent / np.maximum(away, 1e-9), 1.0)
    return x * scale, y * scale


def _tangential(
    x: np.ndarray, y: np.ndarray, scale: np.ndarray, lens: dict
) -> tuple[np.ndarray, np.ndarray]:
    p1, p2 = _coefficients(lens, "p1", "p2")
    square, cross = x * x + y * y, x * y
    return (
        x * scale + 2 * p1 * cross + p2 * (square + 2 * x * x),
        y * scale + p1 * (square + 2 * y * y) + 2 * p2 * cross,
    )


def _coefficients(lens: dict, *names: str) -> tuple[float, ...]:
    return tuple(float(lens.get(name, 0.0)) for name in names)


LENSES = {
    "none": _pinhole,
    "opencv": _opencv,
    "full_opencv": _full_opencv,
    "fov": _fov,
    "opencv_fisheye": _fisheye,
    "thin_prism_fisheye": _thin_prism_fisheye,
    "rad_tan_thin_prism_fisheye": _rad_tan_thin_prism_fisheye,
    "division": _division,
    "eucm": _eucm,
    "ftheta": _ftheta,
}
"""How each lens model of the engine that has an image plane moves its points."""

RADIAL = tuple(f"k{power}" for power in range(6))
