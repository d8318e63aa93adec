"""The plain NeRF recipe, which our own training is measured against."""

import math

import numpy as np
import pytest
import torch
from ball_capture import RADIUS, write_ball_capture

from pvd_engine.bench import plain_nerf
from pvd_engine.bench.measure import compare, require_test_views
from pvd_engine.data.readers import open_capture
from pvd_engine.jobs.job import Job


@pytest.fixture
def capture(tmp_path):
    return open_capture(write_ball_capture(tmp_path / "ball", size=32))


def test_importance_samples_invert_the_cumulative_sum():
    generator = np.random.default_rng(3)
    edges = np.sort(generator.uniform(2, 6, (20, 13)), axis=1)
    weights = generator.uniform(0, 1, (20, 12)) * (generator.uniform(0, 1, (20, 12)) > 0.4)
    uniform = generator.uniform(0, 1, (20, 50))
    uniform[:, :2] = (0, 1)
    found = plain_nerf.importance_samples(
        *(torch.from_numpy(array).float() for array in (edges, weights, uniform))
    )
    for row in range(20):
        density = (weights[row] + 1e-5) / (weights[row] + 1e-5).sum()
        expected = np.interp(uniform[row], np.concatenate(([0], np.cumsum(density))), edges[row])
        assert np.quantile(np.abs(found[row].numpy() - expected), 0.9) < 2e-3
        assert edges[row, 0] - 1e-5 <= found[row].min()
        assert found[row].max() <= edges[row, -1] + 1e-5


def test_importance_samples_fall_where_the_weight_is():
    edges = torch.linspace(0, 10, 11).expand(1, -1)
    weights = torch.zeros(1, 10)
    weights[0, 3], weights[0, 7] = 1.0, 3.0
    found = plain_nerf.importance_samples(edges, weights, torch.rand(1, 4000))[0]
    first, second = ((found > at) & (found < at + 1) for at in (3, 7))
    assert (first | second).float().mean() > 0.99
    assert second.float().mean() == pytest.approx(0.75, abs=0.04)
    assert found[second].mean() == pytest.approx(7.5, abs=0.05)


def test_each_part_of_a_ray_has_one_stratified_sample():
    t = plain_nerf.stratified(2.0, 6.0, torch.rand(100, 64))
    part = ((t - 2) / (4 / 64)).floor().long()
    assert torch.equal(part, torch.arange(64).expand(100, -1))


def test_weights_are_those_of_the_rendering_equation():
    density, t = [0.5, 0.0, 2.0, 1.0], [2.0, 2.3, 3.0, 3.1]
    lengths = [0.3, 0.7, 0.1, math.inf]
    expected, light = [], 1.0
    for d, length in zip(density, lengths, strict=True):
        opacity = 1 - math.exp(-d * length)
        expected.append(light * opacity)
        light *= 1 - opacity
    found = plain_nerf.sample_weights(torch.tensor([density]), torch.tensor([t]))[0]
    assert found.tolist() == pytest.approx(expected, abs=1e-6)


def test_near_and_far_hold_the_box_of_every_camera(capture):
    cameras = [view.camera for view in capture.split("train")]
    near, far = plain_nerf.near_and_far(cameras, capture.box)
    grid = np.stack(np.meshgrid(*np.linspace(*capture.box, 21).T, indexing="ij"), -1)
    points = grid.reshape(-1, 3)
    distances = [
        np.linalg.norm(points - camera.camera_to_world[:3, 3], axis=1) for camera in cameras
    ]
    assert near <= np.min(distances) < near + 0.1
    assert far == pytest.approx(np.max(distances))


def test_pictures_of_a_known_ball_are_those_of_the_capture(capture, tmp_path, monkeypatch):
    half_side = float((capture.box[1] - capture.box[0]).max()) / 2
    center = torch.from_numpy(capture.box.mean(axis=0)).float()

    def ball(self, points, directions):
        points = points * half_side + center
        distance = points.norm(dim=-1)
        density = torch.where(distance < RADIUS, 200.0, 0.0)
        return density, 0.5 + 0.45 * points / distance[:, None]

    monkeypatch.setattr(plain_nerf.NerfNetwork, "forward", ball)
    nerf = plain_nerf.PlainNerf.start(capture, 0, torch.device("cpu"))
    views = require_test_views(capture, 1)
    pictures = [plain_nerf.picture(nerf, view.camera, Job(tmp_path)) for view in views]
    assert compare(pictures, views)["psnr"] > 26


def test_networks_have_the_published_size():
    count = sum(parameter.numel() for parameter in plain_nerf.NerfNetwork().parameters())
    trunk = 64 * 256 + 4 * 257 * 256 + (256 + 63 + 1) * 256 + 2 * 257 * 256
    heads = 257 + 257 * 256 + (256 + 27 + 1) * 128 + 129 * 3
    assert count == trunk + heads


def test_training_comes_nearer_to_the_images(capture, tmp_path, monkeypatch):
    small = {"COARSE": 16, "FINE": 16, "LAYERS": 3, "SKIP": 2, "WIDTH": 48, "VIEW_WIDTH": 24}
    for name, value in small.items():
        monkeypatch.setattr(plain_nerf, name, value)
    monkeypatch.setitem(plain_nerf.RAYS, "cpu", 96)
    views, job, device = require_test_views(capture, 1), Job(tmp_path), torch.device("cpu")

    def quality(nerf):
        return compare([plain_nerf.picture(nerf, v.camera, job) for v in views], views)["psnr"]

    before = quality(plain_nerf.PlainNerf.start(capture, 0, device))
    nerf, steps = plain_nerf.train(capture, 8.0, 0, device, job)
    assert steps > 10
    assert quality(nerf) > before + 1
