"""Products of interpolated factors: TensoRF's decompositions of a grid.

Chen et al., "TensoRF: tensorial radiance fields", 2022, section 3: a grid is a sum of products, of
planes and lines (vector-matrix) or of lines alone (CP). This module has the products, channel by
channel; the encoder sums them. Values stand at vertices: i of an axis at i / (size - 1).
"""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from .declare import Kernel
from .launch import Part, use_warp
from .memory import POOL

MODES = ((0, 1, 2), (0, 2, 1), (1, 2, 0))
"""Modes of the vector-matrix decomposition: the plane's two axes, then the line's."""

Size = tuple[int, int, int]


def plane_rows(size: Size) -> list[int]:
    """Return the number of vertices of each mode's plane."""
    return [size[a] * size[b] for a, b, _ in MODES]


def plane_products(points01: Tensor, planes: Tensor, lines: Tensor, size: Size) -> Tensor:
    """Return the products of planes and lines at points, mode by mode.

    Parameters
    ----------
    points01 : (N, 3) float32
        In [0, 1]; others are moved to the border. They get no gradient.
    planes : (sum of `plane_rows`, C) float32
        Mode by mode, the plane's second axis fastest.
    lines : (sum of sizes, C) float32
        Mode by mode, so that the z axis comes first.
    size : (int, int, int)
        Vertices along x, y and z, at least 2.

    Returns
    -------
    (N, 3 C) float32
    """
    _check(size, sum(plane_rows(size)), planes)
    _check(size, sum(size), lines)
    if use_warp(points01.device):
        return plane_products_warp(points01, planes, lines, size)
    return plane_products_reference(points01, planes, lines, size)


def line_products(points01: Tensor, lines: Tensor, size: Size) -> Tensor:
    """Return the products of the lines along the three axes at points.

    Parameters
    ----------
    points01 : (N, 3) float32
        In [0, 1]; others are moved to the border. They get no gradient.
    lines : (sum of sizes, C) float32
        Axis by axis, x first.
    size : (int, int, int)
        Vertices along x, y and z, at least 2.

    Returns
    -------
    (N, C) float32
    """
    _check(size, sum(size), lines)
    run = line_products_warp if use_warp(points01.device) else line_products_reference
    return run(points01, lines, size)


def _check(size: Size, rows: int, table: Tensor) -> None:
    if min(size) < 2:
        raise ValueError("factors need at least 2 vertices along each axis")
    if table.ndim != 2 or len(table) != rows:
        raise ValueError(f"a table of factors must be ({rows}, C), not {tuple(table.shape)}")


def plane_products_reference(points01: Tensor, planes: Tensor, lines: Tensor, size: Size) -> Tensor:
    """Compute `plane_products` in plain torch operations, differentiated by autograd."""
    cell, fraction = _cells(points01, size)
    products = []
    plane_row = line_row = 0
    for (a, b, c), rows in zip(MODES, plane_rows(size), strict=True):
        plane = torch.zeros(())
        for i, j in ((0, 0), (0, 1), (1, 0), (1, 1)):
            row = plane_row + (cell[:, a] + i) * size[b] + cell[:, b] + j
            weight = _weight(fraction[:, a], i) * _weight(fraction[:, b], j)
            plane = plane + weight[:, None] * planes[row]
        products.append(plane * _on_line(lines, line_row, cell[:, c], fraction[:, c]))
        plane_row += rows
        line_row += size[c]
    return torch.cat(products, dim=-1)


def line_products_reference(points01: Tensor, lines: Tensor, size: Size) -> Tensor:
    """Compute `line_products` in plain torch operations, differentiated by autograd."""
    cell, fraction = _cells(points01, size)
    product, row = torch.ones(()), 0
    for axis in range(3):
        product = product * _on_line(lines, row, cell[:, axis], fraction[:, axis])
        row += size[axis]
    return product


def _cells(points01: Tensor, size: Size) -> tuple[Tensor, Tensor]:
    largest = torch.tensor(size, device=points01.device) - 1
    position = points01.detach().clamp(0, 1) * largest
    cell = position.long().minimum(largest - 1)
    return cell, position - cell


def _weight(fraction: Tensor, upper: int) -> Tensor:
    return fraction if upper else 1 - fraction


def _on_line(lines: Tensor, first: int, cell: Tensor, fraction: Tensor) -> Tensor:
    low, high = lines[first + cell], lines[first + cell + 1]
    return (1 - fraction)[:, None] * low + fraction[:, None] * high


def plane_products_warp(points01: Tensor, planes: Tensor, lines: Tensor, size: Size) -> Tensor:
    """Compute `plane_products` by the Warp kernels, with their own backward pass."""
    return _PlaneProducts.apply(points01.detach(), planes, lines, size)


def line_products_warp(points01: Tensor, lines: Tensor, size: Size) -> Tensor:
    """Compute `line_products` by the Warp kernels, with their own backward pass."""
    return _LineProducts.apply(points01.detach(), lines, size)


class _PlaneProducts(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, points: Tensor, planes: Tensor, lines: Tensor, size: Size) -> Tensor:
        from .sources.factors import plane_products_forward

        points = points.to(torch.float32).contiguous()
        planes, lines = planes.detach().contiguous(), lines.detach().contiguous()
        count, channels = len(points), planes.shape[1]
        products = POOL.empty((count, 3, channels), points.device)
        plane_products_forward.launch(
            3 * count, points=points, planes=planes, lines=lines, products=products, **_sizes(size)
        )
        ctx.save_for_backward(points, planes, lines)
        ctx.size = size
        return products.view(count, 3 * channels)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[None, Tensor, Tensor, None]:
        from .sources.factors import plane_products_backward

        points, planes, lines = ctx.saved_tensors
        count, channels = len(points), planes.shape[1]
        products = gradients[0].to(torch.float32).contiguous().view(count, 3, channels)
        of_planes = POOL.empty(planes.shape, points.device).zero_()
        of_lines = torch.zeros_like(lines)
        plane_products_backward.launch(
            *_backward_work(plane_products_backward, 3, points, channels),
            points=points,
            planes=planes,
            lines=lines,
            products=products,
            of_planes=of_planes,
            of_lines=of_lines,
            **_sizes(ctx.size),
        )
        return None, of_planes, of_lines, None


class _LineProducts(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, points: Tensor, lines: Tensor, size: Size) -> Tensor:
        from .sources.factors import line_products_forward

        points = points.to(torch.float32).contiguous()
        lines = lines.detach().contiguous()
        products = POOL.empty((len(points), lines.shape[1]), points.device)
        line_products_forward.launch(
            len(points), points=points, lines=lines, products=products, **_sizes(size)
        )
        ctx.save_for_backward(points, lines)
        ctx.size = size
        return products

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[None, Tensor, None]:
        from .sources.factors import line_products_backward

        points, lines = ctx.saved_tensors
        of_lines = torch.zeros_like(lines)
        line_products_backward.launch(
            *_backward_work(line_products_backward, 1, points, lines.shape[1]),
            points=points,
            lines=lines,
            products=gradients[0].to(torch.float32).contiguous(),
            of_lines=of_lines,
            **_sizes(ctx.size),
        )
        return None, of_lines, None


def _sizes(size: Size) -> dict[str, Any]:
    """Return the kernels' arguments of the size."""
    return dict(zip(("size_x", "size_y", "size_z"), size, strict=True))


def _backward_work(
    kernel: Kernel, modes: int, points: Tensor, channels: int
) -> tuple[int, list[Part]]:
    """Return the number of work items, and the ranges of them that the processor's threads take.

    Items are points where lanes share them, which add atomically; else they are parts of the
    channels, which no threads share.
    """
    from .sources.factors import CHANNELS_A_PART

    if kernel.lanes(points.device.type) > 1:
        items = modes * len(points)
        return items, [(0, items)]
    items = modes * -(-channels // CHANNELS_A_PART) if len(points) else 0
    return items, [(item, item + 1) for item in range(items)]
