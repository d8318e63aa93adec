"""Products of factors: the fast kernels, their references, and what both must do."""

import pytest
import torch

from pvd_engine.kernels.declare import Kernel
from pvd_engine.kernels.factors import (
    MODES,
    line_products_reference,
    line_products_warp,
    plane_products_reference,
    plane_products_warp,
    plane_rows,
)
from pvd_engine.kernels.sources.factors import LANES

SIZE = (5, 9, 7)
PLANES = pytest.mark.parametrize("products", [plane_products_warp, plane_products_reference])
LINES = pytest.mark.parametrize("products", [line_products_warp, line_products_reference])


def random_points(count):
    points = torch.rand(count, 3) * 1.2 - 0.1
    points[0] = torch.tensor([1.0, 0.0, 0.5])
    return points


def random_tables(channels):
    planes = torch.randn(sum(plane_rows(SIZE)), channels, requires_grad=True)
    return planes, torch.randn(sum(SIZE), channels, requires_grad=True)


def vertices():
    return torch.cartesian_prod(*[torch.arange(n) for n in SIZE])


def at_vertices():
    return vertices() / (torch.tensor(SIZE) - 1)


@pytest.mark.parametrize("channels", [1, 8, 16, 40])
@pytest.mark.parametrize("count", [1, 5000])
@pytest.mark.parametrize("kind", ["planes", "lines"])
def test_fast_kernels_equal_their_references(channels, count, kind):
    compare_with_references(channels, count, kind)


@pytest.mark.parametrize("channels", [1, 7, 8, 29])
@pytest.mark.parametrize("count", [1, 700])
@pytest.mark.parametrize("kind", ["planes", "lines"])
def test_lanes_that_share_points_as_on_cuda_equal_the_references(
    monkeypatch, channels, count, kind
):
    monkeypatch.setattr(Kernel, "lanes", lambda *_: LANES)
    compare_with_references(channels, count, kind)


def compare_with_references(channels, count, kind):
    torch.manual_seed(channels)
    planes, lines = random_tables(channels)
    points = random_points(count)
    if kind == "planes":
        tables = (planes, lines)
        runs = (plane_products_warp, plane_products_reference)
        back = torch.randn(count, 3 * channels)
    else:
        tables = (lines,)
        runs = (line_products_warp, line_products_reference)
        back = torch.randn(count, channels)
    results = []
    for run in runs:
        products = run(points, *tables, SIZE)
        results.append((products.detach(), *torch.autograd.grad(products, tables, back)))
    for fast, reference in zip(*results, strict=True):
        assert (fast - reference).abs().max() <= 1e-5 * reference.abs().max().clamp(min=1e-3)


@PLANES
def test_a_vertex_gives_the_product_of_its_plane_and_line_entries(products):
    planes, lines = random_tables(4)
    entries = [
        t.view(SIZE[a], SIZE[b], 4)
        for t, (a, b, _) in zip(planes.split(plane_rows(SIZE)), MODES, strict=True)
    ]
    along = lines.split([SIZE[c] for _, _, c in MODES])
    index = vertices()
    expected = [
        plane[index[:, a], index[:, b]] * line[index[:, c]]
        for plane, line, (a, b, c) in zip(entries, along, MODES, strict=True)
    ]
    got = products(at_vertices(), planes, lines, SIZE)
    assert torch.allclose(got, torch.cat(expected, dim=-1), atol=1e-6)


@LINES
def test_a_vertex_gives_the_product_of_its_three_entries(products):
    _, lines = random_tables(4)
    x, y, z = lines.split(list(SIZE))
    index = vertices()
    expected = x[index[:, 0]] * y[index[:, 1]] * z[index[:, 2]]
    assert torch.allclose(products(at_vertices(), lines, SIZE), expected, atol=1e-6)


@LINES
def test_between_vertices_a_line_is_linear(products):
    lines = torch.ones(sum(SIZE), 1)
    lines[: SIZE[0], 0] = torch.linspace(0, 1, SIZE[0])
    points = torch.rand(100, 3)
    assert torch.allclose(products(points, lines, SIZE)[:, 0], points[:, 0], atol=1e-6)


@pytest.mark.parametrize("run", ["planes", "lines"])
@pytest.mark.parametrize("fast", [True, False])
def test_no_points_give_no_products_and_zero_gradients(run, fast):
    planes, lines = random_tables(3)
    if run == "planes":
        products = plane_products_warp if fast else plane_products_reference
        out = products(torch.zeros(0, 3), planes, lines, SIZE)
        assert out.shape == (0, 9)
    else:
        out = (line_products_warp if fast else line_products_reference)(
            torch.zeros(0, 3), lines, SIZE
        )
        assert out.shape == (0, 3)
    out.sum().backward()
    assert lines.grad is not None and not lines.grad.any()
