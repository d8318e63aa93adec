"""A mixture of Gaussians at points: the fast kernel, its reference, and sums in float64."""

import numpy as np
import pytest
import torch
from splat_formulas import rotation_matrix

from pvd_engine.kernels.gaussian_mixture import (
    gaussian_mixture,
    gaussian_mixture_reference,
    gaussian_mixture_warp,
)
from pvd_engine.kernels.gaussian_records import CellLists
from pvd_engine.kernels.harmonics import spherical_harmonics
from pvd_engine.kernels.sources.gaussian_mixture import gaussian_mixture_backward

BOTH = pytest.mark.parametrize("run", [gaussian_mixture_warp, gaussian_mixture_reference])
SPLATS, POINTS, CELLS = 40, 500, 7


def mixture(degree, dtype=torch.float32):
    """Points in cells of which each lists some Gaussians, and the Gaussians."""
    generator = torch.Generator().manual_seed(3)
    centers = torch.rand(SPLATS, 3, generator=generator)
    turns = [rotation_matrix(q.numpy()) for q in torch.randn(SPLATS, 4, generator=generator)]
    scales = torch.rand(SPLATS, 3, 1, generator=generator) * 0.4 + 0.05
    matrices = torch.tensor(np.stack(turns), dtype=torch.float32).mT / scales
    log_density = torch.randn(SPLATS, 1, generator=generator)
    records = torch.cat((centers, matrices.reshape(-1, 9), log_density), dim=1)
    count = 0 if degree is None else (degree + 1) ** 2
    coefficients = torch.randn(SPLATS, count, 3, generator=generator)
    points = torch.rand(POINTS, 3, generator=generator)
    ways = torch.nn.functional.normalize(torch.randn(POINTS, 3, generator=generator), dim=1)
    basis = spherical_harmonics(ways, degree or 0)[:, :count]
    cells = torch.randint(-1, CELLS, (POINTS,), generator=generator, dtype=torch.int32)
    listed = torch.rand(CELLS, SPLATS, generator=generator) < 0.6
    listed[2] = False
    offsets = torch.nn.functional.pad(listed.sum(1).cumsum(0), (1, 0)).int()
    lists = CellLists(offsets, listed.nonzero()[:, 1].int())
    values = (points, basis, records, coefficients)
    points, basis, records, coefficients = (tensor.to(dtype) for tensor in values)
    return points, cells, basis, lists, records.requires_grad_(), coefficients.requires_grad_()


def by_formula(points, cells, basis, lists, records, coefficients):
    """The sums (P, 4) in float64, point by point."""
    values = (points, basis, records, coefficients)
    points, basis, records, coefficients = (v.detach().double().numpy() for v in values)
    sums = np.zeros((len(points), 4))
    for i, cell in enumerate(cells.tolist()):
        members = lists.members[lists.offsets[cell] : lists.offsets[cell + 1]] if cell >= 0 else ()
        for splat in map(int, members):
            center, matrix = records[splat, :3], records[splat, 3:12].reshape(3, 3)
            square = np.sum((matrix @ (points[i] - center)) ** 2)
            if square < 9:
                density = np.exp(records[splat, 12] - square / 2)
                color = np.maximum(0, 0.5 + basis[i] @ coefficients[splat])
                sums[i] += density * np.array([1, *(color if basis.shape[1] else (0, 0, 0))])
    return sums


@BOTH
@pytest.mark.parametrize("degree", [None, 0, 1, 2, 3, 4])
def test_densities_and_colors_are_sums_over_the_gaussians_of_a_points_cell(run, degree):
    given = mixture(degree)
    expected = by_formula(*given)
    assert (expected[:, 0] == 0).any() and (expected[:, 0] > 1).any()
    assert np.allclose(run(*given).detach().numpy(), expected, rtol=1e-5, atol=1e-5)


@BOTH
@pytest.mark.parametrize("degree", [None, 1, 3])
def test_gradients_are_those_of_the_reference_in_float64(run, degree):
    given, exact = mixture(degree), mixture(degree, torch.float64)
    back = torch.randn(POINTS, 4, generator=torch.Generator().manual_seed(1))
    found = torch.autograd.grad(run(*given), given[4:], back)
    wanted = torch.autograd.grad(gaussian_mixture_reference(*exact), exact[4:], back.double())
    for a, b in zip(found, wanted, strict=True):
        assert a.numel() == 0 or (a - b).abs().max() < 1e-5 * b.abs().max()


def test_threads_of_points_add_up_to_the_gradients_of_threads_of_gaussians():
    points, cells, basis, lists, records, coefficients = mixture(2)
    given = {"points": points, "cells": cells, "basis": basis.contiguous()}
    given |= {"offsets": lists.offsets, "members": lists.members}
    given |= {"records": records.detach(), "coefficients": coefficients.detach()}
    back, found = torch.randn(POINTS, 4), []
    for by_point in (0, 1):
        gradients = torch.zeros_like(records), torch.zeros_like(coefficients)
        items = POINTS if by_point else SPLATS
        gaussian_mixture_backward.launch(
            items,
            [(0, items)],
            by_point=by_point,
            **given,
            of_sums=back,
            of_records=gradients[0].detach(),
            of_coefficients=gradients[1].detach(),
        )
        found.append(gradients)
    for a, b in zip(*found, strict=True):
        assert (a != 0).any() and torch.allclose(a, b, rtol=1e-5, atol=1e-5)


def test_the_gradients_of_the_reference_are_finite_differences():
    points, cells, basis, lists, *splats = mixture(2, torch.float64)
    few = torch.arange(60)

    def sums(*splats):
        return gaussian_mixture_reference(points[few], cells[few], basis[few], lists, *splats)

    assert torch.autograd.gradcheck(sums, splats, eps=1e-7, atol=1e-4)


@BOTH
def test_without_points_there_are_no_sums_and_no_gradients(run):
    points, cells, basis, lists, records, coefficients = mixture(1)
    sums = run(points[:0], cells[:0], basis[:0], lists, records, coefficients)
    assert sums.shape == (0, 4)
    gradients = torch.autograd.grad(sums.sum(), (records, coefficients))
    assert all((gradient == 0).all() for gradient in gradients)


def test_wrong_shapes_are_refused():
    points, cells, basis, lists, records, coefficients = mixture(1)
    with pytest.raises(ValueError, match="records"):
        gaussian_mixture(points, cells, basis, lists, records[:, 1:], coefficients)
    with pytest.raises(ValueError, match="coefficients"):
        gaussian_mixture(points, cells, basis, lists, records, coefficients[1:])
