import math

import numpy as np
import pytest
import torch
from capture_files import look_at, real_capture
from hypothesis import given, settings
from hypothesis import strategies as st

from pvd_engine.data.capture import Camera
from pvd_engine.data.geometry.projection import project
from pvd_engine.data.readers import open_capture
from pvd_engine.space.rays import CameraBatch, generate_rays, image_pixels

POSE = look_at((1.0, -2.5, 3.0), (0.2, 0.1, -0.3))
OPENCV_AXES = np.diag([1.0, -1.0, -1.0, 1.0])
"""A camera whose OpenCV axes are the world's."""

POINTS = np.array(
    [[0.3, -0.4, 2.0], [-0.9, 0.5, 1.5], [0.0, 0.0, 1.0], [1.0, 1.1, 3.0], [-0.2, -0.7, 0.9]]
)
# cv2.projectPoints and cv2.fisheye.projectPoints of OpenCV 5.0.0 for POINTS.
OPENCV_LENS = {"k1": 0.12, "k2": -0.05, "p1": 0.003, "p2": -0.002, "k3": 0.01}
OPENCV_PIXELS = [
    [395.85053467, 127.78389785],
    [4.76439085, 409.62068222],
    [320.5, 230.25],
    [491.49886457, 422.76193938],
    [202.49730941, -187.68256836],
]
FISHEYE_LENS = {"k1": 0.05, "k2": -0.01, "k3": 0.004, "k4": -0.001}
FISHEYE_PIXELS = [
    [394.21154872, 130.00229374],
    [53.12944036, 381.7599838],
    [320.5, 230.25],
    [476.81205708, 405.63212805],
    [225.08121101, -110.39507669],
]

LENSES = {
    "pinhole": ("none", {}),
    "barrel": ("opencv", {"k1": -0.12, "k2": 0.01, "p1": 0.001, "p2": -0.002}),
    "pincushion": ("opencv", {"k1": 0.2, "k2": 0.05, "k3": 0.02, "k4": 0.005}),
    "fisheye": ("opencv_fisheye", {"k1": 0.03, "k2": -0.01, "k3": 0.002, "k4": -0.0005}),
    "equidistant": ("opencv_fisheye", {}),
}


def camera(model="none", distortion=None, pose=POSE, size=(64, 48), focal=(50.0, 55.0)):
    width, height = size
    return Camera(pose, width, height, *focal, 0.47 * width, 0.55 * height, model, distortion or {})


def rays_of(*cameras, pixels=None, index=None):
    batch = CameraBatch.from_cameras(cameras)
    if pixels is None:
        pixels = image_pixels(cameras[0].width, cameras[0].height)
    if index is None:
        index = torch.zeros(len(pixels), dtype=torch.int64)
    return generate_rays(batch, index, pixels), pixels


def reprojection_error(cam, rays, pixels, distance=3.0):
    points = rays.origins.double() + distance * rays.directions.double()
    return np.abs(project(cam, points.numpy()) - pixels.numpy()).max()


@pytest.mark.parametrize(
    ("model", "lens", "expected"),
    [
        ("opencv", OPENCV_LENS, OPENCV_PIXELS),
        ("opencv_fisheye", FISHEYE_LENS, FISHEYE_PIXELS),
        ("none", {}, POINTS[:, :2] / POINTS[:, 2:] * (500, 510) + (320.5, 230.25)),
    ],
)
def test_projection_is_that_of_opencv(model, lens, expected):
    cam = Camera(OPENCV_AXES, 640, 480, 500.0, 510.0, 320.5, 230.25, model, lens)
    np.testing.assert_allclose(project(cam, POINTS), expected, atol=1e-7)


def test_points_behind_a_perspective_camera_have_no_pixel():
    cam = Camera(OPENCV_AXES, 640, 480, 500.0, 510.0, 320.5, 230.25)
    assert np.isnan(project(cam, np.array([[0.1, 0.1, -1.0], [0.1, 0.1, 0.0]]))).all()


def test_a_fisheye_sees_beyond_ninety_degrees():
    cam = Camera(OPENCV_AXES, 640, 480, 100.0, 100.0, 320.0, 240.0, "opencv_fisheye")
    angle = math.radians(120)
    point = np.array([[math.sin(angle), 0.0, math.cos(angle)]])
    np.testing.assert_allclose(project(cam, point), [[320 + 100 * angle, 240]])


def test_the_first_pixels_centre_is_half_a_pixel_from_the_corner():
    pixels = image_pixels(3, 2)
    assert pixels.tolist() == [
        [0.5, 0.5],
        [1.5, 0.5],
        [2.5, 0.5],
        [0.5, 1.5],
        [1.5, 1.5],
        [2.5, 1.5],
    ]


def test_a_pinholes_rays_by_hand():
    cam = Camera(np.eye(4), 4, 2, 2.0, 4.0, 2.0, 1.0)
    rays, _ = rays_of(cam, pixels=torch.tensor([[2.0, 1.0], [4.0, 1.0], [2.0, 0.0]]))
    expected = np.array([[0, 0, -1], [1, 0, -1], [0, 0.25, -1]])
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    np.testing.assert_allclose(rays.directions, expected, atol=1e-7)
    assert (rays.origins == 0).all()


@pytest.mark.parametrize("lens", LENSES)
def test_points_along_rays_project_to_their_pixels(lens):
    cam = camera(*LENSES[lens])
    rays, pixels = rays_of(cam)
    assert reprojection_error(cam, rays, pixels) < 1e-4
    np.testing.assert_allclose(torch.linalg.vector_norm(rays.directions, dim=1), 1, atol=1e-6)


@pytest.mark.parametrize("name", ["nerf_synthetic_lego_200", "fox_270x480"])
def test_every_camera_of_a_real_capture_reprojects_within_a_thousandth_of_a_pixel(name):
    views = open_capture(real_capture(name)).views
    batch = CameraBatch.from_cameras([view.camera for view in views])
    pixels = image_pixels(views[0].camera.width, views[0].camera.height)[::37]
    for number, view in enumerate(views):
        index = torch.full((len(pixels),), number)
        rays = generate_rays(batch, index, pixels)
        assert reprojection_error(view.camera, rays, pixels, distance=4.0) < 1e-3


def test_mixed_lenses_in_one_batch_give_what_each_gives_alone():
    cameras = [camera(*lens) for lens in LENSES.values()]
    generator = torch.Generator().manual_seed(3)
    pixels = torch.rand(500, 2, generator=generator) * torch.tensor([64.0, 48.0])
    index = torch.randint(len(cameras), (500,), generator=generator)
    together, _ = rays_of(*cameras, pixels=pixels, index=index)
    for number, cam in enumerate(cameras):
        alone, _ = rays_of(cam, pixels=pixels[index == number])
        torch.testing.assert_close(together.directions[index == number], alone.directions)


def test_large_images_keep_their_precision_in_float32_pixels():
    cam = camera(*LENSES["barrel"], size=(8192, 6144), focal=(7000.0, 7100.0))
    generator = torch.Generator().manual_seed(3)
    pixels = torch.rand(2000, 2, generator=generator) * torch.tensor([8192.0, 6144.0])
    rays, _ = rays_of(cam, pixels=pixels)
    # A float32 direction itself is worth 6e-8 * 7000 pixels.
    assert reprojection_error(cam, rays, pixels) < 5e-3


@settings(max_examples=100, deadline=None)
@given(
    model=st.sampled_from(["opencv", "opencv_fisheye"]),
    coefficients=st.lists(st.floats(-30, 30), min_size=6, max_size=6),
)
def test_rays_of_impossible_lenses_are_still_unit_vectors(model, coefficients):
    names = ("k1", "k2", "p1", "p2", "k3", "k4")
    cam = camera(model, dict(zip(names, coefficients, strict=True)), size=(16, 12), focal=(6, 6))
    rays, _ = rays_of(cam)
    assert torch.isfinite(rays.directions).all()
    torch.testing.assert_close(
        torch.linalg.vector_norm(rays.directions, dim=1), torch.ones(192), atol=1e-5, rtol=0
    )


def test_no_rays_and_no_cameras():
    for lens in LENSES.values():
        rays, _ = rays_of(camera(*lens), pixels=torch.empty(0, 2))
        assert rays.origins.shape == rays.directions.shape == (0, 3)
    with pytest.raises(ValueError, match="at least one"):
        CameraBatch.from_cameras([])
    with pytest.raises(ValueError, match="unknown distortion model"):
        CameraBatch.from_cameras([camera("fisheye")])
