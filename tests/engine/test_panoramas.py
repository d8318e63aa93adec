"""Images that show all directions, and instant-ngp's lenses: formulas, files, boxes, pictures."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from analytic_field import AnalyticField
from capture_files import frames, look_at, ring, write_image, write_json, write_transforms
from colmap_files import made_model, write_colmap

from pvd_engine.data.capture import Camera
from pvd_engine.data.geometry.bounds import looked_at
from pvd_engine.data.geometry.projection import project
from pvd_engine.data.images.downscale import scaled_camera
from pvd_engine.data.readers import open_capture
from pvd_engine.data.writers.writers import write_capture
from pvd_engine.errors import UserError
from pvd_engine.render.render import render_image
from pvd_engine.space.rays import CameraBatch, generate_rays, image_pixels

SIZE = WIDTH, HEIGHT = 64, 32
POSE = look_at((0.3, -0.4, 0.2), (2.0, 1.0, 0.9))


def panorama(pose=POSE, size=SIZE):
    width, height = size
    whole = width / (2 * math.pi), height / math.pi
    return Camera(pose, width, height, *whole, width / 2, height / 2, "equirectangular")


def directions_of(camera, pixels):
    batch = CameraBatch.from_cameras([camera])
    index = torch.zeros(len(pixels), dtype=torch.int64)
    return generate_rays(batch, index, torch.as_tensor(pixels)).directions.double().numpy()


def nerfstudio_directions(pixels, fl_x, fl_y, cx, cy):
    """Camera axes, as nerfstudio's Cameras.generate_rays says of CameraType.EQUIRECTANGULAR."""
    theta = -np.pi * (pixels[:, 0] - cx) / fl_x
    phi = np.pi * (0.5 + (pixels[:, 1] - cy) / fl_y)
    return np.stack(
        [-np.sin(theta) * np.sin(phi), np.cos(phi), -np.cos(theta) * np.sin(phi)], axis=1
    )


def latlong_directions(pixels, size):
    """OpenCV axes, as instant-ngp's latlong_to_dir says."""
    u, v = (pixels / size).T
    theta, phi = (v - 0.5) * np.pi, (u - 0.5) * 2 * np.pi
    return np.stack([np.sin(phi) * np.cos(theta), np.sin(theta), np.cos(phi) * np.cos(theta)], 1)


def ftheta_directions(pixels, center, p):
    """OpenCV axes, as instant-ngp's f_theta_undistortion says."""
    away = pixels - center
    norm = np.linalg.norm(away, axis=1)
    alpha = p[0] + norm * (p[1] + norm * (p[2] + norm * (p[3] + norm * p[4])))
    return np.concatenate([away * (np.sin(alpha) / norm)[:, None], np.cos(alpha)[:, None]], axis=1)


def panoramas(folder, size=SIZE, **shared):
    """A capture whose cameras stand in a ring and turn with it."""
    entries = frames(ring(9, radius=0.5))
    for entry in entries:
        write_image(folder / entry["file_path"], size)
    write_json(folder / "transforms.json", {**shared, "frames": entries})
    return open_capture(folder)


@pytest.mark.parametrize(
    ("shared", "lens"),
    [
        ({}, (32, 32, 32, 16)),
        ({"w": 128, "h": 64}, (32, 32, 32, 16)),
        ({"fl_x": 32, "fl_y": 32, "cx": 32, "cy": 16}, (32, 32, 32, 16)),
        ({"fl_x": 80, "fl_y": 50, "cx": 20, "cy": 30}, (80, 50, 20, 30)),
        ({"fl_x": 50}, (50, 50, 32, 16)),
    ],
)
def test_equirectangular_rays_are_nerfstudios(tmp_path, shared, lens):
    camera = panoramas(tmp_path, camera_model="EQUIRECTANGULAR", **shared).views[3].camera
    pixels = image_pixels(*SIZE).double().numpy()
    expected = nerfstudio_directions(pixels, *lens) @ camera.camera_to_world[:3, :3].T
    np.testing.assert_allclose(directions_of(camera, pixels), expected, atol=1e-6)


def test_latlong_rays_are_instant_ngps_whatever_the_focal_length(tmp_path):
    capture = panoramas(tmp_path, latlong=True, camera_angle_x=0.8)
    camera = capture.views[0].camera
    pixels = image_pixels(*SIZE).double().numpy()
    expected = latlong_directions(pixels, SIZE) * (1, -1, -1)
    turned = expected @ camera.camera_to_world[:3, :3].T
    np.testing.assert_allclose(directions_of(camera, pixels), turned, atol=1e-6)


P = (0.001, 0.02, 1e-5, -2e-6, 1e-8)


@pytest.mark.parametrize("scale", [1, 2])
def test_ftheta_rays_are_instant_ngps(tmp_path, scale):
    values = {f"ftheta_p{power}": value for power, value in enumerate(P)}
    stated = {"w": WIDTH * scale, "h": HEIGHT * scale, "cx": 30 * scale, "cy": 17 * scale}
    camera = panoramas(tmp_path, **values, **stated).views[0].camera
    assert camera.distortion_model == "ftheta"
    pixels = image_pixels(*SIZE).double().numpy()
    expected = ftheta_directions(pixels * scale, (30 * scale, 17 * scale), P) * (1, -1, -1)
    turned = expected @ camera.camera_to_world[:3, :3].T
    np.testing.assert_allclose(directions_of(camera, pixels), turned, atol=1e-6)


FTHETA = {"a0": 0.001, "a2": 0.02, "a3": -0.05, "a4": 0.003}
CAMERAS = {
    "whole": panorama(),
    "part": Camera(POSE, 40, 30, 20.0, 25.0, 12.0, 20.0, "equirectangular"),
    "ftheta": Camera(POSE, 64, 48, 30.0, 32.0, 31.0, 25.5, "ftheta", FTHETA),
    "fewer pixels": scaled_camera(panorama(), 20, 10),
}


@pytest.mark.parametrize("name", CAMERAS)
def test_points_along_the_rays_of_all_pixels_project_to_them(name):
    camera = CAMERAS[name]
    pixels = image_pixels(camera.width, camera.height).double().numpy()
    points = camera.camera_to_world[:3, 3] + 3.7 * directions_of(camera, pixels)
    np.testing.assert_allclose(project(camera, points), pixels, atol=1e-4)


def test_whatever_lies_around_a_panorama_is_in_its_image():
    generator = np.random.default_rng(3)
    towards = generator.normal(size=(500, 3))
    towards /= np.linalg.norm(towards, axis=1, keepdims=True)
    pixels = project(panorama(), POSE[:3, 3] + towards * generator.uniform(0.1, 9, (500, 1)))
    assert (pixels >= 0).all() and (pixels <= SIZE).all()
    np.testing.assert_allclose(directions_of(panorama(), pixels), towards, atol=1e-6)


def test_what_lies_where_the_camera_stands_is_nowhere():
    assert np.isnan(project(panorama(np.eye(4)), np.zeros((1, 3)))).all()


def test_ahead_is_the_middle_and_the_right_edge_is_behind():
    camera = panorama(np.eye(4))
    points = np.array([[0, 0, -1.0], [1, 0, 0], [0, 0.999999, -1e-9], [1e-9, 0, 1], [-1e-9, 0, 1]])
    expected = [[32, 16], [48, 16], [32, 0], [64, 16], [0, 16]]
    np.testing.assert_allclose(project(camera, points), expected, atol=1e-5)


def test_a_panorama_of_a_field_is_what_pinholes_see_in_the_same_directions():
    def density(points):
        return 6 * torch.exp(-(points - torch.tensor([0.5, 0.3, 0.1])).square().sum(1) / 0.08) + 0.2

    field = AnalyticField(density, lambda points, directions: 0.5 + 0.4 * torch.sin(4 * points))
    camera = panorama(size=(16, 8))
    image = render_image(field, camera)
    assert np.ptp(image.alpha) > 0.3
    pixels = image_pixels(16, 8).double().numpy()
    ahead = nerfstudio_directions(pixels, 8, 8, 8, 4) @ POSE[:3, :3].T
    for index in range(0, len(pixels), 5):
        position = POSE[:3, 3]
        pinhole = Camera(look_at(position, position + ahead[index]), 1, 1, 3.0, 3.0, 0.5, 0.5)
        seen = render_image(field, pinhole)
        row, column = divmod(index, 16)
        np.testing.assert_allclose(image.color[row, column], seen.color[0, 0], atol=1e-4)
        np.testing.assert_allclose(image.alpha[row, column], seen.alpha[0, 0], atol=1e-4)
        np.testing.assert_allclose(image.depth[row, column], seen.depth[0, 0], atol=1e-3)


def test_the_box_of_panoramas_holds_their_cameras_and_their_surroundings(tmp_path):
    capture = panoramas(tmp_path, camera_model="EQUIRECTANGULAR")
    cameras = [view.camera for view in capture.views]
    assert looked_at(cameras) is None
    places = np.array([camera.camera_to_world[:3, 3] for camera in cameras])
    assert (capture.box[0] < places.min(axis=0) - 0.9).all()
    assert (capture.box[1] > places.max(axis=0) + 0.9).all()
    assert looked_at([panorama(np.eye(4)), panorama(look_at((1, 0, 0)))]) is None


def test_colmaps_equirectangular_camera_is_a_panorama(tmp_path):
    model = made_model(size=SIZE, cameras=[(3, 17, *SIZE, (float(WIDTH), float(HEIGHT)))])
    write_colmap(tmp_path / "in", model, size=SIZE)
    capture = open_capture(tmp_path / "in")
    expected = panorama()
    for view in capture.views:
        assert intrinsics(view.camera) == intrinsics(expected)
    notes = write_capture(capture, "colmap", tmp_path / "out")
    assert any("EQUIRECTANGULAR" in note for note in notes)
    again = open_capture(tmp_path / "out")
    assert [intrinsics(v.camera) for v in again.views] == [
        intrinsics(v.camera) for v in capture.views
    ]


def intrinsics(camera):
    numbers = camera.width, camera.height, camera.fx, camera.fy, camera.cx, camera.cy
    return camera.distortion_model, camera.distortion, numbers


NGP = {f"ftheta_p{power}": value for power, value in enumerate(P)}
ARIA = {
    "camera_model": "FISHEYE624",
    "fl_x": 30.0,
    "distortion_params": [0.01 / n for n in range(1, 13)],
}
WRITTEN = {
    "whole": ({"camera_model": "EQUIRECTANGULAR"}, ("nerfstudio", "colmap")),
    "part": ({"camera_model": "EQUIRECTANGULAR", "fl_x": 71.3, "fl_y": 54.9}, ("nerfstudio",)),
    "ftheta": (NGP, ("nerfstudio",)),
    "aria": (ARIA, ("nerfstudio", "colmap")),
}


@pytest.mark.parametrize("to", ["nerfstudio", "colmap", "nerf-synthetic"])
@pytest.mark.parametrize("name", WRITTEN)
def test_wide_lenses_are_written_where_a_format_has_them_and_refused_elsewhere(tmp_path, name, to):
    shared, formats = WRITTEN[name]
    capture = panoramas(tmp_path / "in", **shared)
    if to in formats:
        write_capture(capture, to, tmp_path / "out")
        again = {view.name[-3:]: view.camera for view in open_capture(tmp_path / "out").views}
        for view in capture.views:
            assert intrinsics(again[view.name[-3:]]) == intrinsics(view.camera)
        return
    with pytest.raises(UserError, match=rf"write --to {formats[0]} instead\.$"):
        write_capture(capture, to, tmp_path / "out")


def test_a_lens_that_no_format_can_hold_is_refused_without_advice(tmp_path):
    values = {f"ftheta_p{power}": value for power, value in enumerate(P)}
    capture = panoramas(tmp_path / "in", **values)
    cameras = [replace(view.camera, fy=2 * view.camera.fy) for view in capture.views]
    views = [replace(v, camera=c) for v, c in zip(capture.views, cameras, strict=True)]
    capture = replace(capture, views=tuple(views))
    with pytest.raises(UserError, match=r"\(ftheta\); no other format can hold it either\.$"):
        write_capture(capture, "nerfstudio", tmp_path / "out")


def test_one_camera_may_be_a_panorama_among_pinholes(tmp_path):
    content = write_transforms(tmp_path, 4, size=SIZE)
    content["frames"][1] |= {"camera_model": "EQUIRECTANGULAR", "fl_x": 32, "fl_y": 32}
    write_json(tmp_path / "transforms.json", content)
    models = [view.camera.distortion_model for view in open_capture(tmp_path).views]
    assert models == ["none", "equirectangular", "none", "none"]
