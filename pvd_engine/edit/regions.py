"""Regions of space that an edit erases or keeps: box, sphere, density grid.

Every region gives two things in the dataset frame, on the device of the given tensors: the points
that lie in it, and the axis-aligned cells that lie *certainly* inside or outside. By the second an
edited field skips cells: a cell that is certain may count as mixed, but never the reverse. The
closed mesh, a region as well, is in `mesh_region`.
"""

import hashlib
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from ..fields.limits import LARGEST_COORDINATE
from ..files.checked_json import InvalidJsonError, checked_numbers
from .cell_counts import count_in_blocks, summed_volume

INSIDE, MIXED, OUTSIDE = 1, 0, -1
"""Results of `Region.classify` for a cell."""

LARGEST_FACTOR = 1e6
"""Largest factor of density or colour, and width of a soft edge."""

SMALLEST_VOLUME_RATIO = 1e-6
"""Fraction of the box of its columns' lengths below which a matrix counts as singular."""


class InvalidRegionError(ValueError):
    """A region that makes no sense; the message names the field and what is wrong with it."""


def checked_factors(value: Any, name: str, shape: tuple[int, ...]) -> np.ndarray:
    """Return decoded JSON as numbers from 0 to `LARGEST_FACTOR`, or raise InvalidJsonError."""
    factors = checked_numbers(value, name, shape)
    if factors.min() < 0 or factors.max() > LARGEST_FACTOR:
        raise InvalidJsonError(f'"{name}" must be from 0 to {LARGEST_FACTOR:g}')
    return factors


class Region(nn.Module):
    """A set of points in the dataset frame.

    Attributes
    ----------
    kind : str
        The region's key in edits.json.
    bounds : (2, 3) float32
        A box around the region.
    """

    kind: ClassVar[str]
    bounds: Tensor

    def contains(self, points: Tensor) -> Tensor:
        """Return whether each of points (N, 3) float32 lies in the region: (N,) bool."""
        raise NotImplementedError

    def classify(self, low: Tensor, high: Tensor) -> Tensor:
        """Classify axis-aligned cells.

        Parameters
        ----------
        low, high : (M, 3) float32
            Corners of the cells, dataset frame.

        Returns
        -------
        (M,) int8
            `INSIDE` or `OUTSIDE` where the whole cell certainly is, else `MIXED`.
        """
        raise NotImplementedError

    def distance(self, points: Tensor) -> Tensor | None:
        """Return the distance (N,) of points (N, 3) from the region, dataset units; 0 inside.

        It changes by at most 1 for each unit of length. None where only a table has it
        (`distance_table`).
        """
        return None

    def decides(self, points: Tensor) -> Tensor:
        """Return whether a *keep* with this region decides on each point: on all, unless a grid."""
        return torch.ones(len(points), dtype=torch.bool, device=points.device)

    def decides_cells(self, low: Tensor, high: Tensor) -> Tensor:
        """Return whether `decides` is true of all of a cell (M, 3), (M, 3): (M,) bool."""
        return torch.ones(len(low), dtype=torch.bool, device=low.device)

    def description(self) -> dict[str, Any]:
        """Return the region as JSON: simple shapes whole, large data by its size and hash."""
        raise NotImplementedError

    def tensors(self) -> dict[str, Tensor]:
        """Return the large data that `description` only names; empty for simple shapes."""
        return {}


def verdicts(inside: Tensor, outside: Tensor) -> Tensor:
    """Return `INSIDE`, `OUTSIDE` or `MIXED` (M,) int8 from two (M,) bool."""
    return inside.to(torch.int8) - outside.to(torch.int8)


def boxes_apart(low: Tensor, high: Tensor, box: Tensor) -> Tensor:
    """Return whether cells (M, 3), (M, 3) miss a box (2, 3): (M,) bool."""
    return ((low > box[1]) | (high < box[0])).any(dim=-1)


def require_finite(name: str, values: np.ndarray, shape: tuple[int, ...] | None = None) -> None:
    """Raise `InvalidRegionError` for another shape, or a value that is NaN, infinite or huge."""
    if shape is not None and values.shape != shape:
        raise InvalidRegionError(f'"{name}" must have the shape {shape}')
    if not np.isfinite(values).all():
        raise InvalidRegionError(f'"{name}" holds a value that is not a finite number')
    if values.size and np.abs(values).max() > LARGEST_COORDINATE:
        raise InvalidRegionError(f'"{name}" holds a value beyond {LARGEST_COORDINATE:g}')


class BoxRegion(Region):
    """An axis-aligned box, its border included.

    Parameters
    ----------
    low, high : (3,) array
        Minimum and maximum corner, dataset frame.
    """

    kind = "box"
    box: Tensor

    def __init__(self, low: np.ndarray, high: np.ndarray) -> None:
        super().__init__()
        corners = np.stack((np.asarray(low, np.float64), np.asarray(high, np.float64)))
        require_finite("box", corners, (2, 3))
        if not (corners[0] < corners[1]).all():
            raise InvalidRegionError('"box.min" must be less than "box.max" on every axis')
        self.corners = corners
        self.register_buffer("box", torch.tensor(corners, dtype=torch.float32))

    @property
    def bounds(self) -> Tensor:  # type: ignore[override]
        """The box itself."""
        return self.box

    def contains(self, points: Tensor) -> Tensor:
        """Return whether points (N, 3) are inside; the border is."""
        return ((points >= self.box[0]) & (points <= self.box[1])).all(dim=-1)

    def classify(self, low: Tensor, high: Tensor) -> Tensor:
        """Classify cells, exactly."""
        inside = ((low >= self.box[0]) & (high <= self.box[1])).all(dim=-1)
        return verdicts(inside, boxes_apart(low, high, self.box))

    def distance(self, points: Tensor) -> Tensor:
        """Return the exact distance."""
        beyond = torch.maximum(self.box[0] - points, points - self.box[1])
        return beyond.clamp(min=0).norm(dim=-1)

    def description(self) -> dict[str, Any]:
        """Return the region as edits.json has it."""
        return {"box": {"min": self.corners[0].tolist(), "max": self.corners[1].tolist()}}


class TransformedBoxRegion(Region):
    """The cube [-1, 1]^3 under an affine map: a turned, scaled or sheared box.

    Parameters
    ----------
    matrix : (4, 4) array
        From the cube to the dataset frame; the last row is 0, 0, 0, 1.
    """

    kind = "box"
    inverse: Tensor
    center: Tensor
    bounds: Tensor

    def __init__(self, matrix: np.ndarray) -> None:
        super().__init__()
        matrix = np.asarray(matrix, np.float64)
        require_finite("box.matrix", matrix, (4, 4))
        if not np.array_equal(matrix[3], (0.0, 0.0, 0.0, 1.0)):
            raise InvalidRegionError('the last row of "box.matrix" must be 0, 0, 0, 1')
        linear = matrix[:3, :3]
        lengths = np.linalg.norm(linear, axis=0)
        volume = abs(np.linalg.det(linear))
        if not volume > SMALLEST_VOLUME_RATIO * lengths.prod() or lengths.min() == 0:
            raise InvalidRegionError('"box.matrix" is singular: the box has no volume')
        self.matrix = matrix
        reach = np.abs(linear).sum(axis=1)
        bounds = np.stack((matrix[:3, 3] - reach, matrix[:3, 3] + reach))
        inverse = np.linalg.inv(linear)
        normals = inverse / np.linalg.norm(inverse, axis=1, keepdims=True)
        self.shear = float(np.linalg.norm(normals, ord=2))  # 1 where the faces are upright
        self.register_buffer("inverse", torch.tensor(inverse, dtype=torch.float32))
        self.register_buffer("center", torch.tensor(matrix[:3, 3], dtype=torch.float32))
        self.register_buffer("bounds", torch.tensor(bounds, dtype=torch.float32))

    def contains(self, points: Tensor) -> Tensor:
        """Return whether points (N, 3) are inside; the border is, up to rounding."""
        local = (points - self.center) @ self.inverse.T
        return (local.abs() <= 1).all(dim=-1)

    def classify(self, low: Tensor, high: Tensor) -> Tensor:
        """Classify cells: inside is exact (a box is convex), outside tests face normals only."""
        local = ((low + high) / 2 - self.center) @ self.inverse.T
        reach = (high - low) / 2 @ self.inverse.abs().T
        inside = (local.abs() + reach <= 1).all(dim=-1)
        outside = (local.abs() - reach > 1).any(dim=-1) | boxes_apart(low, high, self.bounds)
        return verdicts(inside, outside)

    def distance(self, points: Tensor) -> Tensor:
        """Return the distance, exactly; of a sheared box a lower bound by its faces' distances."""
        local = (points - self.center) @ self.inverse.T
        beyond = ((local.abs() - 1) / self.inverse.norm(dim=1)).clamp(min=0)
        return beyond.norm(dim=-1) / self.shear

    def description(self) -> dict[str, Any]:
        """Return the region as edits.json has it."""
        return {"box": {"matrix": self.matrix.tolist()}}


class SphereRegion(Region):
    """A ball, its surface included.

    Parameters
    ----------
    center : (3,) array
        Dataset frame.
    radius : float
        Dataset units.
    """

    kind = "sphere"
    center: Tensor

    def __init__(self, center: np.ndarray, radius: float) -> None:
        super().__init__()
        center = np.asarray(center, np.float64)
        require_finite("sphere.center", center, (3,))
        require_finite("sphere.radius", np.asarray(radius, np.float64), ())
        if not radius > 0:
            raise InvalidRegionError('"sphere.radius" must be greater than zero')
        self.exact_center = center
        self.radius = float(radius)
        self.register_buffer("center", torch.tensor(center, dtype=torch.float32))

    @property
    def bounds(self) -> Tensor:  # type: ignore[override]
        """The box around the ball."""
        return torch.stack((self.center - self.radius, self.center + self.radius))

    def contains(self, points: Tensor) -> Tensor:
        """Return whether points (N, 3) are inside; the surface is, up to rounding."""
        return (points - self.center).square().sum(dim=-1) <= self.radius**2

    def classify(self, low: Tensor, high: Tensor) -> Tensor:
        """Classify cells, exactly: by the farthest and the nearest point of each."""
        farthest = torch.maximum((low - self.center).abs(), (high - self.center).abs())
        nearest = self.center.clamp(low, high) - self.center
        inside = farthest.square().sum(dim=-1) <= self.radius**2
        outside = nearest.square().sum(dim=-1) > self.radius**2
        return verdicts(inside, outside)

    def distance(self, points: Tensor) -> Tensor:
        """Return the exact distance."""
        return ((points - self.center).norm(dim=-1) - self.radius).clamp(min=0)

    def description(self) -> dict[str, Any]:
        """Return the region as edits.json has it."""
        return {"sphere": {"center": self.exact_center.tolist(), "radius": self.radius}}


class GridRegion(Region):
    """The filled cells of a grid over a box.

    A grid knows nothing outside its box: an edit by a grid leaves the rest of the field as it is,
    also when it keeps.

    Parameters
    ----------
    filled : (X, Y, Z) bool array
        Which cells belong to the region.
    box : (2, 3) array
        Minimum and maximum corner of the grid, dataset frame.
    source : str
        Name of the file the grid came from.
    """

    kind = "grid"
    filled: Tensor
    box: Tensor
    table: Tensor
    size: Tensor

    def __init__(self, filled: np.ndarray, box: np.ndarray, source: str) -> None:
        super().__init__()
        box = np.asarray(box, np.float64)
        if box.shape != (2, 3):
            raise InvalidRegionError('"box" of the grid must have the shape (2, 3)')
        require_finite("box", box)
        if not (box[0] < box[1]).all():
            raise InvalidRegionError('"box" of the grid must grow on every axis')
        if filled.ndim != 3 or filled.size == 0:
            raise InvalidRegionError('"density" of the grid must have three axes with cells')
        self.exact_box = box
        self.source = source
        self.register_buffer("filled", torch.from_numpy(np.ascontiguousarray(filled, np.bool_)))
        self.register_buffer("box", torch.tensor(box, dtype=torch.float32))
        self.register_buffer("table", summed_volume(self.filled))
        self.register_buffer("size", torch.tensor(self.filled.shape))

    @property
    def bounds(self) -> Tensor:  # type: ignore[override]
        """The grid's box."""
        return self.box

    def cells(self, points: Tensor) -> Tensor:
        """Return the cell (N, 3) int64 of each point (N, 3), not limited to the grid."""
        return ((points - self.box[0]) / (self.box[1] - self.box[0]) * self.size).floor().long()

    def contains(self, points: Tensor) -> Tensor:
        """Return whether points (N, 3) are in filled cells; outside the grid's box none is."""
        x, y, z = self.cells(points).clamp(min=0).minimum(self.size - 1).unbind(dim=1)
        return self.decides(points) & self.filled[x, y, z]

    def decides(self, points: Tensor) -> Tensor:
        """Return whether points (N, 3) are within the grid's box."""
        return ((points >= self.box[0]) & (points <= self.box[1])).all(dim=-1)

    def decides_cells(self, low: Tensor, high: Tensor) -> Tensor:
        """Return whether cells (M, 3), (M, 3) are wholly within the grid's box."""
        return ((low >= self.box[0]) & (high <= self.box[1])).all(dim=-1)

    def classify(self, low: Tensor, high: Tensor) -> Tensor:
        """Classify cells by the filled cells that each touches; exact up to rounding."""
        first = self.cells(low).clamp(min=0).minimum(self.size)
        last = (self.cells(high) + 1).clamp(min=0).minimum(self.size)
        count = count_in_blocks(self.table, first, last)
        full = count == (last - first).clamp(min=0).prod(dim=-1)
        inside = full & (count > 0) & self.decides_cells(low, high)
        return verdicts(inside, count == 0)

    def packed(self) -> np.ndarray:
        """Return the filled cells as bits, in C order: (ceil(X Y Z / 8),) uint8."""
        return np.packbits(self.filled.cpu().numpy().reshape(-1))

    def description(self) -> dict[str, Any]:
        """Return source, shape, box and a hash of the cells."""
        return {
            "grid": {
                "source": self.source,
                "shape": list(self.filled.shape),
                "box": self.exact_box.tolist(),
                "filled": int(self.table[-1, -1, -1]),
                "sha256": hashlib.sha256(self.packed().tobytes()).hexdigest(),
            }
        }

    def tensors(self) -> dict[str, Tensor]:
        """Return the cells, eight to a byte."""
        return {"filled": torch.from_numpy(self.packed())}
