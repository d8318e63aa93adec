"""The extinction in the occupied cells of a grid, in one byte a cell.

Code k above 0 stands for 2^((k - 128) / 8) per unit of length of the cube, in steps of 9 %; code 0
for an empty cell.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from ..kernels.transfer import upload
from ..kernels.workload import POINTS, concatenated
from .occupancy import OccupancyGrid

PER_DOUBLING, UNIT_CODE, CODES = 8, 128, 256

SAMPLES = 4
"""Points of a cell whose extinctions are averaged."""


def extinctions(device: torch.device) -> Tensor:
    """Return the extinction of each code, (256,) float32, per unit of length of the cube."""
    values = torch.exp2((torch.arange(CODES, device=device) - UNIT_CODE) / PER_DOUBLING)
    values[0] = 0
    return values


def codes_of(values: Tensor) -> Tensor:
    """Return the nearest codes (N,) uint8, above 0, of extinctions (N,) float32."""
    codes = (values.clamp(min=2.0**-30).log2() * PER_DOUBLING).round() + UNIT_CODE
    return codes.clamp(1, CODES - 1).to(torch.uint8)


@torch.no_grad()
def extinction_codes(log_density: Callable[[Tensor], Tensor], occupancy: OccupancyGrid) -> Tensor:
    """Return the code of the mean extinction in each occupied cell.

    Parameters
    ----------
    log_density : callable
        A function (N, 3) points, dataset frame -> (N,) log extinction per dataset unit.
    occupancy : OccupancyGrid

    Returns
    -------
    (N,) uint8
        For the occupied cells, in their order; none is 0.
    """
    cells = occupancy.occupied_cells()
    sobol = torch.quasirandom.SobolEngine(3, scramble=True, seed=0)
    offsets = upload(sobol.draw(SAMPLES), cells.device)
    highest = (CODES - UNIT_CODE) / PER_DOUBLING * math.log(2)

    def mean(part: slice) -> Tensor:
        total = torch.zeros(len(cells[part]), device=cells.device)
        for offset in offsets:
            points = occupancy.points_in_cells(cells[part], offset.expand(len(total), 3))
            log_extinction = log_density(points) + occupancy.space.log_unit(points)
            total += log_extinction.clamp(max=highest).exp()
        return total / SAMPLES

    return codes_of(concatenated(cells.device, POINTS, len(cells), mean))
