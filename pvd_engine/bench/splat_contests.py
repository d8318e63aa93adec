"""Contests of the kernels of Gaussian splats with their references."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from ..kernels import gaussian_mixture, harmonics, splat_reference, splat_rules, splats
from ..kernels.gaussian_records import CellLists
from .contest import Contest, random_values


def picture_of_splats(points: int, generator: torch.Generator, device: torch.device) -> Contest:
    """Return the contest of a picture of 200 x 200 px, of splats on a ball in its middle."""
    count, size = points // 6, 200
    turns = torch.randn((count, 4), generator=generator).to(device)
    around = torch.nn.functional.normalize(torch.randn((count, 3), generator=generator), dim=-1)
    sizes = 0.014 * torch.exp(0.4 * torch.randn((count, 3), generator=generator)).to(device)
    opacities = 0.2 + 0.75 * random_values((count,), generator, device)
    colors = random_values((count, 3), generator, device)
    cloud = [around.to(device), sizes, turns, opacities, colors]
    cloud = [values.requires_grad_() for values in cloud]
    away = torch.cat((torch.eye(3), torch.tensor([[0.0], [0.0], [4.0]])), dim=1)
    camera = splat_rules.SplatCamera(away, 1.4 * size, 1.4 * size, size / 2, size / 2, size, size)
    back = random_values((size, size, splat_rules.CHANNELS), generator, device)

    def call(draw: Callable[..., Tensor]) -> Callable[[], Any]:
        return lambda: torch.autograd.grad(draw(*cloud, camera, splat_rules.INRIA), cloud, back)

    return Contest(
        "picture of splats, forward + backward",
        "our torch reference",
        "splats",
        count,
        call(splats.splat_warp),
        call(splat_reference.splat_reference),
    )


def colors_of_splats(points: int, generator: torch.Generator, device: torch.device) -> Contest:
    """Return the contest of the colours of splats by 16 harmonics."""
    count = points // 6
    coefficients = torch.randn((count, 16, 3), generator=generator).to(device).requires_grad_()
    centers = torch.randn((count, 3), generator=generator).to(device).requires_grad_()
    eye, back = torch.zeros(3, device=device), random_values((count, 3), generator, device)
    given = (coefficients, centers)

    def call(colors: Callable[..., Tensor]) -> Callable[[], Any]:
        return lambda: torch.autograd.grad(colors(*given, eye), given, back)

    return Contest(
        "colours of splats, forward + backward",
        "our torch reference",
        "splats",
        count,
        call(harmonics.sh_colors_warp),
        call(harmonics.sh_colors_reference),
    )


def mixture_of_splats(points: int, generator: torch.Generator, device: torch.device) -> Contest:
    """Return the contest of density and colour at a sixteenth of the points.

    Each looks through 32 splats, of which some reach it.
    """
    count, cells, listed = points // 16, 1 << 10, 32
    members = (torch.arange(listed) + listed * torch.arange(cells)[:, None]).int().view(-1)
    lists = CellLists(torch.arange(cells + 1).int().to(device) * listed, members.to(device))
    shape = (torch.eye(3).reshape(1, 9) * 4).expand(len(members), 9).to(device)
    around = random_values((len(members), 3), generator, device)
    density = random_values((len(members), 1), generator, device)
    records = torch.cat((around, shape, density), dim=1).requires_grad_()
    coefficients = torch.randn((len(members), 16, 3), generator=generator).to(device)
    coefficients.requires_grad_()
    at = random_values((count, 3), generator, device)
    cell = torch.randint(cells, (count,), generator=generator).int().to(device)
    basis, back = (random_values((count, n), generator, device) for n in (16, 4))

    def call(sums: Callable[..., Tensor]) -> Callable[[], Any]:
        tables = (records, coefficients)
        return lambda: torch.autograd.grad(sums(at, cell, basis, lists, *tables), tables, back)

    return Contest(
        "density of splats, forward + backward",
        "our torch reference",
        "points",
        count,
        call(gaussian_mixture.gaussian_mixture_warp),
        call(gaussian_mixture.gaussian_mixture_reference),
    )
