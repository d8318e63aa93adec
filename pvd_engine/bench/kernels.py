"""Measurement of every fast kernel against its plain-torch reference, turn by turn."""

import math
import statistics
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor

from ..errors import UserError
from ..kernels import (
    adam,
    compositing,
    factors,
    hash_grid,
    launch,
    marching,
    sparse_grid,
)
from . import nerfstudio_hash
from .contest import Contest, random_values
from .machine import machine
from .splat_contests import colors_of_splats, mixture_of_splats, picture_of_splats
from .timing import seconds

ROUNDS = 3
"""Turns of each contest; the fast side runs `FAST_RUNS` times in a turn."""

FAST_RUNS = 5

LEVELS, FEATURES, LOG2_ENTRIES, COARSEST, FINEST = 16, 2, 19, 16, 2048


def run(
    points: int = 131072, seed: int = 0, progress: Callable[[float], None] | None = None
) -> dict[str, Any]:
    """Measure all kernels on the processor, or on the GPU where there is one.

    Parameters
    ----------
    points : int
        Points of the encodings; rays and points of splats are a sixteenth of them, splats a sixth.
    seed : int
        Seed of the input.
    progress : callable, optional
        Called with the fraction that is done after each kernel; may raise to stop.

    Returns
    -------
    dict
        What `machine` gives, points, seed, and "kernels": a list of name, rival, unit, the rates of
        both sides in units per second, and their ratio. JSON-able.

    Raises
    ------
    UserError
        If Warp is missing, or there are no points.
    """
    if points < 16:
        raise UserError("The kernel benchmark needs at least 16 points; give more.")
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if not launch.warp_available():
        raise UserError(
            "Warp is not installed, so there are no fast kernels to measure; install warp-lang."
        )
    generator = torch.Generator().manual_seed(seed)
    measured = []
    contests = (
        _hash_forward,
        _hash_training,
        _hash_reference,
        _sparse,
        _planes,
        _lines,
        _march,
        _composite,
        _adam,
        picture_of_splats,
        colors_of_splats,
        mixture_of_splats,
    )
    for make in contests:
        measured.append(_measure(make(points, generator, device), device))
        if progress is not None:
            progress(len(measured) / len(contests))
    return {
        **machine(device),
        "points": points,
        "seed": seed,
        "kernels": measured,
    }


def format_table(result: dict[str, Any]) -> str:
    """Return the result of `run` as lines of text: millions of units per second, and the ratio."""
    head = f"{result['name']}, {result['threads']} threads, {result['points']} points"
    return "\n".join([head, *format_rows(result["kernels"])])


def format_rows(contests: Sequence[dict[str, Any]]) -> list[str]:
    """Return the contests of `run` as lines of text."""
    lines = [f"{'kernel':<34}{'fast':>9}{'other':>9}{'ratio':>8}  unit, other"]
    for row in contests:
        fast, other = row["fast_per_second"] / 1e6, row["other_per_second"] / 1e6
        lines.append(
            f"{row['name']:<34}{fast:>9.3f}{other:>9.3f}{row['ratio']:>7.1f}x"
            f"  M {row['unit']}/s, {row['rival']}"
        )
    return lines


def _measure(contest: Contest, device: torch.device) -> dict[str, Any]:
    """Return the median times of both sides, alternating, after one call of each to warm up."""
    seconds(contest.fast, device)
    seconds(contest.slow, device)
    fast, slow = [], []
    for _ in range(ROUNDS):
        fast += [seconds(contest.fast, device) for _ in range(FAST_RUNS)]
        slow.append(seconds(contest.slow, device))
    fast_seconds, slow_seconds = statistics.median(fast), statistics.median(slow)
    return {
        "name": contest.name,
        "rival": contest.rival,
        "unit": contest.unit,
        "count": contest.count,
        "fast_per_second": contest.count / fast_seconds,
        "other_per_second": contest.count / slow_seconds,
        "ratio": slow_seconds / fast_seconds,
    }


def _gradient(encode: Callable[[], Tensor], parameter: Tensor, seed: Tensor) -> None:
    """One forward and backward pass; the gradient lives no longer than a step's would."""
    parameter.grad = None
    encode().backward(seed)
    parameter.grad = None


def _layout() -> hash_grid.HashGridLayout:
    growth = math.exp(math.log(FINEST / COARSEST) / (LEVELS - 1))
    return hash_grid.HashGridLayout(LEVELS, FEATURES, LOG2_ENTRIES, COARSEST, growth)


def _hash_input(
    points: int, generator: torch.Generator, device: torch.device
) -> tuple[Tensor, Tensor, Tensor]:
    """Return points, a table of this engine's layout, and the gradient of the encoding."""
    return (
        random_values((points, 3), generator, device),
        random_values((_layout().rows, FEATURES), generator, device).requires_grad_(),
        random_values((points, LEVELS * FEATURES), generator, device),
    )


def _nerfstudio_input(generator: torch.Generator, device: torch.device) -> tuple[Tensor, Tensor]:
    """Return table and scalings of nerfstudio's layout, in which all levels are full."""
    rows = LEVELS << LOG2_ENTRIES
    scales = nerfstudio_hash.scalings(LEVELS, COARSEST, FINEST).to(device)
    return random_values((rows, FEATURES), generator, device).requires_grad_(), scales


def _hash_forward(points: int, generator: torch.Generator, device: torch.device) -> Contest:
    at, table, _ = _hash_input(points, generator, device)
    other, scales = _nerfstudio_input(generator, device)
    return Contest(
        "hash encoding, forward",
        "nerfstudio's torch operations",
        "points",
        points,
        partial(hash_grid.hash_encode_warp, at, table.detach(), _layout()),
        partial(nerfstudio_hash.encode, at, other.detach(), scales),
    )


def _hash_training(points: int, generator: torch.Generator, device: torch.device) -> Contest:
    at, table, back = _hash_input(points, generator, device)
    other, scales = _nerfstudio_input(generator, device)
    return Contest(
        "hash encoding, forward + backward",
        "nerfstudio's torch operations",
        "points",
        points,
        lambda: _gradient(lambda: hash_grid.hash_encode_warp(at, table, _layout()), table, back),
        lambda: _gradient(lambda: nerfstudio_hash.encode(at, other, scales), other, back),
    )


def _hash_reference(points: int, generator: torch.Generator, device: torch.device) -> Contest:
    at, table, back = _hash_input(points, generator, device)
    layout = _layout()
    return Contest(
        "hash encoding, forward + backward",
        "our torch reference",
        "points",
        points,
        lambda: _gradient(lambda: hash_grid.hash_encode_warp(at, table, layout), table, back),
        lambda: _gradient(lambda: hash_grid.hash_encode_reference(at, table, layout), table, back),
    )


def _sparse(points: int, generator: torch.Generator, device: torch.device) -> Contest:
    """Return the contest of a sparse grid: 128 vertices an axis, a tenth in use, 28 channels."""
    size, channels = 128, 28
    vertices = torch.arange(size**3).view(size, size, size)
    used = vertices[: size // 2, : size // 2, : size // 2 - 10].reshape(-1)
    links = torch.full((size**3,), -1, dtype=torch.int32)
    links[used] = torch.arange(len(used), dtype=torch.int32)
    links = links.view(size, size, size).to(device)
    values = random_values((len(used), channels), generator, device).requires_grad_()
    empty = torch.zeros(channels, device=device)
    at = random_values((points, 3), generator, device) * 0.5
    back = random_values((points, channels), generator, device)

    def call(sample: Callable[..., Tensor]) -> Callable[[], None]:
        return lambda: _gradient(lambda: sample(at, links, values, empty), values, back)

    return Contest(
        "sparse grid, forward + backward",
        "our torch reference",
        "points",
        points,
        call(sparse_grid.sparse_sample_warp),
        call(sparse_grid.sparse_sample_reference),
    )


def _planes(points: int, generator: torch.Generator, device: torch.device) -> Contest:
    """Return the contest of TensoRF's planes and lines, 24 channels at 128 vertices an axis."""
    size = (128, 128, 128)
    tables = [
        torch.randn((rows, 24), generator=generator).to(device).requires_grad_()
        for rows in (sum(factors.plane_rows(size)), sum(size))
    ]
    return _factors("planes and lines", points, generator, device, size, tables, 3 * 24)


def _lines(points: int, generator: torch.Generator, device: torch.device) -> Contest:
    """Return the contest of CP's products of lines, 96 channels at 256 vertices an axis."""
    size = (256, 256, 256)
    table = torch.randn((sum(size), 96), generator=generator).to(device).requires_grad_()
    return _factors("lines", points, generator, device, size, [table], 96)


def _factors(
    name: str,
    points: int,
    generator: torch.Generator,
    device: torch.device,
    size: factors.Size,
    tables: list[Tensor],
    width: int,
) -> Contest:
    at = torch.rand((points, 3), generator=generator).to(device)
    back = torch.randn((points, width), generator=generator).to(device)
    planes = len(tables) == 2
    fast = factors.plane_products_warp if planes else factors.line_products_warp
    slow = factors.plane_products_reference if planes else factors.line_products_reference

    def call(products: Callable[..., Tensor]) -> Callable[[], Any]:
        return lambda: torch.autograd.grad(products(at, *tables, size), tables, back)

    return Contest(
        f"{name}, forward + backward",
        "our torch reference",
        "points",
        points,
        call(fast),
        call(slow),
    )


def _rays(
    points: int, generator: torch.Generator, device: torch.device
) -> tuple[Tensor, Tensor, Tensor, Tensor, float, Tensor]:
    """Return rays from all around into a box of 128 cells an axis with a hollow sphere."""
    size, rays = 128, points // 16
    axis = (torch.arange(size) + 0.5) / size * 2 - 1
    radius = torch.stack(torch.meshgrid(axis, axis, axis, indexing="ij")).norm(dim=0)
    occupancy = ((radius > 0.4) & (radius < 0.55)).to(torch.uint8)
    origins = torch.nn.functional.normalize(torch.randn((rays, 3), generator=generator), dim=-1) * 4
    targets = torch.rand((rays, 3), generator=generator) - 0.5
    directions = torch.nn.functional.normalize(targets - origins, dim=-1)
    box = torch.tensor([[-1.0] * 3, [1.0] * 3])
    jitter = torch.rand(rays, generator=generator)
    tensors = (x.to(device) for x in (origins, directions, occupancy, box, jitter))
    origins, directions, occupancy, box, jitter = tensors
    return origins, directions, occupancy, box, 2 * math.sqrt(3) / 1024, jitter


def _march(points: int, generator: torch.Generator, device: torch.device) -> Contest:
    arguments = _rays(points, generator, device)
    return Contest(
        "ray marching",
        "our torch reference",
        "rays",
        len(arguments[0]),
        partial(marching.march_rays_warp, *arguments),
        partial(marching.march_rays_reference, *arguments),
    )


def _composite(points: int, generator: torch.Generator, device: torch.device) -> Contest:
    samples = marching.march_rays_warp(*_rays(points, generator, device))
    count = len(samples)
    log_density = (random_values((count,), generator, device) * 4).requires_grad_()
    color = random_values((count, 3), generator, device).requires_grad_()
    back = random_values((samples.rays, 3), generator, device)

    def call(composite: Callable[..., compositing.Composited]) -> Callable[[], None]:
        def once() -> None:
            result = composite(log_density, color, samples, 0.004)
            torch.autograd.grad(result.color, (log_density, color), back)

        return once

    return Contest(
        "compositing, forward + backward",
        "our torch reference",
        "samples",
        count,
        call(compositing.composite_warp),
        call(compositing.composite_reference),
    )


def _adam(points: int, generator: torch.Generator, device: torch.device) -> Contest:
    """Return the contest of the hash table's optimiser step with one batch's gradient."""
    at, table, back = _hash_input(points, generator, device)
    hash_grid.hash_encode_warp(at, table, _layout()).backward(back)
    gradient = table.grad
    assert gradient is not None
    tensors = (table.detach(), gradient, torch.zeros_like(gradient), torch.zeros_like(gradient))
    settings = (1e-2, (0.9, 0.99), 1e-15, 1)
    return Contest(
        "Adam step of the hash table",
        "our torch reference",
        "rows",
        len(gradient),
        partial(adam.adam_step_sparse_warp, *tensors, *settings),
        partial(adam.adam_step_sparse_reference, *tensors, *settings),
    )
