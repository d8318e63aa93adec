"""Maps of space: how the space of a scene maps to the cube that a field computes in.

A map of space takes points of the dataset frame to the cube [-1, 1]^3 and back, tells how much it
shrinks lengths where it does, and samples rays in equal steps of the cube. There is one for
each kind of scene: `BoxMap` here, `ContractedMap` and `NdcMap` in files of their own.
"""

import math
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from ..kernels.marching import PackedSamples, march_rays
from ..kernels.ray_positions import ray_positions
from .rays import Rays


class SpaceMap(nn.Module):
    """A map between the dataset frame and the cube of a field.

    Parameters
    ----------
    box : (2, 3) tensor
        Minimum and maximum corner of the scene, dataset frame: what volumes cover. A frame may
        reach beyond it.

    Attributes
    ----------
    kind : str
        Of the scenes it is for, as files name it.
    coarseness : float
        Ray-marching steps of this frame's fields in those of a bounded scene.
    cell_samples : int
        Points of a cell that must be empty for the cell to be, when a field's grid is settled.
    half_side : float
        Half the longest side of the box, dataset units: the unit of length of the cube.
    """

    kind: ClassVar[str]
    coarseness: ClassVar[float] = 1.0
    cell_samples: ClassVar[int] = 4
    box: Tensor

    def __init__(self, box: Tensor) -> None:
        super().__init__()
        self.register_buffer("box", box.to(torch.float32))
        self.half_side = float((self.box[1] - self.box[0]).max()) / 2

    @property
    def center(self) -> Tensor:
        """(3,) float32: the middle of the box, dataset frame."""
        return (self.box[0] + self.box[1]) / 2

    def to_cube(self, points: Tensor) -> Tensor:
        """Dataset-frame points (..., 3) in the cube [-1, 1]^3."""
        raise NotImplementedError

    def from_cube(self, points: Tensor) -> Tensor:
        """The inverse of `to_cube`."""
        raise NotImplementedError

    def to_grid(self, points: Tensor) -> Tensor:
        """Where dataset-frame points (N, 3) lie among the cells of a grid, [0, 1]^3."""
        return (self.to_cube(points) + 1) / 2

    def from_grid(self, shares: Tensor) -> Tensor:
        """The inverse of `to_grid`."""
        return self.from_cube(shares * 2 - 1)

    def contains(self, points: Tensor) -> Tensor:
        """Whether the grid covers each of dataset-frame points (N, 3): (N,) bool."""
        raise NotImplementedError

    def log_stretch(self, points: Tensor) -> Tensor | float:
        """Logarithm (N,) of the length, in `half_side`, that the engine's unit has at points."""
        raise NotImplementedError

    def log_unit(self, points: Tensor) -> Tensor | float:
        """Logarithm (N,) of the length, in dataset units, that the engine's unit has at points."""
        return math.log(self.half_side) + self.log_stretch(points)

    def dataset_bounds(self, low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
        """Low and high corners (N, 3), dataset frame, around boxes of the grid, all of it held."""
        raise NotImplementedError

    def grid_bounds(self, low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
        """Low and high corners (N, 3), grid, around dataset-frame boxes, all of it held."""
        raise NotImplementedError

    def grid_volume(self) -> float:
        """What the volume of the whole grid counts when parts of it are compared."""
        return (2 * self.half_side) ** 3

    def march(self, rays: Rays, occupancy: Tensor, step: float, jitter: Tensor) -> PackedSamples:
        """Samples of rays in occupied cells, equal steps of the cube apart.

        Parameters
        ----------
        rays : Rays
            Dataset frame, R of them.
        occupancy : (X, Y, Z) uint8
            Non-zero where the grid may hold density.
        step : float
            Dataset units where the frame does not stretch lengths.
        jitter : (R,) float32
            In [0, 1): shifts a ray's samples by that share of a step.
        """
        raise NotImplementedError

    def positions(
        self, rays: Rays, occupancy: Tensor, probes: int, fractions: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Positions at fractions of the occupied parts of each ray's way; see `ray_positions`."""
        raise NotImplementedError

    def to_json(self) -> dict[str, Any]:
        """For a field's header: the kind, and what beside the box makes the frame."""
        return {"kind": self.kind}


class BoxMap(SpaceMap):
    """A bounded scene: the cube around the box, scaled; cells fill the box."""

    kind = "object"

    def to_cube(self, points: Tensor) -> Tensor:
        """Dataset-frame points (..., 3), moved and scaled."""
        return (points - self.center) / self.half_side

    def from_cube(self, points: Tensor) -> Tensor:
        """The inverse of `to_cube`."""
        return points * self.half_side + self.center

    def to_grid(self, points: Tensor) -> Tensor:
        """Shares of the box."""
        return (points - self.box[0]) / (self.box[1] - self.box[0])

    def from_grid(self, shares: Tensor) -> Tensor:
        """The inverse of `to_grid`."""
        return self.box[0] + shares * (self.box[1] - self.box[0])

    def contains(self, points: Tensor) -> Tensor:
        """Whether points lie in the box."""
        return ((points >= self.box[0]) & (points <= self.box[1])).all(dim=-1)

    def log_stretch(self, points: Tensor) -> float:
        """None anywhere."""
        return 0.0

    def dataset_bounds(self, low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
        """Boxes stay boxes."""
        return self.from_grid(low), self.from_grid(high)

    def grid_bounds(self, low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
        """Boxes stay boxes."""
        start, size = self.box[0].double(), (self.box[1] - self.box[0]).double()
        return (low - start) / size, (high - start) / size

    def grid_volume(self) -> float:
        """That of the box, cubic dataset units."""
        return float((self.box[1] - self.box[0]).double().prod())

    def march(self, rays: Rays, occupancy: Tensor, step: float, jitter: Tensor) -> PackedSamples:
        """Equal steps through the box."""
        return march_rays(*rays, occupancy, self.box, step, jitter)

    def positions(
        self, rays: Rays, occupancy: Tensor, probes: int, fractions: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Between where rays enter and leave the box."""
        return ray_positions(*rays, occupancy, self.box, probes, fractions)
