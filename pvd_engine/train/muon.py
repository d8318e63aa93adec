"""Muon: momentum whose update of each matrix is made orthogonal.

Jordan et al., "Muon: An optimizer for hidden layers in neural networks", 2024, with the step size
of Liu et al., "Muon is scalable for LLM training", 2025, section 2.2. `torch.optim.Muon`
always multiplies in bf16, which a processor without bf16 instructions emulates: with AVX2 alone,
its step for the small `mlp` took 287 ms and the network itself 112 ms. This one multiplies in the
dtype that is fast on the processor, and took 17 ms.
"""

import math

import torch
from torch import Tensor
from torch import _foreach_add_ as add_each_  # type: ignore[attr-defined]
from torch import _foreach_lerp as lerp_each  # type: ignore[attr-defined]
from torch import _foreach_lerp_ as lerp_each_  # type: ignore[attr-defined]

from ..fields.precision import matmul_dtype

QUINTIC = (3.4445, -4.7750, 2.0315)
"""Coefficients of the Newton-Schulz iteration: singular values tend to about 1, quickly."""

ITERATIONS = 3
"""Iterations of Newton-Schulz; the usual 5 trained small networks no better."""

MOMENTUM = 0.95
"""Decay of the running mean of gradients."""

STEP_SIZE = 0.2
"""Root mean square of an update's entries at learning rate 1, as in Adam."""


def orthogonalised(matrices: Tensor, iterations: int) -> Tensor:
    """Return matrices with singular values near 1 and their singular vectors unchanged.

    Parameters
    ----------
    matrices : (B, M, N) float32
    iterations : int

    Returns
    -------
    (B, M, N) float32
    """
    a, b, c = QUINTIC
    tall = matrices.shape[1] > matrices.shape[2]
    x = matrices.mT if tall else matrices
    norms = torch.linalg.vector_norm(x, dim=(1, 2), keepdim=True)
    x = (x / norms.clamp(min=1e-7)).to(matmul_dtype(matrices.device))
    for _ in range(iterations):
        gram = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return (x.mT if tall else x).to(matrices.dtype)


def muon_step(
    parameters: list[Tensor],
    gradients: list[Tensor],
    means: list[Tensor],
    learning_rate: float,
    iterations: int = ITERATIONS,
) -> None:
    """Take one step of Muon with Nesterov momentum, in place, on matrices of one shape.

    They go through every product together, since each alone is too small for a GPU.

    Parameters
    ----------
    parameters, gradients, means : lists of (M, N) float32
        Values, their gradients, and the running means of these, zero before the first step.
    learning_rate : float
    iterations : int
        Iterations of Newton-Schulz.
    """
    lerp_each_(means, gradients, 1 - MOMENTUM)
    updates = lerp_each(gradients, means, MOMENTUM)
    updates = orthogonalised(torch.stack(updates), iterations)
    size = STEP_SIZE * math.sqrt(max(updates.shape[1:]))
    add_each_(parameters, list(updates.unbind()), alpha=-learning_rate * size)
