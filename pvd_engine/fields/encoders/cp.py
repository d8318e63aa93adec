"""TensoRF's CP decomposition (Chen et al. 2022, section 4.1), split into blocks as VM is."""

import torch
from torch import Tensor, nn

from ...kernels.factors import line_products
from ..registry import EncoderArchitecture
from .base import random_parameter
from .factored import FactoredEncoder, scaled_factors


class CpEncoder(FactoredEncoder):
    """Products of three lines: log-density by a sum, the other features by a linear map.

    Parameters
    ----------
    width : int
        Output features.
    resolution : int
        Vertices along each axis when fully refined.
    density_rank, color_rank : int
        Number of products for the log-density and for the other features.
    """

    density_lines: nn.Parameter
    color_lines: nn.Parameter

    def __init__(self, width: int, resolution: int, density_rank: int, color_rank: int) -> None:
        super().__init__(width, resolution)
        lines = sum(self.size)
        self.density_lines = random_parameter(lines, density_rank, 0.2)
        self.color_lines = random_parameter(lines, color_rank, 0.2)
        self.basis = nn.Linear(color_rank, width - 1, bias=False)

    def forward(self, points: Tensor) -> Tensor:
        """Return features (N, width) of points (N, 3)."""
        points01 = self.to_box(points)
        products = line_products(points01, self.color_lines, self.size)
        return torch.cat((self._log_density(points01)[:, None], self.basis(products)), dim=-1)

    def log_density(self, points: Tensor) -> Tensor:
        """Return the log-density alone, without the factors of the other features."""
        return self._log_density(self.to_box(points))

    def _log_density(self, points01: Tensor) -> Tensor:
        products = line_products(points01, self.density_lines, self.size)
        return self.total(products, points01)

    def tables(self) -> dict[str, nn.Parameter]:
        """Return the lines of log-density and of colour."""
        return {"density_lines": self.density_lines, "color_lines": self.color_lines}

    def resampled(self, name: str, along: list[Tensor]) -> Tensor:
        """Return a table's values at other vertices."""
        parts = self.tables()[name].split(list(self.size))
        return torch.cat([weights @ part for weights, part in zip(along, parts, strict=True)])


ARCHITECTURE = EncoderArchitecture(
    label="TensoRF CP",
    description="TensoRF: lines alone; the smallest file, with less detail",
    good_for="TensoRF: lines; the smallest file",
    encoder=CpEncoder,
    decoder="mlp",
    presets={
        "full": {"resolution": 500, "density_rank": 96, "color_rank": 288},
        "small": {"resolution": 192, "density_rank": 96, "color_rank": 192},
    },
    scaled=scaled_factors,
)
