"""Density and colour of a mixture of Gaussians at points, found through a grid of cells."""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from .gaussian_records import REACH, RECORD, CellLists
from .launch import split, use_warp


def gaussian_mixture(
    points: Tensor,
    cells: Tensor,
    basis: Tensor,
    lists: CellLists,
    records: Tensor,
    coefficients: Tensor,
) -> Tensor:
    """Sum Gaussians at points; differentiable in records and coefficients.

    Parameters
    ----------
    points : (P, 3) float32
    cells : (P,) int32
        Cell of each point; -1 where there is none, and no density.
    basis : (P, K) float32
        Spherical harmonics of the direction in which each point is seen; K is 0 where only the
        density is asked for.
    lists : CellLists
    records : (N, 13) float32
        See `RECORD`.
    coefficients : (N, K, 3) float32
        A Gaussian's colour is their sum with the harmonics, plus a half, and not below zero.

    Returns
    -------
    (P, 4) float32
        The sum of the densities; those of each colour times its density.
    """
    if records.shape[1:] != (RECORD,) or coefficients.shape[::2] != (len(records), 3):
        raise ValueError("records must be (N, 13) and coefficients (N, K, 3)")
    run = gaussian_mixture_warp if use_warp(points.device) else gaussian_mixture_reference
    return run(points, cells, basis, lists, records, coefficients)


def gaussian_mixture_reference(
    points: Tensor,
    cells: Tensor,
    basis: Tensor,
    lists: CellLists,
    records: Tensor,
    coefficients: Tensor,
) -> Tensor:
    """Compute `gaussian_mixture` in plain torch operations, differentiated by autograd."""
    inside = (cells >= 0).nonzero().view(-1)
    first, stop = (lists.offsets[cells[inside].long() + end].long() for end in (0, 1))
    point = inside.repeat_interleave(stop - first)
    before = torch.nn.functional.pad((stop - first).cumsum(0), (1, 0))[:-1]
    entry = torch.arange(len(point), device=points.device)
    entry += (first - before).repeat_interleave(stop - first)
    splat = lists.members[entry].long()
    centers, round_maker, log_density = records[splat].split((3, 9, 1), dim=1)
    offset = (points[point] - centers)[:, :, None]
    square = (round_maker.view(-1, 3, 3) @ offset).square().sum(dim=(1, 2))
    weight = torch.exp(log_density[:, 0] - square / 2) * (square < REACH**2)
    color = torch.relu(torch.einsum("ek,ekc->ec", basis[point], coefficients[splat]) + 0.5)
    color = color * (basis.shape[1] > 0)
    values = torch.cat((torch.ones_like(color[:, :1]), color), dim=1)
    sums = values.new_zeros((len(points), 4))
    return sums.index_add(0, point, weight[:, None] * values)


def gaussian_mixture_warp(
    points: Tensor,
    cells: Tensor,
    basis: Tensor,
    lists: CellLists,
    records: Tensor,
    coefficients: Tensor,
) -> Tensor:
    """Compute `gaussian_mixture` by the Warp kernels, with their own backward pass."""
    return _GaussianMixture.apply(points.detach(), cells, basis, lists, records, coefficients)


class _GaussianMixture(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        points: Tensor,
        cells: Tensor,
        basis: Tensor,
        lists: CellLists,
        records: Tensor,
        coefficients: Tensor,
    ) -> Tensor:
        from .sources.gaussian_mixture import gaussian_mixture_forward

        given = (points, cells, basis, records.detach(), coefficients.detach())
        points, cells, basis, records, coefficients = (tensor.contiguous() for tensor in given)
        sums = points.new_empty((len(points), 4))
        gaussian_mixture_forward.launch(
            len(points),
            split(len(points), grain=256, parts_per_thread=8),
            **_arguments(points, cells, basis, lists, records, coefficients),
            sums=sums,
        )
        ctx.save_for_backward(points, cells, basis, records, coefficients)
        ctx.lists = lists
        return sums

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        from .sources.gaussian_mixture import gaussian_mixture_backward

        points, cells, basis, records, coefficients = ctx.saved_tensors
        of_records, of_coefficients = torch.zeros_like(records), torch.zeros_like(coefficients)
        # On a CPU each thread goes through all points, for the Gaussians that are its own.
        by_point, splats = points.device.type == "cuda", len(records)
        gaussian_mixture_backward.launch(
            len(points) if by_point else splats * bool(len(points)),
            split(splats, grain=256, parts_per_thread=1),
            by_point=int(by_point),
            **_arguments(points, cells, basis, ctx.lists, records, coefficients),
            of_sums=gradients[0].contiguous(),
            of_records=of_records,
            of_coefficients=of_coefficients,
        )
        return None, None, None, None, of_records, of_coefficients


def _arguments(
    points: Tensor,
    cells: Tensor,
    basis: Tensor,
    lists: CellLists,
    records: Tensor,
    coefficients: Tensor,
) -> dict[str, Any]:
    """Return the kernels' arguments, forward and backward."""
    return {
        "points": points,
        "cells": cells,
        "basis": basis,
        "offsets": lists.offsets,
        "members": lists.members,
        "records": records,
        "coefficients": coefficients,
    }
