"""Trilinear interpolation in a sparse grid: vertices hold rows of values, or nothing.

The layout is that of svox2 (Fridovich-Keil et al., "Plenoxels", 2022): a dense array of links into
a table of values.
"""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from .launch import split, use_warp
from .memory import POOL


def sparse_sample(points01: Tensor, links: Tensor, values: Tensor, empty: Tensor) -> Tensor:
    """Interpolate between the 8 vertices around each point.

    Parameters
    ----------
    points01 : (N, 3) float32
        In [0, 1]: vertex i of an axis is at i / (R - 1). Others are moved to the border. They get
        no gradient.
    links : (R, R, R) int32
        Row of `values` for each vertex, or -1 where there is none.
    values : (M, C) float32
    empty : (C,) float32
        Values of vertices without a row; they get no gradient.

    Returns
    -------
    (N, C) float32
    """
    if links.ndim != 3 or links.dtype != torch.int32 or min(links.shape) < 2:
        raise ValueError("links must be (R, R, R) int32 with R of at least 2")
    if empty.shape != values.shape[1:]:
        raise ValueError("the empty value must have as many channels as the values")
    run = sparse_sample_warp if use_warp(points01.device) else sparse_sample_reference
    return run(points01, links, values, empty)


def sparse_sample_reference(
    points01: Tensor, links: Tensor, values: Tensor, empty: Tensor
) -> Tensor:
    """Compute `sparse_sample` in plain torch operations, differentiated by autograd."""
    device = points01.device
    largest = torch.tensor(links.shape, device=device) - 1
    position = points01.detach().clamp(0, 1) * largest
    cell = position.long().minimum(largest - 1)
    fraction = (position - cell)[:, None]
    corners = torch.tensor([[i & 1, i >> 1 & 1, i >> 2 & 1] for i in range(8)], device=device)
    weights = torch.where(corners.bool(), fraction, 1 - fraction).prod(dim=-1)
    x, y, z = (cell[:, None] + corners).unbind(-1)
    rows = links[x, y, z].long()
    table = torch.cat((values, empty.detach()[None]))
    # A link of -1 takes the last row of the table, which is the empty value.
    corner_values = table[torch.where(rows < 0, len(values), rows)]
    return (weights[..., None] * corner_values).sum(dim=1)


def sparse_sample_warp(points01: Tensor, links: Tensor, values: Tensor, empty: Tensor) -> Tensor:
    """Compute `sparse_sample` by the Warp kernels, with their own backward pass."""
    return _SparseSample.apply(points01.detach(), links, values, empty.detach())


class _SparseSample(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, points: Tensor, links: Tensor, values: Tensor, empty: Tensor) -> Tensor:
        from .sources.sparse_grid import sparse_grid_forward

        count, channels = len(points), values.shape[1]
        points = points.to(torch.float32).contiguous()
        save = ctx.needs_input_grad[2]
        rows = torch.empty((count if save else 0, 8), dtype=torch.int32, device=points.device)
        sampled = POOL.empty((count, channels), points.device)
        sparse_grid_forward.launch(
            count,
            points=points,
            links=links.contiguous(),
            values=values.detach().contiguous(),
            empty=empty.contiguous(),
            sampled=sampled,
            rows=rows,
        )
        ctx.save_for_backward(points, rows)
        ctx.shape = values.shape
        ctx.resolution = links.shape
        return sampled

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[None, None, Tensor | None, None]:
        if not ctx.needs_input_grad[2]:
            return None, None, None, None
        from .sources.sparse_grid import sparse_grid_backward

        points, rows = ctx.saved_tensors
        of_values = POOL.empty(ctx.shape, points.device).zero_()
        # A work item is a point where lanes share it. Else it is a row of the values, and each of
        # the processor's threads goes through all points for the rows that are its own.
        count, rows_of_values = len(points), ctx.shape[0]
        by_point = sparse_grid_backward.lanes(points.device.type) > 1
        size_x, size_y, size_z = ctx.resolution
        sparse_grid_backward.launch(
            count if by_point else rows_of_values * bool(count),
            [(0, count)] if by_point else split(rows_of_values, parts_per_thread=2),
            points=points,
            size_x=size_x,
            size_y=size_y,
            size_z=size_z,
            rows=rows,
            gradient=gradients[0].to(torch.float32).contiguous(),
            of_values=of_values,
        )
        return None, None, of_values, None
