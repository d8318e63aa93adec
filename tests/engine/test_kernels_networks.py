"""The kernels of small networks equal layers of torch in float64."""

from itertools import pairwise

import pytest
import torch
from torch import nn

from pvd_engine.kernels import networks
from pvd_engine.kernels.harmonics import spherical_harmonics
from pvd_engine.kernels.launch import has_bf16

TOLERANCE = {"float32": 2e-6, "bf16": 2e-2}
"""Largest error of a result, and of its gradients, as a fraction of their size."""

SIZES = [(0, 24, 64, 16), (1, 24, 64, 16), (63, 7, 16, 5), (65, 32, 64, 16), (3001, 28, 64, 16)]
"""Points, features, width of the hidden layers, outputs."""


@pytest.fixture(params=["float32", "bf16"])
def numbers(request, monkeypatch):
    """The kind of numbers that the kernels multiply."""
    if request.param == "bf16" and not has_bf16("cpu"):
        pytest.skip("this processor does not multiply bf16")
    monkeypatch.setattr(networks, "numbers", lambda: request.param)
    return request.param


def weights_of(*widths):
    """Weights of layers, and their copies in float64, both with gradients."""
    weights = [torch.randn(b, a) / a**0.5 for a, b in pairwise(widths)]
    exact = [weight.double().requires_grad_() for weight in weights]
    return [weight.requires_grad_() for weight in weights], exact


def layers(x, weights, numbers):
    """The network in torch's operations, of numbers that are rounded as the kernels round them."""
    for weight in weights[:-1]:
        x = torch.relu(rounded(x, numbers) @ rounded(weight, numbers).T)
    return rounded(x, numbers) @ rounded(weights[-1], numbers).T


def rounded(x, numbers):
    """The nearest bf16 numbers, with the gradient of x."""
    return x + (x.bfloat16().double() - x).detach() if numbers == "bf16" else x


def assert_equal(ours, expected, inputs, exact_inputs, tolerance):
    """Results and gradients are the same, up to a fraction of their size."""
    of_output = torch.randn(expected.shape)
    got = torch.autograd.grad((ours * of_output).sum(), inputs)
    right = torch.autograd.grad((expected * of_output.double()).sum(), exact_inputs)
    for a, b in zip((ours, *got), (expected, *right), strict=True):
        assert a.shape == b.shape
        if b.numel():
            assert (a.detach().double() - b).norm() <= tolerance * b.detach().norm()


@pytest.mark.parametrize("count, features, hidden, outputs", SIZES)
def test_features_of_encoded_points_equal_layers_of_torch(
    numbers, count, features, hidden, outputs
):
    torch.manual_seed(count)
    encoded = torch.randn(features, count, requires_grad=True)
    exact = encoded.detach().double().requires_grad_()
    weights, exact_weights = weights_of(features, hidden, outputs)
    assert networks.fused(encoded.device, weights)
    ours = networks.encoded_network(encoded, weights)
    expected = layers(exact.T, exact_weights, numbers)
    inputs, exact_inputs = [encoded, *weights], [exact, *exact_weights]
    assert_equal(ours, expected, inputs, exact_inputs, TOLERANCE[numbers])


@pytest.mark.parametrize("count, features, hidden, _", SIZES)
def test_colour_of_features_and_directions_equals_layers_of_torch(
    numbers, count, features, hidden, _
):
    torch.manual_seed(count)
    features = min(features, 17)
    directions = nn.functional.normalize(torch.randn(count, 3), dim=1)
    given = torch.randn(count, features, requires_grad=True)
    exact = given.detach().double().requires_grad_()
    weights, exact_weights = weights_of(15 + features, hidden, hidden, 3)
    ours = networks.shaded_network(directions, given, weights)
    basis = spherical_harmonics(directions.double(), 3)
    expected = layers(torch.cat((basis, exact[:, 1:]), dim=1), exact_weights, numbers)
    inputs, exact_inputs = [given, *weights], [exact, *exact_weights]
    assert_equal(ours, expected, inputs, exact_inputs, TOLERANCE[numbers])


def test_networks_of_other_widths_are_left_to_torch():
    cpu = torch.device("cpu")
    assert not networks.fused(cpu, weights_of(33, 64, 16)[0]), "too many inputs"
    assert not networks.fused(cpu, weights_of(32, 128, 16)[0]), "too wide"
    assert not networks.fused(cpu, weights_of(32, 64, 17)[0]), "too many outputs"
    assert not networks.fused(cpu, weights_of(32, 64, 48, 3)[0]), "of two widths"
    assert not networks.fused(torch.device("meta"), weights_of(24, 64, 16)[0])


def test_without_the_kernels_torch_runs_them(monkeypatch):
    weights, _ = weights_of(24, 64, 16)
    monkeypatch.setenv("PVD_KERNELS", "reference")
    assert not networks.fused(torch.device("cpu"), weights)
