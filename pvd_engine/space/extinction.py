"""The extinction in the occupied cells of a grid, in one byte a cell.

Code k above 0 stands for 2^((k - 128) / 8) per unit of length of the cube, in steps of 9 %; code 0
for an empty cell.
"""

import math
import time
from collections.abc import Callable

import torch
from torch import Tensor

from ..jobs.device import processor
from ..kernels.transfer import upload
from ..kernels.workload import POINTS, in_portions
from .occupancy import TIMED_CELL_WEIGHT, OccupancyGrid

PER_DOUBLING, UNIT_CODE, CODES = 8, 128, 256

LOG_MOST = (CODES - UNIT_CODE) / PER_DOUBLING * math.log(2)
"""Logarithm of an extinction above all codes."""

LEAST = 1e-30
"""Share of light that counts as none."""

SAMPLES = 8
"""Points of a cell at which its extinction is found."""


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
def extinction_codes(
    log_density: Callable[[Tensor], Tensor],
    occupancy: OccupancyGrid,
    deadline: float = math.inf,
) -> Tensor:
    """Return the code of the extinction that takes as much light as each occupied cell does.

    That is the light that is left on a way as long as a cell is wide, averaged over points in it:
    a cell of which a part is opaque lets the rays pass that miss this part.

    Parameters
    ----------
    log_density : callable
        A function (N, 3) points, dataset frame -> (N,) log extinction per dataset unit.
    occupancy : OccupancyGrid
    deadline : float
        Value of the monotonic clock at which to stop. Cells, in a random order, that the time does
        not suffice for have the mean of the others.

    Returns
    -------
    (N,) uint8
        For the occupied cells, in their order; none is 0.
    """
    cells = occupancy.occupied_cells()
    device, count = cells.device, len(cells)
    generator = torch.Generator().manual_seed(0)
    order = upload(torch.randperm(count, generator=generator), device)
    left = torch.zeros(count, device=device)
    samples = torch.zeros(count, device=device)
    sobol = torch.quasirandom.SobolEngine(3, scramble=True, seed=0)
    width = 2 / occupancy.resolution
    weight = 1 if deadline == math.inf else TIMED_CELL_WEIGHT[processor(device.type)]
    for offset in upload(sobol.draw(SAMPLES), device):

        def sample(part: slice, offset: Tensor = offset) -> bool:
            if time.monotonic() > deadline:
                return False
            some = order[part]
            points = occupancy.points_in_cells(cells[some], offset.expand(len(some), 3))
            log_extinction = log_density(points) + occupancy.space.log_unit(points)
            left[some] += torch.exp(-width * log_extinction.clamp(max=LOG_MOST).exp())
            samples[some] += 1
            return True

        if not all(in_portions(device, POINTS, count, sample, weight)):
            break
    mean = left.sum() / samples.sum().clamp(min=1)
    share = torch.where(samples > 0, left / samples.clamp(min=1), mean)
    return codes_of(-share.clamp(min=LEAST).log() / width)
