"""A sparse voxel grid (Plenoxels, Fridovich-Keil et al. 2022): only occupied voxels hold values."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from ...kernels.sparse_grid import sparse_sample
from ...kernels.workload import POINTS, concatenated, workload
from ..registry import EncoderArchitecture
from .base import ParameterGroup, random_parameter
from .coarse_to_fine import CoarseToFineEncoder

EMPTY_LOG_DENSITY = -5.0
"""Log-density of a vertex that holds no value: one unit of the cube absorbs under 1 %."""

STAGES = ((0.12, 4), (0.3, 2), (0.55, 1))
"""Stages from coarse to fine: fraction of the budget at the start, divisor of the resolution."""

COARSEST = 8
"""Divisor of the target resolution at the start of training."""


def _corner_offsets(device: torch.device) -> Tensor:
    axis = torch.arange(2, device=device)
    return torch.stack(torch.meshgrid(axis, axis, axis, indexing="ij"), dim=-1).view(8, 3)


class SparseTensorEncoder(CoarseToFineEncoder):
    """Values at the vertices of occupied voxels, interpolated linearly; no network.

    Training starts dense and coarse; at each of `STAGES` the grid is resampled finer, and voxels
    that are empty in the occupancy grid are dropped.

    Parameters
    ----------
    width : int
        Number of channels: log-density first, then the decoder's inputs.
    resolution : int
        Vertices along each axis when fully refined.

    Attributes
    ----------
    vertices : (M,) int64
        Flat index of each vertex that holds values.
    values : (M, width) float32
    links : (R, R, R) int32
        Row of each vertex in `values`, or -1.
    """

    vertices: Tensor
    links: Tensor
    empty: Tensor
    stages = STAGES
    projection = "take"

    def __init__(self, width: int, resolution: int) -> None:
        super().__init__()
        self.width = width
        self.target_resolution = resolution
        self.resolution = coarse = max(resolution // COARSEST, 2)
        self.register_buffer("vertices", torch.arange(coarse**3))
        self.values = random_parameter(coarse**3, width, 0.02)
        empty = torch.zeros(width, device="cpu")
        empty[0] = EMPTY_LOG_DENSITY
        self.register_buffer("empty", empty, persistent=False)
        self.register_buffer("links", torch.empty(0, dtype=torch.int32), persistent=False)
        self._link()

    def stored_sizes(self) -> dict[str, int | list[int]]:
        """Return the vertices along each axis."""
        return {"size": self.resolution}

    def take_sizes(self, sizes: Mapping[str, Any]) -> None:
        """Take what `stored_sizes` returned."""
        self.resolution = sizes["size"]

    def _link(self) -> None:
        links = torch.full(
            (self.resolution**3,), -1, dtype=torch.int32, device=self.vertices.device
        )
        links[self.vertices] = torch.arange(
            len(self.vertices), dtype=torch.int32, device=links.device
        )
        self.links = links.view((self.resolution,) * 3)

    def forward(self, points: Tensor) -> Tensor:
        """Return features (N, width) of points (N, 3)."""
        return sparse_sample((points + 1) / 2, self.links, self.values, self.empty)

    def log_density(self, points: Tensor) -> Tensor:
        """Return the log-density alone; one channel is interpolated instead of all."""
        density = self.values[:, :1].contiguous()
        return sparse_sample((points + 1) / 2, self.links, density, self.empty[:1])[:, 0]

    def parameter_groups(self) -> list[ParameterGroup]:
        """Return the one table; rows that a step does not touch stay as they are."""
        return [ParameterGroup([self.values], learning_rate=5e-2, rule="adam_rows")]

    def begin_projection(
        self, target: Callable[[Tensor], Tensor], occupied: Callable[[Tensor], Tensor]
    ) -> None:
        """Go to full resolution and copy the wanted features to each vertex."""
        self.resample(self.target_resolution, occupied)
        self.values.data.copy_(target(self._points(self.vertices, self.resolution)))

    @torch.no_grad()
    def resample(self, resolution: int, occupied: Callable[[Tensor], Tensor]) -> None:
        """Give the grid another resolution and keep only the voxels that are occupied.

        Parameters
        ----------
        resolution : int
            Vertices along each axis.
        occupied : callable
            (N, 3) points of the cube -> (N,) bool.
        """
        vertices = self._vertices_of_occupied_voxels(resolution, occupied)
        points = self._points(vertices, resolution)
        values = concatenated(points.device, POINTS, len(points), lambda part: self(points[part]))
        self.values = nn.Parameter(values)
        self.vertices = vertices
        self.resolution = resolution
        self._link()

    @torch.no_grad()
    def keep_vertices(self, kept: Callable[[Tensor], Tensor]) -> None:
        """Keep only some rows of the table."""
        chosen = kept(self._points(self.vertices, self.resolution))
        self.values = nn.Parameter(self.values[chosen])
        self.vertices = self.vertices[chosen]
        self._link()

    @classmethod
    def _points(cls, vertices: Tensor, resolution: int) -> Tensor:
        return 2 * cls._coordinates(vertices, resolution) / (resolution - 1) - 1

    @staticmethod
    def _coordinates(vertices: Tensor, resolution: int) -> Tensor:
        return torch.stack(
            (
                vertices // (resolution * resolution),
                (vertices // resolution) % resolution,
                vertices % resolution,
            ),
            dim=-1,
        )

    def _vertices_of_occupied_voxels(
        self, resolution: int, occupied: Callable[[Tensor], Tensor]
    ) -> Tensor:
        """Return flat indices of all corners of the voxels with an occupied centre or corner."""
        device = self.vertices.device
        used = torch.zeros((resolution,) * 3, dtype=torch.bool, device=device)
        voxels = torch.arange((resolution - 1) ** 3, device=device)
        corners = _corner_offsets(device)
        probes = torch.cat((torch.full((1, 3), 0.5, device=device), corners))
        for part in voxels.split(2 * workload(device).at_once(POINTS)):
            index = self._coordinates(part, resolution - 1)
            inside = torch.zeros(len(part), dtype=torch.bool, device=device)
            for offset in probes:
                inside |= occupied(2 * (index + offset) / (resolution - 1) - 1)
            found = index[inside]
            for corner in corners:
                x, y, z = (found + corner).unbind(-1)
                used[x, y, z] = True
        return used.view(-1).nonzero().view(-1)

    def _load_from_state_dict(
        self, state_dict: dict[str, Any], prefix: str, *args: Any, **kwargs: Any
    ) -> None:
        """Take the stored grid whatever its resolution and number of values.

        Raises
        ------
        ValueError
            It is finer than the encoder allows, or its vertices are not in it, in growing order.
        """
        vertices, values = state_dict[prefix + "vertices"], state_dict[prefix + "values"]
        size = int(state_dict[prefix + "size"])
        if not 2 <= size <= max(self.target_resolution, 2):
            raise ValueError("the grid is finer than its header says")
        ends = vertices[:1], size**3 - 1 - vertices[-1:]
        if (vertices.diff() < 1).any() or any((end < 0).any() for end in ends):
            raise ValueError("the vertices of the grid are not in it, in growing order")
        if vertices.ndim != 1 or values.shape != (len(vertices), self.width):
            raise ValueError("the grid has other values than vertices")
        self.vertices = torch.empty_like(vertices, device=self.vertices.device)
        self.values = nn.Parameter(torch.empty_like(values, device=self.values.device))
        super()._load_from_state_dict(state_dict, prefix, *args, **kwargs)
        self._link()


def _scaled(sizes: Mapping[str, Any], fraction: float) -> dict[str, Any]:
    """Return a coarser grid; occupied voxels lie along surfaces, so they grow with its square."""
    return {"resolution": max(round(sizes["resolution"] * fraction**0.5), 8)}


ARCHITECTURE = EncoderArchitecture(
    label="Sparse Tensor",
    description="Plenoxels: values in occupied voxels and spherical harmonics; no network at all",
    good_for="Plenoxels: voxels, no network",
    encoder=SparseTensorEncoder,
    decoder="sh",
    presets={"full": {"resolution": 256}, "small": {"resolution": 128}},
    scaled=_scaled,
)
