"""Lenses, and where they show points by formulas that are written apart from the engine's.

OpenCV is asked for the models that it has. The others are written here point by point, from their
definitions in COLMAP's ``sensor/models.h`` and instant-ngp's ``common_device.cuh``.
"""

import math

import numpy as np
import pytest
from capture_files import look_at

from pvd_engine.data.capture import Camera
from pvd_engine.data.formats.colmap import lens_camera
from pvd_engine.data.formats.colmap_model import CAMERA_MODELS, ColmapCamera

try:  # before the tests begin: it changes the environment's variables when it is imported
    import cv2
except ImportError:
    cv2 = None

SIZE = (640, 480)
POSE = look_at((1.0, -2.5, 3.0), (0.2, 0.1, -0.3))

LENSES = {
    "SIMPLE_PINHOLE": (500.0, 310.5, 250.25),
    "PINHOLE": (500.0, 510.0, 310.5, 250.25),
    "SIMPLE_RADIAL": (500.0, 310.5, 250.25, -0.08),
    "RADIAL": (500.0, 310.5, 250.25, 0.07, -0.02),
    "OPENCV": (500.0, 510.0, 310.5, 250.25, -0.1, 0.02, 0.003, -0.002),
    "OPENCV_FISHEYE": (300.0, 310.0, 310.5, 250.25, 0.03, -0.01, 0.004, -0.001),
    "FULL_OPENCV": (
        *(500.0, 510.0, 310.5, 250.25),
        *(0.31, 0.06, 0.002, -0.003, 0.004, 0.42, 0.11, 0.012),
    ),
    "FOV": (300.0, 310.0, 310.5, 250.25, 0.9),
    "SIMPLE_RADIAL_FISHEYE": (300.0, 310.5, 250.25, 0.05),
    "RADIAL_FISHEYE": (300.0, 310.5, 250.25, 0.05, -0.01),
    "THIN_PRISM_FISHEYE": (
        *(300.0, 310.0, 310.5, 250.25),
        *(0.03, -0.01, 0.002, -0.001, 0.003, -0.0005, 0.004, -0.003),
    ),
    "RAD_TAN_THIN_PRISM_FISHEYE": (
        *(300.0, 310.0, 310.5, 250.25),
        *(0.03, -0.01, 0.004, -0.001, 0.0005, -0.0001, 0.002, -0.001, 0.004, 0.001, -0.003, 0.002),
    ),
    "SIMPLE_DIVISION": (500.0, 310.5, 250.25, -0.1),
    "DIVISION": (500.0, 510.0, 310.5, 250.25, 0.05),
    "SIMPLE_FISHEYE": (300.0, 310.5, 250.25),
    "FISHEYE": (300.0, 310.0, 310.5, 250.25),
    "EUCM": (300.0, 310.0, 310.5, 250.25, 0.6, 1.1),
    "EQUIRECTANGULAR": (640.0, 480.0),
}
"""Parameters of every camera model of COLMAP, in its order."""

SPREAD = {
    **dict.fromkeys(LENSES, 0.7),
    **dict.fromkeys((name for name in LENSES if "FISHEYE" in name), 3.0),
    **dict.fromkeys(("FOV", "THIN_PRISM_FISHEYE", "RAD_TAN_THIN_PRISM_FISHEYE", "EUCM"), 2.0),
    "EQUIRECTANGULAR": 9.0,
    "FTHETA": 2.0,
}
"""How far to the sides points lie, by their depth, that a lens shows."""


def points_ahead(count=500, spread=0.7):
    """Points in OpenCV axes, as they stand before a camera."""
    rng = np.random.default_rng(2)
    depth = rng.uniform(0.5, 5, (count, 1))
    plane = rng.uniform(-spread, spread, (count, 2))
    return np.concatenate([plane * depth, depth], axis=1)


def colmap_camera(name, values=None):
    parameters = dict(CAMERA_MODELS)[name]
    values = LENSES[name] if values is None else values
    return lens_camera(
        ColmapCamera(name, *SIZE, dict(zip(parameters, values, strict=True))), "a test"
    )


def lens_of(name):
    """A camera with the lens of a camera model of COLMAP's, or of FTHETA."""
    if name == "FTHETA":
        coefficients = {"a0": 0.001, "a2": 0.02, "a3": -0.05, "a4": 0.003}
        return Camera(POSE, *SIZE, 300.0, 310.0, 310.5, 250.25, "ftheta", coefficients)
    return placed(colmap_camera(name))


def placed(camera, pose=POSE):
    return Camera(**{**vars(camera), "camera_to_world": pose})


def by_formula(camera, points):
    """Pixels (N, 2) of points (N, 3) in the camera's OpenCV axes."""
    if camera.distortion_model in BY_HAND:
        by_hand = BY_HAND[camera.distortion_model]
        plane = np.array([by_hand(*point, **camera.distortion) for point in points])
        return plane * (camera.fx, camera.fy) + (camera.cx, camera.cy)
    module = opencv()
    zero, bent = np.zeros(3), opencv_coefficients(camera)
    matrix = np.array([[camera.fx, 0, camera.cx], [0, camera.fy, camera.cy], [0, 0, 1]])
    if camera.distortion_model == "opencv_fisheye":
        return module.fisheye.projectPoints(points[:, None], zero, zero, matrix, bent)[0][:, 0]
    return module.projectPoints(points, zero, zero, matrix, bent)[0][:, 0]


def opencv():
    """The module cv2; skips the test where it is not installed."""
    return cv2 or pytest.skip("opencv-python-headless is not installed")


def opencv_coefficients(camera):
    """The distortion of a camera as OpenCV takes it."""
    names = {
        "none": ("k1", "k2", "p1", "p2"),
        "opencv": ("k1", "k2", "p1", "p2", "k3"),
        "full_opencv": ("k1", "k2", "p1", "p2", "k3", "k4", "k5", "k6"),
        "opencv_fisheye": ("k1", "k2", "k3", "k4"),
    }[camera.distortion_model]
    assert set(camera.distortion) <= set(names)
    return np.array([camera.distortion.get(name, 0.0) for name in names])


def fov(x, y, z, omega):
    radius = math.hypot(x, y) / z
    bent = math.atan(2 * radius * math.tan(omega / 2)) / omega
    return x / z / radius * bent, y / z / radius * bent


def thin_prism(x, y, z, k1=0, k2=0, p1=0, p2=0, k3=0, k4=0, sx1=0, sy1=0):
    theta = math.acos(z / math.sqrt(x * x + y * y + z * z))
    turn = math.atan2(y, x)
    u, v = theta * math.cos(turn), theta * math.sin(turn)
    radial = k1 * theta**2 + k2 * theta**4 + k3 * theta**6 + k4 * theta**8
    return (
        u + u * radial + 2 * p1 * u * v + p2 * (3 * u**2 + v**2) + sx1 * theta**2,
        v + v * radial + 2 * p2 * u * v + p1 * (u**2 + 3 * v**2) + sy1 * theta**2,
    )


def rad_tan_thin_prism(x, y, z, p0=0, p1=0, s0=0, s1=0, s2=0, s3=0, **k):
    theta = math.acos(z / math.sqrt(x * x + y * y + z * z))
    turn = math.atan2(y, x)
    r = theta + sum(k.get(f"k{i}", 0) * theta ** (2 * i + 3) for i in range(6))
    u, v = r * math.cos(turn), r * math.sin(turn)
    return (
        u + p0 * (3 * u**2 + v**2) + 2 * p1 * u * v + s0 * r**2 + s1 * r**4,
        v + p1 * (u**2 + 3 * v**2) + 2 * p0 * u * v + s2 * r**2 + s3 * r**4,
    )


def division(x, y, z, k):
    """By bisection of what a pinhole would see, r / (1 + k r²)."""
    wanted = math.hypot(x, y) / z
    low = bisected(lambda r: r / (1 + k * r**2) < wanted, 1 / math.sqrt(abs(k)))
    return x / z * low / wanted, y / z * low / wanted


def eucm(x, y, z, alpha, beta):
    below = alpha * math.sqrt(beta * (x * x + y * y) + z * z) + (1 - alpha) * z
    return x / below, y / below


def ftheta(x, y, z, a0=0, a2=0, a3=0, a4=0):
    """By bisection of the radius at which the polynomial gives the point's angle."""
    across = math.hypot(x, y)
    angle = math.atan2(across, z)
    low = bisected(lambda r: a0 + r + a2 * r**2 + a3 * r**3 + a4 * r**4 < angle, 2.0)
    return x / across * low, y / across * low


def bisected(below, high):
    low = 0.0
    for _ in range(60):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if below(middle) else (low, middle)
    return low


def equirectangular(x, y, z):
    longitude = math.atan2(x, z)
    colatitude = math.acos(-y / math.sqrt(x * x + y * y + z * z))
    return longitude, colatitude - math.pi / 2


BY_HAND = {
    "fov": fov,
    "thin_prism_fisheye": thin_prism,
    "rad_tan_thin_prism_fisheye": rad_tan_thin_prism,
    "division": division,
    "eucm": eucm,
    "ftheta": ftheta,
    "equirectangular": equirectangular,
}
"""Image plane x and y of a point, of the lens models that OpenCV has not."""
