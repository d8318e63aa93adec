"""Pictures of Gaussian splats: the fast kernels, their reference, and what both must do."""

import itertools
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import splat_formulas
import torch
from safetensors.torch import load_file

from pvd_engine.kernels.declare import Kernel
from pvd_engine.kernels.harmonics import sh_colors
from pvd_engine.kernels.splat_reference import splat_reference
from pvd_engine.kernels.splat_rules import GSPLAT, INRIA, SplatCamera, SplatUse
from pvd_engine.kernels.splats import draw_splats, splat_warp

BOTH = pytest.mark.parametrize("draw", [splat_warp, splat_reference])

RULES = [*(replace(rules, antialiased=on) for rules in (INRIA, GSPLAT) for on in (False, True))]
EVERY_RULE = pytest.mark.parametrize(
    "rules", RULES, ids=["inria", "inria-antialiased", "gsplat", "gsplat-antialiased"]
)

TURNED = torch.tensor([[0.98, 0.0, 0.199, 0.1], [0.0, 1.0, 0.0, -0.1], [-0.199, 0.0, 0.98, 0.2]])
CAMERA = SplatCamera(TURNED, fx=60.0, fy=65.0, cx=33.0, cy=26.0, width=70, height=50)
"""Off-centre, of a size that is no multiple of a tile, with splats around and behind it."""

OTHERS = Path(__file__).resolve().parents[3] / "shared" / "data" / "other_engines"
SPLATS, VIEWS = OTHERS / "real_splats", OTHERS / "gaussian_splats"


def random_cloud(count, camera=CAMERA, seed=0):
    """Splats of all sizes, some behind the camera, and none at the brink of being too faint."""
    generator = torch.Generator().manual_seed(seed)
    centers = torch.randn(count, 3, generator=generator) * torch.tensor([0.9, 0.5, 0.8])
    centers[:, 2] += 4 * torch.rand(count, generator=generator)
    scales = torch.rand(count, 3, generator=generator) * 0.2 + 0.01
    rotations = torch.randn(count, 4, generator=generator)
    opacities = (torch.rand(count, generator=generator).sqrt() * 1.1).clamp(max=1)
    colors = torch.rand(count, 3, generator=generator)
    splats = (centers, scales, rotations, opacities, colors)
    clear = torch.tensor([is_clear(*s, camera) for s in zip(*splats[:-1], strict=True)])
    return [values[clear].requires_grad_() for values in splats]


def is_clear(center, scale, rotation, opacity, camera):
    """Whether rounding leaves open in no pixel whether a splat is drawn there."""
    splat = [values.double().numpy() for values in (center, scale, rotation, opacity)]
    for rules in RULES:
        seen = splat_formulas.on_screen(*splat, camera, rules)
        if seen is not None:
            alpha = splat_formulas.opacity_in_pixels(*seen[:3], camera, rules)
            if (abs(alpha * 255 - 1) < 1e-5).any():
                return False
    return True


def drawn_with_gradients(draw, cloud, camera, rules, back):
    use = SplatUse()
    channels = draw(*cloud, camera, rules, use)
    gradients = torch.autograd.grad(channels, cloud, back)
    return channels.detach(), use, gradients


@BOTH
@EVERY_RULE
def test_pictures_are_those_of_the_formulas(draw, rules):
    cloud = random_cloud(400)
    expected = splat_formulas.picture(*cloud, CAMERA, rules)
    assert 0.2 < expected[..., 3].mean() < 0.95 and expected[..., 3].max() > 0.9998
    channels = draw(*cloud, CAMERA, rules).detach().numpy()
    assert abs(channels - expected)[..., :4].max() <= 1e-5
    assert abs(channels - expected)[..., 4].max() <= 1e-5 * expected[..., 4].max()


@BOTH
def test_the_picture_of_gsplat_on_cuda(draw):
    path = SPLATS / "gsplat_cuda_basic_case.safetensors"
    if not path.is_file():
        pytest.skip("the picture of gsplat lies in ../shared")
    case = load_file(path)
    height, width, _ = case["out_img"].shape
    matrix = torch.cat((torch.eye(3), torch.tensor([[-0.123], [-0.456], [8.0]])), dim=1)
    camera = SplatCamera(matrix, width / 2, width / 2, width / 2, height / 2, width, height)
    colors = sh_colors(case["coeffs"], case["means"], camera.eye)
    opacities = torch.sigmoid(case["opacities"])
    splats = (case["means"], case["scales"].exp(), case["quats"], opacities, colors)
    channels = draw(*splats, camera, GSPLAT)
    assert (channels[..., :4] - case["out_img"]).abs().max() <= 1e-5
    assert (draw(*splats, camera, INRIA)[..., :4] - case["out_img"]).abs().max() > 1e-3


@BOTH
@pytest.mark.parametrize("number", [0, 1])
def test_pictures_of_a_trained_cloud_by_the_rules_of_inria(draw, number):
    if not VIEWS.is_dir():
        pytest.skip("the trained cloud lies in ../shared")
    view = json.loads((VIEWS / "truth.json").read_text())["cameras"][number]
    pose = np.array(view["c2w_opengl"]) * [1, -1, -1, 1]
    camera = SplatCamera(
        torch.from_numpy(np.linalg.inv(pose)[:3]).float(),
        *(view["fl"], view["fl"], view["cx"], view["cy"]),
        *(view["w"], view["h"]),
    )
    centers, scales, rotations, opacities, coefficients = trained_cloud()
    colors = sh_colors(coefficients, centers, camera.eye)
    channels = draw(centers, scales, rotations, opacities, colors, camera, INRIA)
    expected = np.load(VIEWS / view["floats"])
    on_white = channels[..., :3] + 1 - channels[..., 3:4]
    assert abs(on_white.numpy() - expected["rgb"]).max() <= 1e-5
    assert abs(channels[..., 3].numpy() - expected["alpha"]).max() <= 1e-5


def trained_cloud():
    header, _, body = (VIEWS / "point_cloud.ply").read_bytes().partition(b"end_header\n")
    names = [line.split()[2].decode() for line in header.splitlines() if b"property" in line]
    table = torch.frombuffer(bytearray(body), dtype=torch.float32).view(-1, len(names))
    column = {name: i for i, name in enumerate(names)}

    def columns(prefix, keys):
        return table[:, [column[f"{prefix}{key}"] for key in keys]]

    first = columns("f_dc_", range(3))[:, None]
    rest = columns("f_rest_", range(45)).view(-1, 3, 15).transpose(1, 2)
    return (
        columns("", "xyz"),
        columns("scale_", range(3)).exp(),
        columns("rot_", range(4)),
        torch.sigmoid(columns("", ["opacity"])[:, 0]),
        torch.cat((first, rest), dim=1),
    )


@EVERY_RULE
@pytest.mark.parametrize("rows", [(0, -1), (16, 40)])
def test_fast_kernel_equals_reference_with_gradients(rules, rows):
    cloud = random_cloud(300)
    camera = replace(CAMERA, first_row=rows[0], last_row=rows[1])
    back = torch.randn(camera.rows, camera.width, 5)
    fast, fast_use, fast_gradients = drawn_with_gradients(splat_warp, cloud, camera, rules, back)
    slow, use, gradients = drawn_with_gradients(splat_reference, cloud, camera, rules, back)
    assert (fast - slow).abs().max() <= 1e-5
    pairs = zip(fast_gradients, gradients, strict=True)
    for a, b in [*pairs, (fast_use.screen_gradient, use.screen_gradient)]:
        assert b.abs().max() > 0
        assert (a - b).abs().max() <= 2e-5 * b.abs().max()
    assert (fast_use.weight - use.weight).abs().max() <= 1e-5


@EVERY_RULE
def test_gradients_equal_finite_differences(rules):
    camera = SplatCamera(TURNED, 20.0, 22.0, 10.0, 8.0, 20, 17)
    cloud = [x.detach().double() for x in random_cloud(8, camera, seed=3)]
    back = torch.randn(17, 20, 5, dtype=torch.float64)

    def loss(*splats):
        return (splat_reference(*splats, camera, rules) * back).sum()

    cloud = [x.requires_grad_() for x in cloud]
    gradients = torch.autograd.grad(loss(*cloud), cloud)
    for which, gradient in enumerate(gradients):
        assert gradient.abs().max() > 0
        for index in np.ndindex(*gradient.shape):
            shifted = []
            for shift in (1e-6, -1e-6):
                changed = [x.detach().clone() for x in cloud]
                changed[which][index] += shift
                shifted.append(float(loss(*changed)))
            expected = (shifted[0] - shifted[1]) / 2e-6
            assert float(gradient[index]) == pytest.approx(expected, rel=1e-5, abs=1e-5)


def test_every_run_gives_the_same_with_any_number_of_threads(request):
    before = torch.get_num_threads()
    request.addfinalizer(lambda: torch.set_num_threads(before))
    cloud, back = random_cloud(300), torch.randn(50, 70, 5)
    results = []
    for threads in (1, 3, 3):
        torch.set_num_threads(threads)
        channels, use, gradients = drawn_with_gradients(splat_warp, cloud, CAMERA, INRIA, back)
        results.append((channels, use.weight, use.screen_gradient, *gradients))
    for first, second in itertools.pairwise(results):
        assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


def test_one_pixel_a_thread_gives_the_same_as_rows_of_pixels(monkeypatch):
    cloud, back = random_cloud(300), torch.randn(50, 70, 5)
    rows = drawn_with_gradients(splat_warp, cloud, CAMERA, INRIA, back)
    # As on CUDA, but one thread after the other.
    monkeypatch.setattr(Kernel, "lanes", lambda kernel, _: kernel._lanes)
    pixels = drawn_with_gradients(splat_warp, cloud, CAMERA, INRIA, back)
    assert (pixels[0] - rows[0]).abs().max() <= 1e-6 * rows[0].abs().max()
    assert (pixels[1].weight - rows[1].weight).abs().max() <= 1e-6
    for a, b in zip(pixels[2], rows[2], strict=True):
        assert (a - b).abs().max() <= 1e-5 * b.abs().max()


@BOTH
@EVERY_RULE
def test_rows_of_a_picture_are_those_of_the_whole(draw, rules):
    cloud = random_cloud(100)
    whole = draw(*cloud, CAMERA, rules)
    cuts = ((0, 16), (16, 48), (48, 50))
    parts = [draw(*cloud, replace(CAMERA, first_row=a, last_row=b), rules) for a, b in cuts]
    assert torch.equal(torch.cat(parts), whole)


@BOTH
def test_a_long_thin_splat_keeps_its_width(draw):
    # 300 px long and as thin as they get, along the diagonal.
    ahead = torch.cat((torch.eye(3), torch.zeros(3, 1)), dim=1)
    camera = SplatCamera(ahead, 100.0, 100.0, 32.0, 32.0, 64, 64)
    turn = torch.tensor([[np.cos(np.pi / 8), 0.0, 0.0, np.sin(np.pi / 8)]]).float()
    splat = (
        torch.tensor([[0.0, 0.0, 1.0]]),
        torch.tensor([[3.0, 1e-4, 1e-4]]),
        turn,
        torch.tensor([0.9]),
        torch.ones(1, 3),
    )
    expected = splat_formulas.picture(*splat, camera, GSPLAT)
    # Of a determinant that loses its digits, the picture is wrong by 1.5e-3.
    assert abs(draw(*splat, camera, GSPLAT).numpy() - expected).max() <= 3e-4


@BOTH
def test_of_splats_at_one_depth_the_first_is_in_front(draw):
    ahead = torch.cat((torch.eye(3), torch.zeros(3, 1)), dim=1)
    camera = SplatCamera(ahead, 40.0, 40.0, 8.0, 8.0, 16, 16)
    centers, scales = torch.tensor([[0.0, 0.0, 2.0]] * 2), torch.full((2, 3), 0.5)
    turns, colors = torch.tensor([[1.0, 0, 0, 0]] * 2), torch.tensor([[1.0, 0, 0], [0, 1.0, 0]])
    channels = draw(centers, scales, turns, torch.tensor([0.6, 0.6]), colors, camera, INRIA)
    assert torch.allclose(channels[8, 8, :2], torch.tensor([0.6, 0.24]), atol=0.01)


@BOTH
@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
def test_splats_that_are_not_finite_are_not_drawn(draw, bad):
    cloud = [x.detach() for x in random_cloud(40)]
    expected = draw(*cloud, CAMERA, INRIA)
    for which, index in ((0, 0), (0, 2), (1, 1), (2, 0), (3, ())):
        broken = [x[:1].clone() for x in cloud]
        broken[which][(0, index) if index != () else (0,)] = bad
        both = [torch.cat(pair) for pair in zip(cloud, broken, strict=True)]
        assert torch.equal(draw(*both, CAMERA, INRIA), expected)


@BOTH
@pytest.mark.parametrize("count", [0, 3])
def test_a_picture_of_nothing_is_empty_and_has_no_gradient(draw, count):
    cloud = [x.detach()[:count].clone().requires_grad_() for x in random_cloud(40)]
    behind = replace(CAMERA, world_to_camera=torch.cat((torch.eye(3), -torch.ones(3, 1) * 99), 1))
    channels, use, gradients = drawn_with_gradients(
        draw, cloud, behind, INRIA, torch.ones(50, 70, 5)
    )
    assert channels.shape == (50, 70, 5) and not channels.any() and not use.weight.any()
    assert all(g.shape == x.shape and not g.any() for g, x in zip(gradients, cloud, strict=True))


@BOTH
def test_use_tells_the_largest_weight_of_each_splat(draw):
    cloud = random_cloud(30)
    use = drawn_with_gradients(draw, cloud, CAMERA, INRIA, torch.ones(50, 70, 5))[1]
    for index in range(len(cloud[0])):
        # Its own weight is what the picture shows of it if it alone is white.
        lone = torch.zeros_like(cloud[4])
        lone[index] = 1
        shown = draw(*cloud[:4], lone, CAMERA, INRIA).detach()[..., 0].max()
        assert float(use.weight[index]) == pytest.approx(float(shown), abs=1e-6)


@BOTH
@pytest.mark.parametrize(("axis", "key"), [(0, "cx"), (1, "cy")])
def test_screen_gradients_add_up_to_that_of_the_principal_point(draw, axis, key):
    cloud = random_cloud(100, seed=5)
    # Of splats far outside, the principal point also moves the border of their projection.
    ahead = (cloud[0][:, :2].abs() < 0.6).all(dim=1) & (cloud[0][:, 2] > 1.5)
    cloud = [values.detach()[ahead].requires_grad_() for values in cloud]
    back = torch.randn(50, 70, 5)
    use = drawn_with_gradients(draw, cloud, CAMERA, GSPLAT, back)[1]
    losses = []
    for shift in (1e-6, -1e-6):
        camera = replace(CAMERA, **{key: getattr(CAMERA, key) + shift})
        channels = splat_reference(*(values.detach().double() for values in cloud), camera, GSPLAT)
        losses.append(float((channels * back).sum()))
    found = float(use.screen_gradient[:, axis].double().sum())
    assert found == pytest.approx((losses[0] - losses[1]) / 2e-6, rel=1e-4)


def test_a_picture_has_color_alpha_and_depth():
    cloud = random_cloud(40)
    picture, channels = draw_splats(*cloud, CAMERA), splat_warp(*cloud, CAMERA, INRIA)
    assert torch.equal(picture.color, channels[..., :3])
    assert torch.equal(picture.alpha, channels[..., 3])
    assert torch.equal(picture.depth, channels[..., 4])


def test_rows_outside_the_picture_and_other_shapes_are_refused():
    for rows in ((8, 50), (0, 51), (48, 40), (48, 48)):
        with pytest.raises(ValueError, match="rows must lie in the picture"):
            replace(CAMERA, first_row=rows[0], last_row=rows[1])
    cloud = random_cloud(5)
    with pytest.raises(ValueError, match="rotations"):
        draw_splats(*cloud[:2], cloud[1], *cloud[3:], CAMERA)
    with pytest.raises(ValueError, match="colors"):
        draw_splats(*cloud[:4], cloud[4][:1], CAMERA)
