"""Adam (Kingma and Ba, 2015) for tables of which a step touches few rows.

As in instant-ngp, a row whose gradient is zero keeps its value and its moments: entries that no
sample met neither drift on old momentum nor cost memory traffic.
"""

import math
from collections.abc import Iterable
from contextlib import AbstractContextManager
from typing import Any

import torch
from torch import Tensor

from .launch import use_warp
from .row_gradient import RowGradient, collected


def adam_step_sparse(
    parameter: Tensor,
    gradient: Tensor,
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
        the first axis selects.
    learning_rate : float
    betas : (float, float)
        Decay of the two running means.
    epsilon : float
        Added to the denominator.
    step : int
        Number of this step, from 1; it corrects the bias of the means.
    """
    run = adam_step_sparse_warp if use_warp(parameter.device) else adam_step_sparse_reference
    run(parameter, gradient, mean, square, learning_rate, betas, epsilon, step)


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
    from .sources.adam import CONSTANT_COLUMNS, step_kernel

    beta1, beta2 = betas
    rows = len(parameter)
    columns = parameter.numel() // max(rows, 1)
    step_kernel(columns if columns in CONSTANT_COLUMNS else 0).launch(
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


class SkipZeroAdam(torch.optim.Optimizer):
    """Adam that skips rows whose gradient is all zero; for tables of features.

    Parameters
    ----------
    parameters : iterable of tensors or of groups
        As for any torch optimiser; float32 and contiguous.
    lr : float
        Learning rate.
    betas : (float, float)
        Decay of the running means; instant-ngp's 0.9 and 0.99 unless given.
    eps : float
        Added to the denominator; instant-ngp's 1e-15 unless given.
    """

    def __init__(
        self,
        parameters: Iterable[Any],
        lr: float = 1e-2,
        betas: tuple[float, float] = (0.9, 0.99),
        eps: float = 1e-15,
    ) -> None:
        super().__init__(parameters, {"lr": lr, "betas": betas, "eps": eps})

        self._rows: dict[Tensor, RowGradient] = {}

    def collected(self) -> AbstractContextManager[None]:
        """Let a backward pass inside collect gradients by rows, where kernels know how."""
        for parameter in self._parameters():
            if parameter not in self._rows and use_warp(parameter.device):
                self._rows[parameter] = RowGradient(parameter)
        return collected(self._rows.items())

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget all gradients."""
        super().zero_grad(set_to_none)
        for rows in self._rows.values():
            rows.clear()

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        """Update every parameter that has a gradient; return the closure's value, if given."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for parameter in group["params"]:
                self._update(parameter, group)
        return loss

    def _parameters(self) -> list[Tensor]:
        return [parameter for group in self.param_groups for parameter in group["params"]]

    def _update(self, parameter: Tensor, group: dict[str, Any]) -> None:
        gradient, rows = parameter.grad, self._rows.get(parameter)
        by_rows = rows is not None and rows.used
        if gradient is None and not by_rows:
            return
        state = self.state[parameter]
        if not state:
            state["step"] = torch.tensor(0.0)
            state["exp_avg"] = torch.zeros_like(parameter)
            state["exp_avg_sq"] = torch.zeros_like(parameter)
        state["step"] += 1
        moments = state["exp_avg"], state["exp_avg_sq"]
        settings = group["lr"], group["betas"], group["eps"], int(state["step"])
        if rows is None or not by_rows:
            assert gradient is not None
            adam_step_sparse(parameter, gradient.contiguous(), *moments, *settings)
            return
        if gradient is not None:
            rows.add(gradient)
        adam_step_sparse_warp(parameter, rows.values, *moments, *settings, touched=rows.touched)
        rows.touched.zero_()
        rows.used = False
