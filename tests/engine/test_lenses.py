import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from lens_formulas import (
    LENSES,
    POSE,
    SIZE,
    SPREAD,
    by_formula,
    colmap_camera,
    lens_of,
    placed,
    points_ahead,
)

from pvd_engine.data.capture import Camera
from pvd_engine.data.formats.cameras_json import camera_from_dict, camera_to_dict
from pvd_engine.data.formats.colmap_model import CAMERA_MODELS
from pvd_engine.data.geometry.lens_models import (
    COEFFICIENTS,
    bend_full_opencv,
    bend_opencv,
    bend_rad_tan_thin_prism,
    bend_thin_prism,
    image_plane,
)
from pvd_engine.data.geometry.projection import pixels_of, project
from pvd_engine.space.lenses import MODELS
from pvd_engine.space.rays import CameraBatch, generate_rays, image_pixels


def test_every_camera_model_of_colmap_has_a_lens_here():
    assert list(LENSES) == [name for name, _ in CAMERA_MODELS]
    assert {colmap_camera(name).distortion_model for name in LENSES} == set(MODELS) - {"ftheta"}
    assert set(MODELS) == set(COEFFICIENTS)


@pytest.mark.parametrize("name", SPREAD)
def test_lenses_project_as_opencv_and_the_published_formulas_say(name):
    camera, points = lens_of(name), points_ahead(spread=SPREAD[name])
    expected = by_formula(camera, points)
    found = np.stack(pixels_of(camera, *points.T), axis=1)
    np.testing.assert_allclose(found, expected, atol=1e-8)
    world = points * (1, -1, -1) @ POSE[:3, :3].T + POSE[:3, 3]
    np.testing.assert_allclose(project(camera, world), expected, atol=1e-8)


@pytest.mark.parametrize("name", SPREAD)
def test_rays_point_at_what_opencv_and_the_published_formulas_show(name):
    camera, points = lens_of(name), points_ahead(spread=SPREAD[name])
    batch = CameraBatch.from_cameras([camera])
    pixels = torch.from_numpy(by_formula(camera, points))
    rays = generate_rays(batch, torch.zeros(len(pixels), dtype=torch.int64), pixels)
    towards = points * (1, -1, -1) @ POSE[:3, :3].T
    towards /= np.linalg.norm(towards, axis=1, keepdims=True)
    np.testing.assert_allclose(rays.directions, towards, atol=2e-7)


# cv2.projectPoints of OpenCV 5.0.0 (full_opencv), the closed formulas of COLMAP's models, and
# bisection of those that are given backwards (division, instant-ngp's ftheta).
PLANE_POINTS = np.array([[0.3, -0.4], [-0.9, 0.5], [0.0, 0.0]])
LENS_PLACES = {
    "full_opencv": (
        (0.31, 0.06, 0.002, -0.003, 0.004, 0.42, 0.11, 0.012),
        [[0.28993460293373796, -0.3870794705783173], [-0.8061961752092203, 0.4482400973384557]],
    ),
    "fov": ((0.9,), [[0.3, -0.4], [-0.7602513595869739, 0.4223618664372077]]),
    "thin_prism_fisheye": (
        (0.03, -0.01, 0.002, -0.001, 0.003, -0.0005, 0.004, -0.003),
        [[0.27993945059128056, -0.3726076934723775], [-0.7104912415571459, 0.39514398397358513]],
    ),
    "rad_tan_thin_prism_fisheye": (
        (0.03, -0.01, 0.004, -0.001, 0.0005, -0.0001, 0.002, -0.001, 0.004, 0.001, -0.003, 0.002),
        [[0.281739489211095, -0.3746245985814719], [-0.7035233707840263, 0.3915212036951546]],
    ),
    "division": (
        (-0.1,),
        [[0.29285308902090923, -0.3904707853612124], [-0.8206756608145916, 0.45593092267477314]],
    ),
    "eucm": (
        (0.6, 1.1),
        [[0.27842346565702963, -0.37123128754270623], [-0.7014589238443301, 0.3896994021357389]],
    ),
    "ftheta": (
        (0.001, 0.02, -0.05, 0.003),
        [[0.2779124052545317, -0.370549873672709], [-0.7091104993896876, 0.39395027743871536]],
    ),
}


@pytest.mark.parametrize("model", LENS_PLACES)
def test_lenses_bend_points_as_their_formulas_say(model):
    values, expected = LENS_PLACES[model]
    lens = dict(zip(COEFFICIENTS[model], values, strict=True))
    places = np.stack(image_plane(model, lens, *PLANE_POINTS.T, np.ones(3)), axis=1)
    np.testing.assert_allclose(places, [*expected, [0, 0]], atol=1e-12)


def test_a_lens_that_is_not_known_is_an_error():
    with pytest.raises(ValueError, match="unknown distortion model 'mirror'"):
        image_plane("mirror", {}, *np.ones((3, 1)))


BENDS = {
    "opencv": bend_opencv,
    "full_opencv": bend_full_opencv,
    "thin_prism_fisheye": bend_thin_prism,
    "rad_tan_thin_prism_fisheye": bend_rad_tan_thin_prism,
}


@pytest.mark.parametrize("model", BENDS)
def test_the_slopes_of_a_lens_are_its_derivatives(model):
    rng = np.random.default_rng(6)
    values = rng.uniform(-0.1, 0.1, len(COEFFICIENTS[model]))
    x, y = rng.uniform(-0.8, 0.8, (2, 50))
    bent, by = BENDS[model](x, y, *values), 1e-6
    right, left = BENDS[model](x + by, y, *values), BENDS[model](x - by, y, *values)
    down, up = BENDS[model](x, y + by, *values), BENDS[model](x, y - by, *values)
    slopes = [right.x - left.x, down.x - up.x, right.y - left.y, down.y - up.y]
    np.testing.assert_allclose(bent[2:], np.array(slopes) / (2 * by), atol=1e-8)


def test_a_thin_prism_fisheye_without_prism_is_opencvs_fisheye():
    values = (300.0, 310.0, 310.5, 250.25, 0.03, -0.01, 0, 0, 0.004, -0.001, 0, 0)
    points = points_ahead(spread=3.0)
    np.testing.assert_allclose(
        pixels_of(colmap_camera("THIN_PRISM_FISHEYE", values), *points.T),
        pixels_of(colmap_camera("OPENCV_FISHEYE"), *points.T),
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
    pixel = pixels_of(camera, *np.array([[0.0], [0.0], [2.0]]))
    np.testing.assert_allclose(pixel, [[camera.cx], [camera.cy]])


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
    pixel = np.stack(pixels_of(camera, *point.T), axis=1)
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
