"""Spherical harmonics, and the colours of splats by them: fast kernels, references, formulas."""

import math

import numpy as np
import pytest
import torch
from scipy.special import lpmv

from pvd_engine.kernels.harmonics import (
    sh_colors,
    sh_colors_reference,
    sh_colors_warp,
    spherical_harmonics,
)

BOTH = pytest.mark.parametrize("colors_of", [sh_colors_warp, sh_colors_reference])
EVERY_DEGREE = pytest.mark.parametrize("degree", range(5))


def unit_vectors(count):
    return torch.nn.functional.normalize(torch.randn(count, 3, dtype=torch.float64), dim=1)


def by_legendre(directions, degree):
    """Real harmonics with the signs of Condon and Shortley, m from -l to l."""
    x, y, z = directions.numpy().T
    around = np.arctan2(y, x)
    basis = []
    for band in range(degree + 1):
        for m in range(-band, band + 1):
            n = abs(m)
            square = math.factorial(band - n) / math.factorial(band + n) * (2 * band + 1)
            turning = 1 if m == 0 else np.sqrt(2) * (np.cos if m > 0 else np.sin)(n * around)
            basis.append(np.sqrt(square / 4 / np.pi) * lpmv(n, band, z) * turning)
    return np.stack(basis, axis=-1)


@EVERY_DEGREE
def test_harmonics_are_those_of_legendres_functions(degree):
    directions = unit_vectors(500)
    basis = spherical_harmonics(directions, degree)
    assert basis.shape == (500, (degree + 1) ** 2)
    assert np.allclose(basis.numpy(), by_legendre(directions, degree), rtol=0, atol=1e-12)


def random_splats(count, degree):
    coefficients = torch.randn(count, (degree + 1) ** 2, 3, requires_grad=True)
    return coefficients, torch.randn(count, 3, requires_grad=True), torch.randn(3)


@BOTH
@EVERY_DEGREE
def test_colors_are_harmonics_of_the_direction_from_the_eye_plus_a_half(colors_of, degree):
    coefficients, centers, eye = random_splats(200, degree)
    ways = (centers - eye).detach().double()
    basis = by_legendre(ways / ways.norm(dim=1, keepdim=True), degree)
    values = coefficients.detach().double().numpy()
    expected = np.maximum(0, 0.5 + np.einsum("nk,nkc->nc", basis, values))
    assert (expected == 0).any() and (expected > 1).any()
    colors = colors_of(coefficients, centers, eye).detach().numpy()
    assert np.allclose(colors, expected, rtol=1e-5, atol=2e-6)


@EVERY_DEGREE
def test_fast_kernel_equals_reference_with_gradients(degree):
    splats, back = random_splats(2000, degree), torch.randn(2000, 3)
    results = []
    for colors_of in (sh_colors_warp, sh_colors_reference):
        colors = colors_of(*splats)
        # Colours of degree 0 are the same from everywhere.
        gradients = torch.autograd.grad(colors, splats[:2], back, materialize_grads=True)
        results.append((colors, *gradients))
    for fast, reference in zip(*results, strict=True):
        assert (fast - reference).abs().max() <= 1e-5 * reference.abs().max() + 1e-12


@EVERY_DEGREE
def test_gradients_equal_finite_differences(degree):
    coefficients, centers, eye = (x.detach().double() for x in random_splats(10, degree))
    splats = (coefficients.requires_grad_(), centers.requires_grad_())
    assert torch.autograd.gradcheck(lambda *x: sh_colors_reference(*x, eye), splats)


@BOTH
def test_a_splat_at_the_eye_has_a_color_and_finite_gradients(colors_of):
    coefficients, centers, _ = random_splats(3, 3)
    colors = colors_of(coefficients, centers, centers[1].detach())
    gradients = torch.autograd.grad(colors.sum(), (coefficients, centers))
    assert all(torch.isfinite(values).all() for values in (colors, *gradients))


def test_other_numbers_of_coefficients_are_refused():
    for shape in ((5, 3, 3), (5, 36, 3), (5, 0, 3), (5, 48)):
        with pytest.raises(ValueError, match=r"degree|K is 1"):
            sh_colors(torch.zeros(shape), torch.zeros(5, 3), torch.zeros(3))
