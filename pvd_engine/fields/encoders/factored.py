"""The common part of TensoRF's two decompositions: a box that shrinks, resolutions that grow.

Chen et al., "TensoRF: tensorial radiance fields", 2022, sections 4 and 5.
"""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from ...kernels.factors import Size, plane_rows
from .base import ParameterGroup
from .coarse_to_fine import CoarseToFineEncoder

START_LOG_DENSITY = -3.0
"""Log-density of a new field, per unit of the cube: thin fog, to which the factors add."""

OUTSIDE_LOG_DENSITY = -10.0
"""Log-density outside the box to which the factors have shrunk, per unit of the cube."""

STAGES = ((0.1, 2.0), (0.2, 1.5), (0.35, 1.0))
"""Stages from coarse to fine: fraction of the budget at the start, divisor of the resolution."""

COARSEST = 3.0
"""Divisor of the target resolution at the start of training."""

LATTICE = 128
"""Points along each axis at which the occupancy is sampled when the box shrinks."""


class FactoredEncoder(CoarseToFineEncoder):
    """Tables of factors over a box of the cube, and a linear map from products to features.

    At each of `STAGES` the box shrinks to what is occupied and the factors are resampled finer.

    Parameters
    ----------
    width : int
        Output features.
    resolution : int
        Vertices along each axis of a cube when fully refined; another box gets as many in all.

    Attributes
    ----------
    box : (2, 3) float32
        Corners, in the cube.
    size : (int, int, int)
        Vertices along x, y and z.
    resolution : int
        Vertices along each axis of a cube of as many vertices, now.
    """

    box: Tensor
    size: Size
    stages = STAGES
    start_log_density = START_LOG_DENSITY
    projection = "fit"

    def __init__(self, width: int, resolution: int) -> None:
        super().__init__()
        self.width = width
        self.target_resolution = resolution
        self.resolution = coarse = max(round(resolution / COARSEST), 2)
        self.size = (coarse, coarse, coarse)
        self.register_buffer("box", torch.tensor([[-1.0] * 3, [1.0] * 3], device="cpu"))

    def stored_sizes(self) -> dict[str, int | list[int]]:
        """Return the vertices along x, y and z, and along each axis of a cube of as many."""
        return {"grid": list(self.size), "reached": self.resolution}

    def take_sizes(self, sizes: Mapping[str, Any]) -> None:
        """Take what `stored_sizes` returned."""
        x, y, z = sizes["grid"]
        self.size, self.resolution = (x, y, z), sizes["reached"]

    def tables(self) -> dict[str, nn.Parameter]:
        """Return the tables of factors by name."""
        raise NotImplementedError

    def resampled(self, name: str, along: list[Tensor]) -> Tensor:
        """Return a table's values at other vertices.

        Parameters
        ----------
        name : str
        along : list of (new, old) tensors
            For x, y and z: the weights of the old vertices for each new one.
        """
        raise NotImplementedError

    def to_box(self, points: Tensor) -> Tensor:
        """Return points (N, 3) of the cube as fractions of the box."""
        return (points - self.box[0]) / (self.box[1] - self.box[0])

    def total(self, products: Tensor, points01: Tensor) -> Tensor:
        """Return the log-density (N,): a sum of products (N, R) in the box, a constant outside."""
        # As a product with ones, because a sum over so short an axis is several times slower.
        log_density = products @ torch.ones(products.shape[1], device=products.device)
        beyond = (points01 - points01.clamp(0, 1)).abs() @ torch.ones(3, device=points01.device)
        outside = beyond > 1e-4
        return torch.where(outside, OUTSIDE_LOG_DENSITY, log_density + START_LOG_DENSITY)

    def parameter_groups(self) -> list[ParameterGroup]:
        """Return the tables at TensoRF's rate, with untouched rows skipped, and the network."""
        tables = ParameterGroup(list(self.tables().values()), 2e-2, "adam_rows")
        return [tables, *self.network_groups(*self.children())]

    def begin_projection(
        self, target: Callable[[Tensor], Tensor], occupied: Callable[[Tensor], Tensor]
    ) -> None:
        """Go to full resolution."""
        self.resample(self.target_resolution, occupied)

    @torch.no_grad()
    def resample(self, resolution: int, occupied: Callable[[Tensor], Tensor]) -> None:
        """Give the factors another resolution, over the box of what is occupied.

        Parameters
        ----------
        resolution : int
            Vertices along each axis of a cube; the box gets as many in all.
        occupied : callable
            (N, 3) points of the cube -> (N,) bool.
        """
        box = occupied_box(occupied, self.box)
        extent = box[1] - box[0]
        spacing = float(extent.prod() / resolution**3) ** (1 / 3)
        x, y, z = (max(round(e / spacing), 2) for e in extent.tolist())
        along = []
        for axis, (old, new) in enumerate(zip(self.size, (x, y, z), strict=True)):
            positions = torch.linspace(0, 1, new, device=box.device) * extent[axis]
            fractions = (positions + box[0, axis] - self.box[0, axis]) / (
                self.box[1, axis] - self.box[0, axis]
            )
            along.append(interpolation_weights(fractions * (old - 1), old))
        tables = {name: self.resampled(name, along) for name in self.tables()}
        for name, values in tables.items():
            setattr(self, name, nn.Parameter(values.contiguous()))
        self.box.copy_(box)
        self.size, self.resolution = (x, y, z), resolution

    def _load_from_state_dict(
        self, state_dict: dict[str, Any], prefix: str, *args: Any, **kwargs: Any
    ) -> None:
        """Take the stored tables whatever their resolution.

        Raises
        ------
        ValueError
            The tables have other sizes than the stored grid, or its box is not in the cube.
        """
        x, y, z = state_dict[prefix + "grid"].tolist()
        low, high = state_dict[prefix + "box"]
        beyond = torch.stack((low, high)).abs().amax() > 1 + 1e-3
        if beyond or not (low < high).all():
            raise ValueError("the box of the factors is not in the cube")
        for name, own in self.tables().items():
            stored = state_dict[prefix + name]
            rows = sum(plane_rows((x, y, z))) if name.endswith("planes") else x + y + z
            if stored.shape != (rows, own.shape[1]):
                raise ValueError(f"{name} has another size than its grid")
            setattr(self, name, nn.Parameter(torch.empty_like(stored, device=own.device)))
        super()._load_from_state_dict(state_dict, prefix, *args, **kwargs)


def scaled_factors(sizes: Mapping[str, Any], fraction: float) -> dict[str, Any]:
    """Return factors that are coarser and of lower rank alike."""
    return {
        "resolution": max(round(sizes["resolution"] * fraction ** (1 / 3)), 8),
        "density_rank": max(round(sizes["density_rank"] * fraction ** (1 / 3)), 1),
        "color_rank": max(round(sizes["color_rank"] * fraction ** (1 / 3)), 1),
    }


def occupied_box(occupied: Callable[[Tensor], Tensor], box: Tensor) -> Tensor:
    """Return the part (2, 3) of a box (2, 3) that holds all occupied points, and a cell around."""
    axis = (torch.arange(LATTICE, device=box.device) + 0.5) / LATTICE
    used = torch.zeros((LATTICE,) * 3, dtype=torch.bool, device=box.device)
    for index, fraction in enumerate(axis):
        y, z = torch.meshgrid(axis, axis, indexing="ij")
        plane = torch.stack((fraction.expand_as(y), y, z), dim=-1).view(-1, 3)
        used[index] = occupied(box[0] + plane * (box[1] - box[0])).view(LATTICE, LATTICE)
    if not used.any():
        return box.clone()
    found = used.nonzero()
    low = (found.amin(dim=0) - 1).clamp(min=0) / LATTICE
    high = (found.amax(dim=0) + 2).clamp(max=LATTICE) / LATTICE
    return box[0] + torch.stack((low, high)) * (box[1] - box[0])


def interpolation_weights(positions: Tensor, count: int) -> Tensor:
    """Return the weights of vertices 0 .. count - 1 at positions: (len(positions), count)."""
    vertices = torch.arange(count, device=positions.device)
    return (1 - (positions.clamp(0, count - 1)[:, None] - vertices).abs()).clamp(min=0)
