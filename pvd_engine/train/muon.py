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

from ..fields.precision import matmul_dtype

QUINTIC = (3.4445, -4.7750, 2.0315)
"""Coefficients of the Newton-Schulz iteration: singular values tend to about 1, quickly."""

ITERATIONS = 3
"""Iterations of Newton-Schulz; the usual 5 trained small networks no better."""

MOMENTUM = 0.95
"""Decay of the running mean of gradients."""

STEP_SIZE = 0.2
"""Root mean square of an update's entries at learning rate 1, as in Adam."""


def orthogonalised(matrix: Tensor, iterations: int) -> Tensor:
    """Return a matrix with its singular values near 1 and its singular vectors unchanged.

    Parameters
    ----------
    matrix : (M, N) float32
    iterations : int

    Returns
    -------
    (M, N) float32
    """
    a, b, c = QUINTIC
    tall = matrix.shape[0] > matrix.shape[1]
    x = matrix.T if tall else matrix
    x = (x / x.norm().clamp(min=1e-7)).to(matmul_dtype(matrix.device))
    for _ in range(iterations):
        gram = x @ x.T
        x = torch.addmm(x, torch.addmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return (x.T if tall else x).to(matrix.dtype)


def muon_step(
    parameter: Tensor,
    gradient: Tensor,
    mean: Tensor,
    learning_rate: float,
    iterations: int = ITERATIONS,
) -> None:
    """Take one step of Muon with Nesterov momentum, in place, on a matrix.

    Parameters
    ----------
    parameter, gradient, mean : (M, N) float32
        Values, their gradient, and its running mean, zero before the first step.
    learning_rate : float
    iterations : int
        Iterations of Newton-Schulz.
    """
    mean.lerp_(gradient, 1 - MOMENTUM)
    update = orthogonalised(gradient.lerp(mean, MOMENTUM), iterations)
    size = STEP_SIZE * math.sqrt(max(parameter.shape))
    parameter.add_(update, alpha=-learning_rate * size)
