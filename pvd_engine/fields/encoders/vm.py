"""TensoRF's vector-matrix decomposition (Chen et al. 2022, section 4.2), split as PVD splits it."""

import torch
from torch import Tensor, nn

from ...kernels.factors import MODES, Size, plane_products, plane_rows
from ..registry import EncoderArchitecture
from .base import random_parameter
from .factored import FactoredEncoder, scaled_factors


class VmEncoder(FactoredEncoder):
    """Planes times lines: log-density by a sum, the other features by a linear map.

    Parameters
    ----------
    width : int
        Output features.
    resolution : int
        Vertices along each axis when fully refined.
    density_rank, color_rank : int
        Number of products per mode for the log-density and for the other features.
    """

    density_planes: nn.Parameter
    density_lines: nn.Parameter
    color_planes: nn.Parameter
    color_lines: nn.Parameter

    def __init__(self, width: int, resolution: int, density_rank: int, color_rank: int) -> None:
        super().__init__(width, resolution)
        planes, lines = sum(plane_rows(self.size)), sum(self.size)
        self.density_planes = random_parameter(planes, density_rank, 0.1)
        self.density_lines = random_parameter(lines, density_rank, 0.1)
        self.color_planes = random_parameter(planes, color_rank, 0.1)
        self.color_lines = random_parameter(lines, color_rank, 0.1)
        self.basis = nn.Linear(3 * color_rank, width - 1, bias=False)

    def forward(self, points: Tensor) -> Tensor:
        """Return features (N, width) of points (N, 3)."""
        points01 = self.to_box(points)
        products = plane_products(points01, self.color_planes, self.color_lines, self.size)
        return torch.cat((self._log_density(points01)[:, None], self.basis(products)), dim=-1)

    def log_density(self, points: Tensor) -> Tensor:
        """Return the log-density alone, without the factors of the other features."""
        return self._log_density(self.to_box(points))

    def _log_density(self, points01: Tensor) -> Tensor:
        products = plane_products(points01, self.density_planes, self.density_lines, self.size)
        return self.total(products, points01)

    def tables(self) -> dict[str, nn.Parameter]:
        """Return planes and lines, of log-density and of colour."""
        return {
            "density_planes": self.density_planes,
            "density_lines": self.density_lines,
            "color_planes": self.color_planes,
            "color_lines": self.color_lines,
        }

    def resampled(self, name: str, along: list[Tensor]) -> Tensor:
        """Return a table's values at other vertices."""
        table = self.tables()[name]
        if name.endswith("planes"):
            parts = table.split(plane_rows(self.size))
            return torch.cat(
                [
                    _resampled_plane(part, along[a], along[b])
                    for part, (a, b, _) in zip(parts, MODES, strict=True)
                ]
            )
        size: Size = self.size
        parts = table.split([size[c] for _, _, c in MODES])
        return torch.cat([along[c] @ part for part, (_, _, c) in zip(parts, MODES, strict=True)])


def _resampled_plane(plane: Tensor, along_a: Tensor, along_b: Tensor) -> Tensor:
    grid = plane.view(along_a.shape[1], along_b.shape[1], -1)
    finer = torch.einsum("ia,abr,jb->ijr", along_a, grid, along_b)
    return finer.reshape(-1, plane.shape[1])


ARCHITECTURE = EncoderArchitecture(
    label="TensoRF VM",
    description="TensoRF: planes times lines; smooth surfaces, and as fast to train as a hash grid",
    good_for="TensoRF: planes and lines; smooth",
    encoder=VmEncoder,
    decoder="mlp",
    presets={
        "full": {"resolution": 300, "density_rank": 16, "color_rank": 48},
        "small": {"resolution": 160, "density_rank": 16, "color_rank": 24},
    },
    scaled=scaled_factors,
)
