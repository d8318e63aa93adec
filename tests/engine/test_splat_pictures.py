"""Pictures of a field of splats: drawn by its rules, through every lens, as its volume is seen."""

import numpy as np
import pytest
import torch
from splat_clouds import BOX, ball_field, ball_of_splats

from pvd_engine.data.capture import Camera
from pvd_engine.data.geometry.poses import look_at
from pvd_engine.errors import Cancelled
from pvd_engine.fields.architectures import splat_field
from pvd_engine.fields.base import Renderable
from pvd_engine.fields.splats import Splats
from pvd_engine.kernels import workload
from pvd_engine.kernels.harmonics import sh_colors
from pvd_engine.kernels.splat_rules import GSPLAT, INRIA, SplatCamera
from pvd_engine.kernels.splats import draw_splats
from pvd_engine.measure.image_metrics import psnr
from pvd_engine.render.render import render_image
from pvd_engine.space.space_map import BoxMap

UP = np.array([0.0, 0.0, 1.0])
OUTSIDE = look_at(np.array([2.2, 1.0, 0.8]), np.zeros(3), UP)
LENSES = {
    "opencv": {"k1": -0.2, "k2": 0.05, "p1": 0.01},
    "opencv_fisheye": {"k1": 0.05},
    "equirectangular": {},
    "fov": {"omega": 0.9},
}


def camera(pose=OUTSIDE, width=90, height=70, focal=100.0, model="none", **distortion):
    return Camera(pose, width, height, focal, 1.05 * focal, 47.0, 33.0, model, distortion)


def marched(field, view):
    """The picture that the rays of the pixels give through the volume."""
    parts = list(Renderable.picture(field, view))
    shape = (view.height, view.width)
    color, alpha, depth = (
        torch.cat([getattr(part, name) for part in parts]) for name in ("color", "alpha", "depth")
    )
    color, alpha = color.view(*shape, 3).numpy(), alpha.view(shape).numpy()
    return (color + 1 - alpha[..., None]).clip(0, 1), alpha, depth.view(shape).numpy()


@pytest.mark.parametrize("name", ["inria", "gsplat"])
@pytest.mark.parametrize("antialiased", [False, True])
def test_the_picture_is_the_one_that_is_drawn_by_the_fields_rules(name, antialiased):
    field = ball_field(rules=name, antialiased=antialiased, size=0.04)
    view, splats = camera(), ball_of_splats(size=0.04)
    matrix = np.linalg.inv(OUTSIDE @ np.diag([1, -1, -1, 1]))[:3]
    seen = SplatCamera(torch.tensor(matrix).float(), 100.0, 105.0, 47.0, 33.0, 90, 70)
    colors = sh_colors(splats.sh, splats.centers, torch.tensor(OUTSIDE[:3, 3]).float())
    values = (splats.centers, splats.scales, splats.rotations, splats.opacities, colors)
    rules = {"inria": INRIA, "gsplat": GSPLAT}[name]
    rules = type(rules)(0.01, rules.most_opaque, rules.square, antialiased, rules.smallest_ratio)
    wanted = draw_splats(*values, seen, rules)
    image = render_image(field, view)
    assert np.abs(image.color - wanted.color.numpy()).max() < 2e-5
    assert np.abs(image.alpha - wanted.alpha.numpy()).max() < 2e-5
    rows, columns = np.mgrid[:70, :90] + 0.5
    longer = np.sqrt(1 + ((columns - 47) / 100) ** 2 + ((rows - 33) / 105) ** 2)
    depth = wanted.depth.numpy() / np.maximum(wanted.alpha.numpy(), 1e-6) * longer
    held = image.alpha > 0.1
    assert held.mean() > 0.2 and np.abs(image.depth - depth)[held].max() < 1e-3


def test_small_portions_give_the_same_picture_in_more_parts(monkeypatch):
    field, view, told = ball_field(), camera(), []
    whole = render_image(field, view, told.append)
    assert told == [1.0]
    monkeypatch.setattr("pvd_engine.fields.splat_pictures.SPLAT_PIXELS", workload.Portion(1, 1, 1))
    told.clear()
    bands = render_image(field, view, told.append)
    assert len(told) == 5 and told[-1] == 1.0 and told == sorted(told)
    for name in ("color", "alpha", "depth"):
        assert np.array_equal(getattr(whole, name), getattr(bands, name))

    def stop(_fraction):
        raise Cancelled

    with pytest.raises(Cancelled):
        render_image(field, view, stop)


def test_rows_in_which_too_many_splats_lie_are_drawn_in_fewer_at_a_time(monkeypatch):
    field, view, told = ball_field(), camera(), []
    whole = render_image(field, view)
    pixels = view.width * 80
    monkeypatch.setattr(
        "pvd_engine.fields.splat_pictures.SPLAT_PIXELS", workload.Portion(pixels, pixels, 1)
    )
    monkeypatch.setattr("pvd_engine.kernels.splats.SPLAT_ENTRIES", workload.Portion(2000, 2000, 1))
    bands = render_image(field, view, told.append)
    assert len(told) > 1
    assert np.array_equal(whole.color, bands.color) and np.array_equal(whole.depth, bands.depth)
    monkeypatch.setattr("pvd_engine.kernels.splats.SPLAT_ENTRIES", workload.Portion(20, 20, 1))
    with pytest.raises(MemoryError, match="fewer rows"):
        render_image(field, view)


@pytest.mark.parametrize("model", LENSES)
@pytest.mark.parametrize("inside", [False, True])
def test_every_lens_shows_what_a_pinhole_shows_in_each_direction(model, inside):
    field = ball_field(count=4000, size=0.04, flat=0.3, smooth=True)
    pose = look_at(np.array([0.1, 0.1, 0.0]), np.array([1.0, 0.3, 0.2]), UP) if inside else OUTSIDE
    focal = {"equirectangular": 90 / 2 / np.pi}.get(model, 30.0 if inside else 90.0)
    view = camera(pose, focal=focal, model=model, **LENSES[model])
    shown, (volume, alpha, distance) = render_image(field, view), marched(field, view)
    solid = (alpha > 0.5) & (shown.alpha > 0.5)
    assert solid.mean() > 0.002
    # From within, more of what is seen is seen at its edges, where the two differ.
    assert psnr(shown.on_white(), volume) > (26 if inside else 32)
    assert abs(shown.alpha.mean() - alpha.mean()) < 0.02
    assert np.abs(shown.depth - distance / np.maximum(alpha, 1e-6))[solid].mean() < 0.11


def test_a_lens_that_bends_nothing_shows_the_picture_of_a_pinhole():
    field = ball_field(count=4000, size=0.05, smooth=True)
    straight, bent = (render_image(field, camera(model=name)) for name in ("none", "opencv"))
    assert psnr(bent.on_white(), straight.on_white()) > 45
    assert np.abs(bent.alpha - straight.alpha).mean() < 3e-3
    held = straight.alpha > 0.5
    assert np.abs(bent.depth - straight.depth)[held].mean() < 5e-3


def test_a_panorama_sees_each_splat_where_it_is():
    ways = torch.nn.functional.normalize(torch.randn(40, 3), dim=1)
    rotations = torch.tensor([[1.0, 0, 0, 0]]).expand(40, 4)
    values = (0.8 * ways, torch.full((40, 3), 0.02), rotations, torch.full((40,), 0.95))
    field = splat_field(Splats(*values, torch.zeros(40, 1, 3)), BoxMap(BOX), "small")
    pose = look_at(np.zeros(3), np.array([1.0, 0.2, 0.1]), UP)
    view = Camera(pose, 200, 100, 200 / 2 / np.pi, 100 / np.pi, 100.0, 50.0, "equirectangular", {})
    image = render_image(field, view)
    local = ways.double().numpy() @ pose[:3, :3]
    across = 100 + np.arctan2(local[:, 0], -local[:, 2]) * 200 / 2 / np.pi
    down = 50 - np.arcsin(local[:, 1]) * 100 / np.pi
    for x, y in zip(across, down, strict=True):
        column, row = min(int(x), 199), min(int(y), 99)
        assert image.alpha[row, column] > 0.3
        assert abs(image.depth[row, column] - 0.8) < 0.02


@pytest.mark.parametrize(("flat", "least"), [(1.0, 40), (0.3, 30), (0.05, 24.5)])
def test_the_drawn_picture_and_that_of_the_volume_are_near(flat, least):
    splats = ball_of_splats(count=4000, size=0.04, flat=flat, smooth=True)
    field = splat_field(splats, BoxMap(BOX), "full")
    view = camera()
    image, (volume, alpha, _) = render_image(field, view), marched(field, view)
    assert psnr(image.on_white(), volume) > least
    assert abs(image.alpha.mean() / alpha.mean() - 1) < 0.06


def test_a_scene_far_from_its_origin_has_the_picture_of_one_near():
    far = np.array([500320.0, 5631210.0, 210.0])
    moved = OUTSIDE.copy()
    moved[:3, 3] += far
    near_field = ball_field()
    far_field = splat_field(ball_of_splats(), BoxMap(BOX, far), "small")
    for model in ("none", "opencv"):
        near = render_image(near_field, camera(model=model))
        there = render_image(far_field, camera(moved, model=model))
        assert np.abs(near.color - there.color).max() < 1e-3


def test_a_small_scene_is_not_cut_off_before_the_camera():
    small = ball_of_splats()
    shrunk = Splats(0.02 * small.centers, 0.02 * small.scales, *_rest(small))
    field = splat_field(shrunk, BoxMap(0.02 * BOX), "small")
    pose = OUTSIDE.copy()
    pose[:3, 3] *= 0.02
    image, usual = render_image(field, camera(pose)), render_image(ball_field(), camera())
    assert np.abs(image.color - usual.color).max() < 1e-3
    assert np.abs(50 * image.depth - usual.depth).max() < 5e-3


def _rest(splats):
    return splats.rotations, splats.opacities, splats.sh
