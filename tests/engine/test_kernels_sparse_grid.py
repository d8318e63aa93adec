import pytest
import torch

from pvd_engine.kernels.declare import Kernel
from pvd_engine.kernels.sources.sparse_grid import LANES
from pvd_engine.kernels.sparse_grid import sparse_sample_reference, sparse_sample_warp

BOTH = pytest.mark.parametrize("sample", [sparse_sample_warp, sparse_sample_reference])


def random_grid(size, channels, fraction=0.3):
    used = torch.rand(size, size, size) < fraction
    links = torch.full((size,) * 3, -1, dtype=torch.int32)
    links[used] = torch.randperm(int(used.sum()), dtype=torch.int32)
    values = torch.randn(int(used.sum()), channels, requires_grad=True)
    return links, values, torch.randn(channels)


@pytest.mark.parametrize("channels", [1, 5, 16, 28])
@pytest.mark.parametrize("count", [1, 4000])
def test_fast_kernel_equals_reference(channels, count):
    compare_with_reference(channels, count)


@pytest.mark.parametrize("channels", [1, 28, 32, 45])
@pytest.mark.parametrize("count", [1, 700])
def test_lanes_that_share_points_as_on_cuda_equal_the_reference(monkeypatch, channels, count):
    monkeypatch.setattr(Kernel, "lanes", lambda *_: LANES)
    compare_with_reference(channels, count)


def compare_with_reference(channels, count):
    torch.manual_seed(channels)
    links, values, empty = random_grid(17, channels, 0.6)
    points = torch.rand(count, 3) * 1.2 - 0.1
    points[0] = torch.tensor([1.0, 0.0, 0.5])
    back = torch.randn(count, channels)
    results = []
    for sample in (sparse_sample_warp, sparse_sample_reference):
        sampled = sample(points, links, values, empty)
        results.append((sampled.detach(), torch.autograd.grad(sampled, values, back)[0]))
    for fast, reference in zip(*results, strict=True):
        assert (fast - reference).abs().max() <= 1e-6 * reference.abs().max().clamp(min=1e-3)


@BOTH
def test_a_vertex_gives_its_own_row(sample):
    links, values, empty = random_grid(9, 4)
    vertex = torch.cartesian_prod(*[torch.arange(9)] * 3)
    rows = links.view(-1).long()
    expected = torch.where(rows[:, None] < 0, empty, values[rows.clamp(min=0)])
    assert torch.allclose(sample(vertex / 8, links, values, empty), expected, atol=1e-6)


@BOTH
def test_points_outside_take_the_border_value(sample):
    links, values, empty = random_grid(6, 3)
    outside = torch.tensor([[-2.0, 0.4, 1.7], [0.1, 5.0, -0.1]])
    inside = outside.clamp(0, 1)
    assert torch.equal(sample(outside, links, values, empty), sample(inside, links, values, empty))


@BOTH
def test_no_points_give_no_rows_and_a_zero_gradient(sample):
    links, values, empty = random_grid(6, 3)
    sampled = sample(torch.zeros(0, 3), links, values, empty)
    assert sampled.shape == (0, 3)
    sampled.sum().backward()
    assert values.grad is not None and not values.grad.any()


@BOTH
def test_a_grid_without_values_is_empty_everywhere(sample):
    links = torch.full((4, 4, 4), -1, dtype=torch.int32)
    values = torch.zeros(0, 2, requires_grad=True)
    empty = torch.tensor([-10.0, 0.5])
    sampled = sample(torch.rand(20, 3), links, values, empty)
    assert torch.allclose(sampled, empty.expand(20, 2))
    sampled.sum().backward()
    assert values.grad is not None and values.grad.shape == (0, 2)


@BOTH
def test_axes_may_differ_in_length(sample):
    links = torch.arange(3 * 4 * 5, dtype=torch.int32).view(3, 4, 5)
    x, y, z = torch.meshgrid(torch.arange(3.0), torch.arange(4.0), torch.arange(5.0), indexing="ij")
    values = torch.stack((x / 2, y / 3, z / 4), dim=-1).view(-1, 3)
    points = torch.rand(100, 3)
    assert torch.allclose(sample(points, links, values, torch.zeros(3)), points, atol=1e-6)
