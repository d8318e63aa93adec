import math

import pytest
import torch

from pvd_engine.kernels.hash_grid import HashGridLayout, hash_encode_reference, hash_encode_warp


def relative_error(a, b):
    return float((a - b).abs().max() / b.abs().max().clamp(min=1e-30))


def hash_layout(features=2, levels=6, log2_table_size=12):
    return HashGridLayout(levels, features, log2_table_size, base_resolution=5, per_level_scale=1.7)


def encode_both(points, table, layout):
    """Values and table gradients of the fast kernel and of the reference."""
    back = torch.randn(len(points), layout.width)
    results = []
    for encode in (hash_encode_warp, hash_encode_reference):
        encoded = encode(points, table, layout)
        results.append((encoded.detach(), torch.autograd.grad(encoded, table, back)[0]))
    return results


@pytest.mark.parametrize("features", [1, 2, 4, 8])
@pytest.mark.parametrize("count", [1, 130, 5000])
def test_fast_kernel_equals_reference(features, count):
    torch.manual_seed(features)
    layout = hash_layout(features)
    table = torch.randn(layout.rows, features, requires_grad=True)
    fast, reference = encode_both(torch.rand(count, 3), table, layout)
    assert relative_error(fast[0], reference[0]) <= 1e-6
    assert relative_error(fast[1], reference[1]) <= 1e-6


def test_border_and_outside_points_equal_reference():
    torch.manual_seed(0)
    layout = hash_layout()
    table = torch.randn(layout.rows, 2, requires_grad=True)
    corners = torch.cartesian_prod(*[torch.tensor([-0.3, 0.0, 0.5, 1.0, 1.0000001, 7.0])] * 3)
    fast, reference = encode_both(corners, table, layout)
    assert relative_error(fast[0], reference[0]) <= 1e-6
    assert relative_error(fast[1], reference[1]) <= 1e-6


@pytest.mark.parametrize("encode", [hash_encode_warp, hash_encode_reference])
def test_points_outside_take_the_border_value(encode):
    layout = hash_layout()
    table = torch.randn(layout.rows, 2)
    outside = torch.tensor([[-1.0, 0.3, 2.0], [0.5, 1.5, -9.0]])
    assert torch.equal(encode(outside, table, layout), encode(outside.clamp(0, 1), table, layout))


@pytest.mark.parametrize("encode", [hash_encode_warp, hash_encode_reference])
def test_no_points_give_no_rows_and_a_zero_gradient(encode):
    layout = hash_layout()
    table = torch.randn(layout.rows, 2, requires_grad=True)
    encoded = encode(torch.zeros(0, 3), table, layout)
    assert encoded.shape == (0, layout.width)
    encoded.sum().backward()
    assert table.grad is not None and not table.grad.any()


def test_points_that_are_not_numbers_stay_inside_the_table():
    layout = hash_layout()
    table = torch.randn(layout.rows, 2)
    encoded = hash_encode_warp(torch.full((3, 3), math.nan), table, layout)
    # A comparison with what is no number is false, so such a coordinate counts as 0.
    assert torch.equal(encoded, hash_encode_warp(torch.zeros(3, 3), table, layout))


@pytest.mark.parametrize("encode", [hash_encode_warp, hash_encode_reference])
def test_a_dense_level_interpolates_its_vertices(encode):
    # One level of scale 3: vertex i lies at (i - 0.5) / 3; the table holds its x coordinate.
    layout = HashGridLayout(1, 1, 10, base_resolution=4, per_level_scale=2.0)
    assert layout.resolutions == (4,) and layout.dense == (True,)
    table = ((torch.arange(64) % 4 - 0.5) / 3)[:, None]
    points = torch.rand(50, 3) * (1 - 1 / 6)
    assert torch.allclose(encode(points, table, layout)[:, 0], points[:, 0], atol=1e-6)


@pytest.mark.parametrize("encode", [hash_encode_warp, hash_encode_reference])
def test_a_hashed_level_takes_the_entry_of_the_spatial_hash(encode):
    layout = HashGridLayout(1, 1, 6, base_resolution=33, per_level_scale=2.0)
    assert layout.dense == (False,)
    table = torch.randn(64, 1)
    vertex = torch.tensor([[3, 17, 29], [32, 1, 8], [20, 20, 20]])
    x, y, z = (vertex * torch.tensor([1, 2654435761, 805459861]) % 2**32).unbind(-1)
    expected = table[(x ^ y ^ z) % 64]
    # The vertex itself: scale 32, half a cell of offset.
    assert torch.allclose(encode((vertex - 0.5) / 32, table, layout), expected, atol=1e-6)


def test_layout_counts_entries_as_instant_ngp_does():
    # 16 levels of 2 features, 2^19 entries, base 16, finest 2048: 12,196,240 table parameters,
    # which with 10,240 of the networks make the 12,206,480 of instant-ngp's base.json files.
    layout = HashGridLayout(16, 2, 19, 16, math.exp(math.log(2048 / 16) / 15))
    assert layout.rows * 2 == 12_206_480 - 3072 - 7168
    assert all(size % 8 == 0 for size in layout.sizes)


def test_sum_of_two_encodings_sums_their_gradients():
    layout = hash_layout(levels=8, log2_table_size=17)
    table = torch.randn(layout.rows, 2, requires_grad=True)
    a, b = torch.rand(2, 3000, 3)
    both = hash_encode_warp(a, table, layout).sum() + 2 * hash_encode_warp(b, table, layout).sum()
    (gradient,) = torch.autograd.grad(both, table)
    (of_a,) = torch.autograd.grad(hash_encode_warp(a, table, layout).sum(), table)
    (of_b,) = torch.autograd.grad(hash_encode_warp(b, table, layout).sum(), table)
    assert torch.allclose(gradient, of_a + 2 * of_b, rtol=1e-6, atol=1e-6)


def test_wrong_shapes_are_refused():
    from pvd_engine.kernels.hash_grid import hash_encode

    layout = hash_layout()
    with pytest.raises(ValueError, match="points"):
        hash_encode(torch.zeros(4, 2), torch.zeros(layout.rows, 2), layout)
    with pytest.raises(ValueError, match="table"):
        hash_encode(torch.zeros(4, 3), torch.zeros(layout.rows, 4), layout)
    with pytest.raises(ValueError, match="features"):
        HashGridLayout(4, 3, 12, 16, 1.5)
