import math

import numpy as np
import pytest
import torch
from capture_files import look_at
from hypothesis import given, settings
from hypothesis import strategies as st

from pvd_engine.data.capture import Camera
from pvd_engine.data.formats.cameras_json import camera_from_dict, camera_to_dict
from pvd_engine.data.formats.colmap import lens_camera
from pvd_engine.data.formats.colmap_model import CAMERA_MODELS, ColmapCamera
from pvd_engine.data.geometry.lens_models import COEFFICIENTS
from pvd_engine.data.geometry.projection import project
from pvd_engine.space.lenses import MODELS
from pvd_engine.space.rays import CameraBatch, generate_rays, image_pixels

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


OPENCV_FISHEYES = [
    *("OPENCV_FISHEYE", "SIMPLE_RADIAL_FISHEYE", "RADIAL_FISHEYE", "SIMPLE_FISHEYE", "FISHEYE")
]


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


def placed(camera, pose=POSE):
    return Camera(**{**vars(camera), "camera_to_world": pose})


def pixels_of(camera, points):
    """Project points given in the camera's OpenCV axes."""
    return project(camera, points * (1, -1, -1))


def intrinsic_matrix(camera):
    return np.array([[camera.fx, 0, camera.cx], [0, camera.fy, camera.cy], [0, 0, 1]])


def fov_by_hand(point, fx, fy, cx, cy, omega):
    x, y = point[0] / point[2], point[1] / point[2]
    radius = math.hypot(x, y)
    bent = math.atan(2 * radius * math.tan(omega / 2)) / omega
    return fx * x / radius * bent + cx, fy * y / radius * bent + cy


def thin_prism_by_hand(point, fx, fy, cx, cy, k1, k2, p1, p2, k3, k4, sx1, sy1):
    theta = math.acos(point[2] / math.sqrt(sum(value * value for value in point)))
    turn = math.atan2(point[1], point[0])
    u, v = theta * math.cos(turn), theta * math.sin(turn)
    radial = k1 * theta**2 + k2 * theta**4 + k3 * theta**6 + k4 * theta**8
    x = u + u * radial + 2 * p1 * u * v + p2 * (3 * u**2 + v**2) + sx1 * theta**2
    y = v + v * radial + 2 * p2 * u * v + p1 * (u**2 + 3 * v**2) + sy1 * theta**2
    return fx * x + cx, fy * y + cy


def rad_tan_thin_prism_by_hand(point, fx, fy, cx, cy, *values):
    k, (p0, p1, s0, s1, s2, s3) = values[:6], values[6:]
    theta = math.acos(point[2] / math.sqrt(sum(value * value for value in point)))
    turn = math.atan2(point[1], point[0])
    bent = theta + sum(k[i] * theta ** (2 * i + 3) for i in range(6))
    u, v, r = bent * math.cos(turn), bent * math.sin(turn), bent
    x = u + p0 * (3 * u**2 + v**2) + 2 * p1 * u * v + s0 * r**2 + s1 * r**4
    y = v + p1 * (u**2 + 3 * v**2) + 2 * p0 * u * v + s2 * r**2 + s3 * r**4
    return fx * x + cx, fy * y + cy


def division_by_hand(point, fx, fy, cx, cy, k):
    """By bisection of what a pinhole would see, r / (1 + k r²)."""
    wanted = math.hypot(point[0], point[1]) / point[2]
    low, high = 0.0, 1 / math.sqrt(abs(k))
    for _ in range(200):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if middle / (1 + k * middle**2) < wanted else (low, middle)
    scale = low / wanted / point[2]
    return fx * point[0] * scale + cx, fy * point[1] * scale + cy


def eucm_by_hand(point, fx, fy, cx, cy, alpha, beta):
    x, y, z = point
    below = alpha * math.sqrt(beta * (x * x + y * y) + z * z) + (1 - alpha) * z
    return fx * x / below + cx, fy * y / below + cy


def equirectangular_by_hand(point, width, height):
    length = math.sqrt(sum(value * value for value in point))
    longitude = math.atan2(point[0], point[2])
    colatitude = math.acos(-point[1] / length)
    return (longitude / (2 * math.pi) + 0.5) * width, colatitude / math.pi * height


def test_every_camera_model_of_colmap_has_a_lens_here():
    assert list(LENSES) == [name for name, _ in CAMERA_MODELS]
    assert {colmap_camera(name).distortion_model for name in LENSES} == set(MODELS) - {"ftheta"}
    assert set(MODELS) == set(COEFFICIENTS)


@pytest.mark.parametrize(
    ("name", "order"),
    [
        ("SIMPLE_PINHOLE", ()),
        ("PINHOLE", ()),
        ("SIMPLE_RADIAL", ("k1",)),
        ("RADIAL", ("k1", "k2")),
        ("OPENCV", ("k1", "k2", "p1", "p2")),
        ("FULL_OPENCV", ("k1", "k2", "p1", "p2", "k3", "k4", "k5", "k6")),
    ],
)
def test_perspective_lenses_project_as_opencv_does(name, order):
    cv2 = pytest.importorskip("cv2", reason="opencv-python-headless is not installed")
    camera = colmap_camera(name)
    bent = np.zeros(8)
    bent[: len(order)] = [camera.distortion[key] for key in order]
    points = points_ahead()
    zero = np.zeros(3)
    expected, _ = cv2.projectPoints(points, zero, zero, intrinsic_matrix(camera), bent)
    np.testing.assert_allclose(pixels_of(camera, points), expected[:, 0], atol=1e-8)


@pytest.mark.parametrize("name", OPENCV_FISHEYES)
def test_fisheye_lenses_project_as_opencv_does(name):
    cv2 = pytest.importorskip("cv2", reason="opencv-python-headless is not installed")
    camera = colmap_camera(name)
    bent = np.array([camera.distortion.get(f"k{index}", 0.0) for index in range(1, 5)])
    points = points_ahead(spread=3.0)
    zero = np.zeros(3)
    expected, _ = cv2.fisheye.projectPoints(
        points[:, None], zero, zero, intrinsic_matrix(camera), bent
    )
    np.testing.assert_allclose(pixels_of(camera, points), expected[:, 0], atol=1e-8)


@pytest.mark.parametrize(
    ("name", "by_hand", "spread"),
    [
        ("FOV", fov_by_hand, 2.0),
        ("THIN_PRISM_FISHEYE", thin_prism_by_hand, 2.0),
        ("RAD_TAN_THIN_PRISM_FISHEYE", rad_tan_thin_prism_by_hand, 2.0),
        ("DIVISION", division_by_hand, 0.7),
        ("EUCM", eucm_by_hand, 2.0),
        ("EQUIRECTANGULAR", equirectangular_by_hand, 9.0),
    ],
)
def test_other_lenses_project_by_their_closed_formulas(name, by_hand, spread):
    points = points_ahead(spread=spread)
    expected = [by_hand(point, *LENSES[name]) for point in points]
    np.testing.assert_allclose(pixels_of(colmap_camera(name), points), expected, atol=1e-8)


def test_a_thin_prism_fisheye_without_prism_is_opencvs_fisheye():
    values = (300.0, 310.0, 310.5, 250.25, 0.03, -0.01, 0, 0, 0.004, -0.001, 0, 0)
    points = points_ahead(spread=3.0)
    np.testing.assert_allclose(
        pixels_of(colmap_camera("THIN_PRISM_FISHEYE", values), points),
        pixels_of(colmap_camera("OPENCV_FISHEYE"), points),
        atol=1e-9,
    )


@pytest.mark.parametrize("name", ["SIMPLE_RADIAL", "OPENCV", "FULL_OPENCV", "FOV", "DIVISION"])
def test_lenses_whose_coefficients_are_zero_are_pinholes(name):
    values = [v if i < 4 - (name == "SIMPLE_RADIAL") else 0 for i, v in enumerate(LENSES[name])]
    camera = colmap_camera(name, values)
    assert (camera.distortion_model, camera.distortion) == ("none", {})


@pytest.mark.parametrize("name", LENSES)
def test_the_axis_projects_to_the_principal_point(name):
    camera = colmap_camera(name)
    pixel = pixels_of(camera, np.array([[0.0, 0.0, 2.0]]))
    np.testing.assert_allclose(pixel, [[camera.cx, camera.cy]])


@pytest.mark.parametrize("name", LENSES)
def test_rays_start_where_points_project_to(name):
    camera = placed(colmap_camera(name))
    spread = 2.0 if "FISHEYE" in name or name == "FOV" else 0.6
    points = points_ahead(spread=spread) * (1, -1, -1)
    world = points @ POSE[:3, :3].T + POSE[:3, 3]
    pixels = torch.from_numpy(project(camera, world))
    batch = CameraBatch.from_cameras([camera])
    rays = generate_rays(batch, torch.zeros(len(pixels), dtype=torch.int64), pixels)
    towards = world - POSE[:3, 3]
    towards /= np.linalg.norm(towards, axis=1, keepdims=True)
    off = np.linalg.norm(rays.directions.double().numpy() - towards, axis=1)
    assert (off * camera.fx).max() < 1e-3


@pytest.mark.parametrize("name", LENSES)
def test_points_along_the_rays_of_all_pixels_project_to_them(name):
    camera = placed(colmap_camera(name))
    pixels = image_pixels(*SIZE)[::97]
    batch = CameraBatch.from_cameras([camera])
    rays = generate_rays(batch, torch.zeros(len(pixels), dtype=torch.int64), pixels)
    points = rays.origins.double() + 3 * rays.directions.double()
    assert np.abs(project(camera, points.numpy()) - pixels.numpy()).max() < 1e-3


def test_a_thin_prism_fisheye_sees_beyond_ninety_degrees():
    values = (100.0, 100.0, 320.0, 240.0, 0, 0, 0, 0, 0, 0, 0.01, 0)
    camera = colmap_camera("THIN_PRISM_FISHEYE", values)
    angle = math.radians(120)
    point = np.array([[math.sin(angle), 0.0, math.cos(angle)]])
    pixel = pixels_of(camera, point)
    np.testing.assert_allclose(pixel, [[320 + 100 * (angle + 0.01 * angle**2), 240]])
    batch = CameraBatch.from_cameras([camera])
    rays = generate_rays(batch, torch.zeros(1, dtype=torch.int64), torch.from_numpy(pixel))
    np.testing.assert_allclose(rays.directions, point * (1, -1, -1), atol=1e-6)


def test_all_lenses_in_one_batch_give_what_each_gives_alone():
    cameras = [placed(colmap_camera(name)) for name in LENSES]
    generator = torch.Generator().manual_seed(3)
    pixels = torch.rand(1000, 2, generator=generator) * torch.tensor(SIZE)
    index = torch.randint(len(cameras), (1000,), generator=generator)
    together = generate_rays(CameraBatch.from_cameras(cameras), index, pixels)
    for number, camera in enumerate(cameras):
        chosen = pixels[index == number]
        alone = generate_rays(
            CameraBatch.from_cameras([camera]), torch.zeros(len(chosen), dtype=torch.int64), chosen
        )
        torch.testing.assert_close(together.directions[index == number], alone.directions)


@pytest.mark.parametrize("name", LENSES)
def test_no_rays_of_any_lens(name):
    batch = CameraBatch.from_cameras([colmap_camera(name)])
    rays = generate_rays(batch, torch.empty(0, dtype=torch.int64), torch.empty(0, 2))
    assert rays.directions.shape == (0, 3)


@pytest.mark.parametrize("name", LENSES)
def test_cameras_json_keeps_every_lens(name):
    camera = placed(colmap_camera(name))
    again = camera_from_dict(camera_to_dict(camera), "a test")
    assert camera_to_dict(again) == camera_to_dict(camera)


@settings(max_examples=150, deadline=None)
@given(
    model=st.sampled_from([name for name in COEFFICIENTS if name != "fov"]),
    coefficients=st.lists(st.floats(-30, 30) | st.just(-1.0), min_size=12, max_size=12),
)
def test_rays_of_impossible_lenses_are_still_unit_vectors(model, coefficients):
    lens = dict(zip(COEFFICIENTS[model], coefficients, strict=False))
    directions_are_unit(Camera(POSE, 16, 12, 6.0, 6.0, 8.5, 6.5, model, lens))


@settings(max_examples=100, deadline=None)
@given(omega=st.floats(-3.14, 3.14))
def test_rays_of_every_fov_are_unit_vectors(omega):
    directions_are_unit(Camera(POSE, 16, 12, 6.0, 6.0, 8.5, 6.5, "fov", {"omega": omega}))


def directions_are_unit(camera):
    pixels = image_pixels(camera.width, camera.height)
    batch = CameraBatch.from_cameras([camera])
    rays = generate_rays(batch, torch.zeros(len(pixels), dtype=torch.int64), pixels)
    assert torch.isfinite(rays.directions).all()
    lengths = torch.linalg.vector_norm(rays.directions, dim=1)
    torch.testing.assert_close(lengths, torch.ones(len(pixels)), atol=1e-5, rtol=0)
