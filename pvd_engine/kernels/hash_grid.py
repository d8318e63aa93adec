"""Multiresolution hash-grid encoding (Müller et al., "Instant neural graphics primitives", 2022).

The geometry is instant-ngp's and tiny-cuda-nn's, so that their tables mean the same here.
"""

import itertools
import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from .launch import Part, thread_count, use_warp
from .memory import POOL
from .row_gradient import no_marks, row_gradient

PRIMES = (1, 2654435761, 805459861)
"""Factors of the spatial hash, one per axis."""

SMALL = 1 << 14
"""Product of points and levels below which one thread is as fast as several."""


@dataclass(frozen=True)
class HashGridLayout:
    """Layout of the entries of all levels in one table.

    Attributes
    ----------
    levels : int
        Grids, from coarse to fine.
    features : int
        Numbers each entry holds: 1, 2, 4 or 8.
    log2_table_size : int
        A level has at most 2 to this power entries.
    base_resolution : int
        Vertices along an axis of the coarsest level, about.
    per_level_scale : float
        Growth of the resolution from one level to the next.
    """

    levels: int
    features: int
    log2_table_size: int
    base_resolution: int
    per_level_scale: float

    def __post_init__(self) -> None:
        from .sources.hash_grid import FEATURE_COUNTS

        if self.features not in FEATURE_COUNTS:
            raise ValueError(f"features per level must be one of {FEATURE_COUNTS}")
        if self.levels < 1 or self.base_resolution < 2 or not 3 <= self.log2_table_size <= 27:
            raise ValueError("a hash grid needs a level, a base of 2 and a table of 2^3 to 2^27")

    @classmethod
    def between(
        cls,
        levels: int,
        features: int,
        log2_table_size: int,
        base_resolution: int,
        finest_resolution: int,
    ) -> "HashGridLayout":
        """Return a layout whose levels grow evenly from the coarsest resolution to the finest."""
        growth = math.log(finest_resolution / base_resolution) / max(levels - 1, 1)
        return cls(levels, features, log2_table_size, base_resolution, math.exp(growth))

    @property
    def width(self) -> int:
        """Features of a point: levels times features."""
        return self.levels * self.features

    @cached_property
    def scales(self) -> tuple[float, ...]:
        """Vertex spacings along [0, 1], for each level: base * growth ** level - 1."""
        growth = math.log2(self.per_level_scale)
        return tuple(2.0 ** (i * growth) * self.base_resolution - 1 for i in range(self.levels))

    @cached_property
    def resolutions(self) -> tuple[int, ...]:
        """Vertices along each axis, for each level."""
        # Rounded to float32 as instant-ngp does it; else 31.0000001 would become 33 vertices.
        return tuple(math.ceil(_float32(scale)) + 1 for scale in self.scales)

    @cached_property
    def sizes(self) -> tuple[int, ...]:
        """Entries of each level, a multiple of 8."""
        limit = 1 << self.log2_table_size
        return tuple(min(-(-(r**3) // 8) * 8, limit) for r in self.resolutions)

    @cached_property
    def offsets(self) -> tuple[int, ...]:
        """First row of each level in the table."""
        return tuple(sum(self.sizes[:i]) for i in range(self.levels))

    @property
    def rows(self) -> int:
        """Rows of the whole table."""
        return sum(self.sizes)

    @cached_property
    def dense(self) -> tuple[bool, ...]:
        """True for each level with an entry for every vertex, so that nothing is hashed."""
        return tuple(r**3 <= n for r, n in zip(self.resolutions, self.sizes, strict=True))

    @cached_property
    def _on_device(self) -> dict[torch.device, dict[str, Tensor]]:
        return {}

    def tensors(self, device: torch.device) -> dict[str, Tensor]:
        """Return the kernels' arguments that describe the levels, each (levels,)."""
        if device not in self._on_device:
            integers = {
                "resolutions": self.resolutions,
                "sizes": self.sizes,
                "offsets": self.offsets,
                "is_dense": self.dense,
            }
            self._on_device[device] = {
                "scales": torch.tensor(self.scales, dtype=torch.float32, device=device),
                **{
                    k: torch.tensor(v, dtype=torch.int32, device=device)
                    for k, v in integers.items()
                },
            }
        return self._on_device[device]


def _float32(value: float) -> float:
    return float(np.float32(value))


def hash_encode(
    points: Tensor, table: Tensor, layout: HashGridLayout, known: Tensor | None = None
) -> Tensor:
    """Interpolate every level's grid at every point.

    Parameters
    ----------
    points : (N, 3) float32
        In [0, 1]; others are clamped. They get no gradient.
    table : (layout.rows, layout.features) float32
    layout : HashGridLayout
    known : (levels * features, N) float32, optional
        The result, transposed, where it is known already and only its gradient is needed.

    Returns
    -------
    (N, levels * features) float32
        Level-major along the second axis. The fast kernel writes it feature by feature: its
        strides are (1, N), which a matrix product reads just as quickly.
    """
    _check(points, table, layout)
    if use_warp(points.device):
        return hash_encode_warp(points, table, layout, known)
    return hash_encode_reference(points, table, layout)


def _check(points: Tensor, table: Tensor, layout: HashGridLayout) -> None:
    if points.ndim != 2 or points.shape[1] != 3:
        raise ValueError(f"points must be (N, 3), not {tuple(points.shape)}")
    if table.shape != (layout.rows, layout.features):
        raise ValueError(
            f"the table must be ({layout.rows}, {layout.features}), not {tuple(table.shape)}"
        )


def hash_encode_reference(points: Tensor, table: Tensor, layout: HashGridLayout) -> Tensor:
    """Compute `hash_encode` in plain torch operations, differentiated by autograd."""
    points = points.detach().clamp(0, 1)
    corners = torch.tensor(
        [[i & 1, i >> 1 & 1, i >> 2 & 1] for i in range(8)], device=points.device
    )
    encoded = []
    for level in range(layout.levels):
        position = points * _float32(layout.scales[level]) + 0.5
        cell = position.floor()
        fraction = (position - cell)[:, None]
        weights = torch.where(corners.bool(), fraction, 1 - fraction).prod(dim=-1)
        vertices = cell.long()[:, None] + corners
        if layout.dense[level]:
            resolution = layout.resolutions[level]
            x, y, z = vertices.unbind(-1)
            index = x + resolution * (y + resolution * z)
        else:
            hashed = (vertices * torch.tensor(PRIMES, device=points.device)) & 0xFFFFFFFF
            index = hashed[..., 0] ^ hashed[..., 1] ^ hashed[..., 2]
        rows = index % layout.sizes[level] + layout.offsets[level]
        encoded.append((weights[..., None] * table[rows]).sum(dim=1))
    return torch.cat(encoded, dim=-1)


def hash_encode_warp(
    points: Tensor, table: Tensor, layout: HashGridLayout, known: Tensor | None = None
) -> Tensor:
    """Compute `hash_encode` by the Warp kernel, with its own backward pass."""
    return _HashEncode.apply(points.detach(), table, layout, known)


class _HashEncode(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, points: Tensor, table: Tensor, layout: HashGridLayout, known: Tensor | None
    ) -> Tensor:
        points = points.to(torch.float32).contiguous()
        if known is None:
            encoded = POOL.empty((layout.levels, layout.features, len(points)), points.device)
            _run("forward", points, encoded, layout, table=_aligned(table.detach().contiguous()))
            known = encoded.view(layout.width, len(points))
        ctx.save_for_backward(points)
        ctx.table = table
        ctx.layout = layout
        return known.t()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[None, Tensor | None, None, None]:
        if not ctx.needs_input_grad[1]:
            return None, None, None, None
        (points,) = ctx.saved_tensors
        layout = ctx.layout
        encoded = gradients[0].to(torch.float32).t().contiguous()
        encoded = encoded.view(layout.levels, layout.features, len(points))
        rows = row_gradient(ctx.table)
        if rows is not None:
            rows.used = True
            _run("backward", points, encoded, layout, table=rows.values, touched=rows.touched)
            return None, None, None, None
        table = POOL.empty((layout.rows, layout.features), points.device).zero_()
        _run("backward", points, encoded, layout, table=table, touched=no_marks(table))
        return None, table, None, None


def _aligned(table: Tensor) -> Tensor:
    """Return a table whose entries CUDA can read at once; one in the midst of memory is copied."""
    misaligned = table.is_cuda and table.data_ptr() % min(4 * table.shape[1], 16)
    return table.clone() if misaligned else table


def _run(
    way: Literal["forward", "backward"],
    points: Tensor,
    encoded: Tensor,
    layout: HashGridLayout,
    **tables: Tensor,
) -> None:
    from .sources.hash_grid import BACKWARD_KERNELS, FORWARD_KERNELS

    kernel = (FORWARD_KERNELS if way == "forward" else BACKWARD_KERNELS)[layout.features]
    count = len(points)
    kernel.launch(
        layout.levels * count,
        _parts(layout.levels, count, way == "backward"),
        points=points,
        encoded=encoded,
        **tables,
        **layout.tensors(points.device),
    )


def _parts(levels: int, count: int, backward: bool) -> list[Part]:
    """Return ranges of level-major items for the processor's threads, finest level first.

    The finest levels take longest, so the short ones then even the threads out. In a backward
    pass a level is one thread's alone, which therefore needs no atomic addition.
    """
    if levels * count < SMALL:
        return [(0, levels * count)]
    pieces = 1 if backward else -(-thread_count() // levels)
    bounds = [count * i // pieces for i in range(pieces + 1)]
    return [
        (level * count + first, level * count + last)
        for level in reversed(range(levels))
        for first, last in itertools.pairwise(bounds)
    ]
