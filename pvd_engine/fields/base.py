"""The interface that everything else sees of a field."""

from typing import Any

import torch
from torch import Tensor, nn

from ..space.occupancy import OccupancyGrid
from ..space.space_map import SpaceMap


class Field(nn.Module):
    """A volume of density and colour in the dataset frame.

    Every radiance field is *block 1 then block 2* (Fang et al., "One is All: Bridging the gap
    between neural radiance field architectures with progressive volume distillation", 2023,
    section 3): `features` is block 1, `decode` block 2. Training, distillation, rendering, editing
    and export use nothing but this class.

    Parameters
    ----------
    occupancy : OccupancyGrid
        Which cells of the field's box may hold density.
    step : float
        Ray-marching step, dataset units, where the map of space does not stretch lengths.
    header : dict
        JSON-able description: architecture, colour space, provenance.
    """

    def __init__(self, occupancy: OccupancyGrid, step: float, header: dict[str, Any]) -> None:
        super().__init__()
        self.occupancy = occupancy
        self.step = step
        self.header = header

    @property
    def space(self) -> SpaceMap:
        """The map between the dataset frame and the cube that the field computes in."""
        return self.occupancy.space

    @property
    def box(self) -> Tensor:
        """(2, 3) float32: minimum and maximum corner, dataset frame."""
        return self.occupancy.box

    @property
    def device(self) -> torch.device:
        """Where the field's tensors live."""
        return self.box.device

    @property
    def decoder_form(self) -> dict[str, Any] | None:
        """Block 2's description, by which features are told apart; None without a block 2."""
        return self.header.get("architecture", {}).get("decoder")

    def features(self, points: Tensor) -> Tensor:
        """Block 1: features of points.

        Parameters
        ----------
        points : (N, 3) float32
            Dataset frame.

        Returns
        -------
        (N, F) float32
        """
        raise NotImplementedError

    def decode(self, points: Tensor, directions: Tensor, features: Tensor) -> tuple[Tensor, Tensor]:
        """Block 2: density and colour from features.

        Parameters
        ----------
        points, directions : (N, 3) float32
            Dataset frame; directions are unit vectors along the ray.
        features : (N, F) float32
            What `features` gave for the points.

        Returns
        -------
        log_density : (N,) float32
            Natural logarithm of the extinction per dataset unit.
        color : (N, 3) float32
            In [0, 1], in the field's colour space.
        """
        raise NotImplementedError

    def log_density(self, points: Tensor) -> Tensor:
        """Logarithm of the extinction per dataset unit, (N,) float32, at points (N, 3)."""
        raise NotImplementedError

    def forward(self, points: Tensor, directions: Tensor) -> tuple[Tensor, Tensor]:
        """Log-density (N,) and colour (N, 3) at points seen along directions."""
        return self.decode(points, directions, self.features(points))
