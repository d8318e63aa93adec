"""Small networks of points, all layers in one kernel: features of encoded points, and colour.

Linear layers without bias and ReLU between them, as Instant-NGP's density and colour networks
(Müller et al. 2022, section 5.4). The kernels are for processors with AVX-512, where they take
less time than torch's layers, which write every activation to memory; elsewhere `fused` says that
they do not run.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from .declare import Kernel
from .launch import has_bf16, thread_count, use_warp
from .memory import POOL

CHUNK = 512
"""Points of a work item, at least."""

PARTS_PER_THREAD = 4
"""Work items of each of the processor's threads, where there are points enough."""


def numbers() -> str:
    """Return the kind of numbers that the processor multiplies fastest in these kernels.

    Intel's processors that have bf16 multiply it fast in tiles only (AMX), and their dot products
    of bf16 run at half of the speed of float32.
    """
    return "bf16" if has_bf16("cpu") and not torch.cpu._is_amx_tile_supported() else "float32"


def fused(device: torch.device, weights: Sequence[Tensor]) -> bool:
    """Return whether the kernels run layers with these weights (outputs, inputs) on a device."""
    wide = device.type == "cpu" and torch.backends.cpu.get_cpu_capability() == "AVX512"
    if not wide or not use_warp(device):
        return False
    from .sources.networks import MOST_HIDDEN, MOST_INPUTS, MOST_OUTPUTS

    hidden = {len(weight) for weight in weights[:-1]}
    chained = all(len(a) == b.shape[1] for a, b in pairwise(weights))
    fit = weights[0].shape[1] <= MOST_INPUTS and len(weights[-1]) <= MOST_OUTPUTS
    return chained and fit and len(hidden) == 1 and max(hidden) <= MOST_HIDDEN


def encoded_network(encoded: Tensor, weights: Sequence[Tensor]) -> Tensor:
    """Run a network of one hidden layer on encoded points; differentiable in all arguments.

    Parameters
    ----------
    encoded : (F, N) float32
        Feature by feature.
    weights : sequence of two tensors (outputs, inputs) float32
        For which `fused` is true.

    Returns
    -------
    (N, outputs) float32
    """
    return _EncodedNetwork.apply(encoded, *weights)


def shaded_network(directions: Tensor, features: Tensor, weights: Sequence[Tensor]) -> Tensor:
    """Run a network of two hidden layers on harmonics of directions and features of points.

    Its inputs are the 16 spherical harmonics up to degree 3, as in `kernels.harmonics`, and all
    features but the first, the log-density. Differentiable in features and weights.

    Parameters
    ----------
    directions : (N, 3) float32
        Unit vectors.
    features : (N, F) float32
    weights : sequence of three tensors (outputs, inputs) float32
        For which `fused` is true.

    Returns
    -------
    (N, outputs) float32
    """
    return _ShadedNetwork.apply(directions, features, *weights)


class _EncodedNetwork(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, encoded: Tensor, *weights: Tensor) -> Tensor:
        from .sources.networks import ENCODED_FORWARD

        encoded = encoded.detach().contiguous()
        ctx.save_for_backward(encoded, *weights)
        return _output(ENCODED_FORWARD[numbers()], weights, encoded.shape[1], encoded=encoded)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, ...]:
        from .sources.networks import ENCODED_BACKWARD

        encoded, *weights = ctx.saved_tensors
        of_encoded = POOL.empty(tuple(encoded.shape), encoded.device)
        given = {"encoded": encoded, "of_encoded": of_encoded}
        of_weights = _gradients(ENCODED_BACKWARD[numbers()], weights, gradients[0], **given)
        return of_encoded, *of_weights


class _ShadedNetwork(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, directions: Tensor, features: Tensor, *weights: Tensor) -> Tensor:
        from .sources.networks import SHADED_FORWARD

        directions, features = directions.contiguous(), features.detach().contiguous()
        ctx.save_for_backward(directions, features, *weights)
        given = {"directions": directions, "shaded": features}
        return _output(SHADED_FORWARD[numbers()], weights, len(features), **given)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        from .sources.networks import SHADED_BACKWARD

        directions, features, *weights = ctx.saved_tensors
        of_features = POOL.empty(tuple(features.shape), features.device)
        given = {"directions": directions, "shaded": features, "of_shaded": of_features}
        of_weights = _gradients(SHADED_BACKWARD[numbers()], weights, gradients[0], **given)
        return None, of_features, *of_weights


def _launch(kernel: Kernel, weights: Tensor, hidden: int, count: int, **arrays: Tensor) -> None:
    """Run a kernel over points; `weights` are those of all layers, one after the other."""
    chunk, chunks = _chunks(count)
    parts = [(i, i + 1) for i in range(chunks)]
    kernel.launch(chunks, parts, chunk=chunk, hidden=hidden, weights=weights, **arrays)


def _output(kernel: Kernel, weights: Sequence[Tensor], count: int, **arrays: Tensor) -> Tensor:
    """Run a forward kernel; return its output."""
    output = weights[0].new_empty((count, len(weights[-1])))
    _launch(kernel, _flat(weights), len(weights[0]), count, output=output, **arrays)
    return output


def _gradients(
    kernel: Kernel, weights: Sequence[Tensor], of_output: Tensor, **arrays: Tensor
) -> list[Tensor]:
    """Run a backward kernel; return the gradients of the weights."""
    flat, count = _flat(weights), len(of_output)
    of_weights = flat.new_empty((_chunks(count)[1], len(flat)))
    given = {"of_output": of_output.contiguous(), "of_weights": of_weights, **arrays}
    _launch(kernel, flat, len(weights[0]), count, **given)
    parts = of_weights.sum(0).split([weight.numel() for weight in weights])
    return [part.view_as(weight) for part, weight in zip(parts, weights, strict=True)]


def _flat(weights: Sequence[Tensor]) -> Tensor:
    return torch.cat([weight.detach().view(-1) for weight in weights])


def _chunks(count: int) -> tuple[int, int]:
    """Return the points of a work item, and the number of work items."""
    from .sources.networks import BLOCK

    chunk = max(-(-count // (thread_count() * PARTS_PER_THREAD)), CHUNK)
    chunk = -(-chunk // BLOCK) * BLOCK
    return chunk, -(-count // chunk)
