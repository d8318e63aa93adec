"""Adam (Kingma and Ba, 2015) for tables of which a step touches few rows.

As in instant-ngp, a row whose gradient is zero keeps its value and its moments: entries that no
sample met neither drift on old momentum nor cost memory traffic.
"""

import math

import torch
from torch import Tensor

from .launch import use_warp
from .row_gradient import RowGradient


def adam_step_sparse(
    parameter: Tensor,
    gradient: Tensor | RowGradient,
    mean: Tensor,
    square: Tensor,
    learning_rate: float,
    betas: tuple[float, float],
    epsilon: float,
    step: int,
) -> None:
    """Take one Adam step, in place, on the rows that have a gradient.

    Parameters
    ----------
    parameter, gradient, mean, square : (N, ...) float32, contiguous
        Values, their gradient, and its running mean and mean square; a row is what one index of
        the first axis selects. A gradient by rows, as kernels collect it, is zero afterwards.
    learning_rate : float
    betas : (float, float)
        Decay of the two running means.
    epsilon : float
        Added to the denominator.
    step : int
        Number of this step, from 1; it corrects the bias of the means.
    """
    settings = learning_rate, betas, epsilon, step
    if isinstance(gradient, RowGradient):
        marks = gradient.touched
        adam_step_sparse_warp(parameter, gradient.values, mean, square, *settings, marks)
        gradient.emptied()
        return
    run = adam_step_sparse_warp if use_warp(parameter.device) else adam_step_sparse_reference
    run(parameter, gradient, mean, square, *settings)


def adam_step_sparse_reference(
    parameter: Tensor,
    gradient: Tensor,
    mean: Tensor,
    square: Tensor,
    learning_rate: float,
    betas: tuple[float, float],
    epsilon: float,
    step: int,
) -> None:
    """Compute `adam_step_sparse` in plain torch operations."""
    beta1, beta2 = betas
    rows = gradient.flatten(1).ne(0).any(dim=1).nonzero().view(-1)
    g = gradient[rows]
    m = mean[rows].lerp(g, 1 - beta1)
    v = square[rows] * beta2 + (1 - beta2) * g * g
    denominator = v.sqrt() / math.sqrt(1 - beta2**step) + epsilon
    mean[rows] = m
    square[rows] = v
    parameter[rows] -= learning_rate / (1 - beta1**step) * m / denominator


def adam_step_sparse_warp(
    parameter: Tensor,
    gradient: Tensor,
    mean: Tensor,
    square: Tensor,
    learning_rate: float,
    betas: tuple[float, float],
    epsilon: float,
    step: int,
    touched: Tensor | None = None,
) -> None:
    """Compute `adam_step_sparse` by the Warp kernel.

    With the marks `touched` of a `RowGradient` only marked blocks of the gradient are read, and
    set to zero.
    """
    from .sources.adam import STEP_KERNELS

    beta1, beta2 = betas
    rows = len(parameter)
    columns = parameter.numel() // max(rows, 1)
    STEP_KERNELS.get(columns, STEP_KERNELS[0]).launch(
        rows,
        parameter=parameter.detach().view(rows, columns),
        gradient=gradient.view(rows, columns),
        mean=mean.view(rows, columns),
        square=square.view(rows, columns),
        marked=touched is not None,
        touched=gradient.new_empty(0, dtype=torch.uint8) if touched is None else touched,
        rate=learning_rate / (1 - beta1**step),
        beta1=beta1,
        beta2=beta2,
        root=1 / math.sqrt(1 - beta2**step),
        epsilon=epsilon,
    )
