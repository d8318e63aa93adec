"""Maps of space: from the space of a scene to the cube in which a field computes.

A map of space maps points of the dataset frame to the cube [-1, 1]^3 and back, returns how much it
shrinks lengths, and samples rays in equal steps of the cube. Each kind of scene has one: `BoxMap`
here, `ContractedMap` and `NdcMap` in their own files.

All points, rays and boxes are float32. Where the scene stands far from the origin of the dataset
frame, which is then too coarse, they are counted from the map's own `origin`; what comes in and
goes out in float64 is converted there.
"""

import math
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from ..kernels.marching import PackedSamples, march_rays
from ..kernels.ray_positions import ray_positions
from ..kernels.visible_positions import visible_positions
from ..kernels.widest import widest
from .rays import Rays


class SpaceMap(nn.Module):
    """A map between the dataset frame and the cube of a field.

    Parameters
    ----------
    box : (2, 3) tensor
        Minimum and maximum corner of the scene, dataset frame; volumes cover this box. A map may
        reach beyond it.
    origin : (3,) float64 array, optional
        Position in the dataset frame from which all positions of the map and its field are counted,
        the box among them; zero if not given.

    Attributes
    ----------
    kind : str
        The kind of scene that it is for, as files name it.
    coarseness : float
        Length of a ray-marching step over that of a bounded scene.
    probes_per_cell : int
        Points that are sampled in each cell when a field's occupancy grid is rebuilt; the cell
        becomes empty when all of them are.
    half_side : float
        Half the longest side of the box, dataset units: the unit of length of the cube.
    """

    kind: ClassVar[str]
    coarseness: ClassVar[float] = 1.0
    probes_per_cell: ClassVar[int] = 4
    box: Tensor

    def __init__(self, box: Tensor, origin: np.ndarray | None = None) -> None:
        super().__init__()
        self.origin = np.zeros(3) if origin is None else np.asarray(origin, np.float64)
        self.register_buffer("box", box.to(torch.float32))
        self.half_side = float((self.box[1] - self.box[0]).max()) / 2

    @property
    def center(self) -> Tensor:
        """Centre of the box, (3,) float32, dataset frame."""
        return (self.box[0] + self.box[1]) / 2

    def to_cube(self, points: Tensor) -> Tensor:
        """Return dataset-frame points (..., 3) in the cube [-1, 1]^3."""
        raise NotImplementedError

    def from_cube(self, points: Tensor) -> Tensor:
        """Return the inverse of `to_cube`: points (..., 3) of the cube in the dataset frame."""
        raise NotImplementedError

    def to_grid(self, points: Tensor) -> Tensor:
        """Return dataset-frame points (N, 3) as fractions of the grid, [0, 1]^3."""
        return (self.to_cube(points) + 1) / 2

    def from_grid(self, fractions: Tensor) -> Tensor:
        """Return the inverse of `to_grid`: fractions (N, 3) of the grid in the dataset frame."""
        return self.from_cube(fractions * 2 - 1)

    def contains(self, points: Tensor) -> Tensor:
        """Return whether the grid covers dataset-frame points (N, 3): (N,) bool."""
        raise NotImplementedError

    def log_stretch(self, points: Tensor) -> Tensor | float:
        """Return the logarithm (N,) of the cube's unit of length at points, in `half_side`."""
        raise NotImplementedError

    def log_unit(self, points: Tensor) -> Tensor | float:
        """Return the logarithm (N,) of the cube's unit of length at points, in dataset units."""
        return math.log(self.half_side) + self.log_stretch(points)

    def dataset_bounds(self, low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
        """Return low and high corners (N, 3), dataset frame, that enclose boxes of the grid."""
        raise NotImplementedError

    def grid_bounds(self, low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
        """Return low and high corners (N, 3), grid, that enclose dataset-frame boxes."""
        raise NotImplementedError

    def grid_volume(self) -> float:
        """Return the volume of the whole grid, against which parts of it are compared."""
        return (2 * self.half_side) ** 3

    def march(self, rays: Rays, occupancy: Tensor, step: float, jitter: Tensor) -> PackedSamples:
        """Return samples of rays in occupied cells, at equal steps in the cube.

        Parameters
        ----------
        rays : Rays
            R rays, dataset frame.
        occupancy : (X, Y, Z) uint8
            Non-zero where the grid may hold density.
        step : float
            Length of a step, in dataset units where the map does not stretch lengths.
        jitter : (R,) float32
            Fraction of a step, in [0, 1), by which a ray's samples are shifted.
        """
        raise NotImplementedError

    def positions(
        self, rays: Rays, occupancy: Tensor, probes: int, fractions: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return positions at fractions of the occupied parts of each ray, as `ray_positions`."""
        raise NotImplementedError

    def visible_positions(
        self, rays: Rays, codes: Tensor, extinctions: Tensor, probes: int, fractions: Tensor
    ) -> Tensor:
        """Return positions at fractions of the light of each ray, as the kernel of that name.

        Parameters
        ----------
        rays : Rays
            R rays, dataset frame.
        codes : (X, Y, Z) uint8
            Code of each cell's extinction.
        extinctions : (256,) float32
            Extinction of each code, per unit of length of the cube.
        probes : int
            Number of parts of a ray's way.
        fractions : (R, P) float32
            Ascending along each ray, [0, 1].
        """
        raise NotImplementedError

    def to_json(self) -> dict[str, Any]:
        """Return the kind and, besides the box, the parameters, for a field's header."""
        return {"kind": self.kind} | ({"origin": self.origin.tolist()} if self.origin.any() else {})

    def dataset_box(self) -> np.ndarray:
        """Return the box in the dataset frame itself, (2, 3) float64."""
        return self.box.cpu().double().numpy() + self.origin


class BoxMap(SpaceMap):
    """A bounded scene: the cube around the box, scaled; cells fill the box."""

    kind = "object"

    def to_cube(self, points: Tensor) -> Tensor:
        """Return dataset-frame points (..., 3), moved and scaled."""
        return (points - self.center) / self.half_side

    def from_cube(self, points: Tensor) -> Tensor:
        """Return the inverse of `to_cube`: points (..., 3) of the cube in the dataset frame."""
        return points * self.half_side + self.center

    def to_grid(self, points: Tensor) -> Tensor:
        """Return points as fractions of the box."""
        return (points - self.box[0]) / (self.box[1] - self.box[0])

    def from_grid(self, fractions: Tensor) -> Tensor:
        """Return the inverse of `to_grid`: fractions (N, 3) of the grid in the dataset frame."""
        return self.box[0] + fractions * (self.box[1] - self.box[0])

    def contains(self, points: Tensor) -> Tensor:
        """Return whether points lie in the box."""
        return ((points >= self.box[0]) & (points <= self.box[1])).all(dim=-1)

    def log_stretch(self, points: Tensor) -> float:
        """Return 0, because lengths stay."""
        return 0.0

    def dataset_bounds(self, low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
        """Return the corners of the boxes, which stay boxes."""
        return self.from_grid(low), self.from_grid(high)

    def grid_bounds(self, low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
        """Return the corners of the boxes, which stay boxes."""
        start, size = widest(self.box[0]), widest(self.box[1] - self.box[0])
        return (low - start) / size, (high - start) / size

    def grid_volume(self) -> float:
        """Return the volume of the box, cubic dataset units."""
        return float((self.box[1] - self.box[0]).cpu().double().prod())

    def march(self, rays: Rays, occupancy: Tensor, step: float, jitter: Tensor) -> PackedSamples:
        """Return samples in equal steps through the box."""
        return march_rays(*rays, occupancy, self.box, step, jitter)

    def positions(
        self, rays: Rays, occupancy: Tensor, probes: int, fractions: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return positions at fractions of the way from where rays enter the box to its exit."""
        return ray_positions(*rays, occupancy, self.box, probes, fractions)

    def visible_positions(
        self, rays: Rays, codes: Tensor, extinctions: Tensor, probes: int, fractions: Tensor
    ) -> Tensor:
        """Return positions at fractions of the light that each ray gets on its way."""
        per_unit = extinctions / self.half_side
        return visible_positions(*rays, codes, per_unit, self.box, probes, fractions)
