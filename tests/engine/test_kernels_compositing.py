import math

import pytest
import torch

from pvd_engine.kernels.compositing import (
    composite_reference,
    composite_warp,
    transmittance_reference,
    transmittance_warp,
)
from pvd_engine.kernels.marching import PackedSamples

BOTH = pytest.mark.parametrize("composite", [composite_warp, composite_reference])


def random_samples(counts):
    counts = torch.tensor(counts, dtype=torch.int64)
    ray_index = torch.repeat_interleave(torch.arange(len(counts)), counts)
    offsets = torch.cat((torch.zeros(1, dtype=torch.int64), counts.cumsum(0)))
    return PackedSamples(ray_index, torch.rand(len(ray_index)) * 4, offsets)


def ray_by_ray(log_density, color, samples, step):
    """The rendering equation as a loop, in float64."""
    colors, alphas, depths, weights, light_before = [], [], [], [], []
    for ray in range(samples.rays):
        light, total = 1.0, [0.0] * 5
        for i in range(int(samples.offsets[ray]), int(samples.offsets[ray + 1])):
            opacity = 1 - math.exp(-math.exp(min(float(log_density[i]), 15)) * step)
            light_before.append(light)
            weights.append(light * opacity)
            channels = [*color[i].tolist(), 1.0, float(samples.t[i])]
            total = [a + weights[-1] * b for a, b in zip(total, channels, strict=True)]
            light *= 1 - opacity
        colors.append(total[:3])
        alphas.append(total[3])
        depths.append(total[4])
    return colors, alphas, depths, weights, light_before


@BOTH
def test_values_equal_a_loop_over_rays(composite):
    torch.manual_seed(0)
    samples = random_samples([0, 5, 1, 40, 0, 17])
    log_density, color = torch.randn(63) * 3, torch.rand(63, 3)
    result = composite(log_density, color, samples, 0.1)
    expected = ray_by_ray(log_density, color, samples, 0.1)
    for value, other in zip(
        (result.color, result.alpha, result.depth, result.weights), expected, strict=False
    ):
        assert torch.allclose(value, torch.tensor(other), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("transmittance", [transmittance_warp, transmittance_reference])
def test_transmittance_is_the_light_before_each_sample(transmittance):
    samples = random_samples([3, 0, 30, 8])
    log_density = torch.randn(41) * 2
    expected = ray_by_ray(log_density, torch.zeros(41, 3), samples, 0.1)[4]
    reaching = transmittance(log_density, samples, 0.1)
    assert torch.allclose(reaching, torch.tensor(expected), rtol=1e-5, atol=1e-6)


def test_fast_kernel_equals_reference_with_gradients():
    torch.manual_seed(1)
    samples = random_samples(torch.randint(0, 90, (500,)).tolist())
    count = len(samples)
    log_density = (torch.randn(count) * 3).requires_grad_()
    color = torch.rand(count, 3, requires_grad=True)
    back = [torch.randn(500, 3), torch.randn(500), torch.randn(500), torch.randn(count)]
    results = []
    for composite in (composite_warp, composite_reference):
        result = composite(log_density, color, samples, 0.05)
        values = (result.color, result.alpha, result.depth, result.weights)
        results.append((*values, *torch.autograd.grad(values, (log_density, color), back)))
    for fast, reference in zip(*results, strict=True):
        assert (fast - reference).abs().max() <= 3e-6 * reference.abs().max()


@BOTH
def test_gradients_equal_finite_differences(composite):
    torch.manual_seed(2)
    samples = random_samples([4, 0, 7])
    back = [torch.randn(3, 3), torch.randn(3), torch.randn(3), torch.randn(11)]
    log_density = torch.randn(11, requires_grad=True)
    color = torch.rand(11, 3, requires_grad=True)

    def loss(log_density, color):
        result = composite(log_density, color, samples, 0.3)
        values = (result.color, result.alpha, result.depth, result.weights)
        return sum((a * b).double().sum() for a, b in zip(values, back, strict=True))

    of_density, of_color = torch.autograd.grad(loss(log_density, color), (log_density, color))
    inputs = torch.cat((log_density, color.reshape(-1))).detach()
    gradient = torch.cat((of_density, of_color.reshape(-1)))
    for i in range(len(inputs)):
        shift = torch.zeros(len(inputs))
        shift[i] = 1e-2
        above, below = (
            loss(shifted[:11], shifted[11:].view(11, 3))
            for shifted in (inputs + shift, inputs - shift)
        )
        assert float(gradient[i]) == pytest.approx(float(above - below) / 2e-2, rel=1e-4, abs=3e-5)


@BOTH
def test_huge_log_densities_are_opaque_with_finite_gradients(composite):
    samples = random_samples([3])
    log_density = torch.tensor([-200.0, 300.0, 1e30], requires_grad=True)
    color = torch.rand(3, 3, requires_grad=True)
    result = composite(log_density, color, samples, 0.01)
    assert torch.allclose(result.weights, torch.tensor([0.0, 1.0, 0.0]))
    (result.color.sum() + result.depth.sum()).backward()
    assert torch.isfinite(log_density.grad).all() and torch.isfinite(color.grad).all()


@BOTH
@pytest.mark.parametrize("counts", [[], [0, 0, 0]])
def test_rays_without_samples_are_transparent(composite, counts):
    samples = random_samples(counts)
    log_density = torch.zeros(0, requires_grad=True)
    result = composite(log_density, torch.zeros(0, 3), samples, 0.1)
    assert result.color.shape == (len(counts), 3) and result.alpha.shape == (len(counts),)
    assert not result.color.any() and not result.alpha.any() and not result.depth.any()
    assert len(result.weights) == 0
    (result.alpha.sum() + result.weights.sum()).backward()
    assert log_density.grad is not None and log_density.grad.shape == (0,)
