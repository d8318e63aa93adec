"""One optimiser for a field: each of its parameter groups moves by its own rule.

The rules are functions: the first optimiser that derives from torch's own class imports torch's
compiler, which takes longer than a hundred steps.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.optim.adam import adam

from ..fields.encoders.base import ParameterGroup
from ..kernels.adam import adam_step_sparse
from .muon import muon_step

ADAM_BETAS = (0.9, 0.99)
"""Decay of Adam's running means, as in instant-ngp."""

ADAM_EPSILON = 1e-15
"""Added to Adam's denominator, as in instant-ngp."""

Moments = dict[str, Tensor]
"""What a rule remembers of one parameter, by name; empty before its first step."""

Moved = Sequence[tuple[Tensor, Tensor, Moments]]
"""Parameters of a group, each with its gradient and its moments."""


class FieldOptimizer:
    """The optimiser of a field's parameters.

    Parameters
    ----------
    groups : list of ParameterGroup
    """

    def __init__(self, groups: list[ParameterGroup]) -> None:
        self.groups = groups
        self._moments: list[list[Moments]] = [[{} for _ in group.parameters] for group in groups]

    def step(self, loss: Tensor, scale: float) -> None:
        """Differentiate `loss` and update the parameters, with learning rates times `scale`."""
        for group in self.groups:
            for parameter in group.parameters:
                parameter.grad = None
        loss.backward()
        for group, moments in zip(self.groups, self._moments, strict=True):
            moved = [
                (parameter, parameter.grad, known)
                for parameter, known in zip(group.parameters, moments, strict=True)
                if parameter.grad is not None
            ]
            with torch.no_grad():
                RULES[group.rule](moved, group.learning_rate * scale)

    def state(self) -> dict[str, Tensor]:
        """Return every moment and counter by name, for a checkpoint."""
        return {
            f"{number}.{index}.{name}": value
            for number, moments in enumerate(self._moments)
            for index, known in enumerate(moments)
            for name, value in known.items()
        }

    def load_state(self, tensors: dict[str, Tensor]) -> None:
        """Take what `state` returned; the tensors may be on another device."""
        for key, value in tensors.items():
            number, index, name = key.split(".", 2)
            device = self.groups[int(number)].parameters[int(index)].device
            self._moments[int(number)][int(index)][name] = value.to(
                "cpu" if name == "step" else device
            )


def _adam(moved: Moved, rate: float) -> None:
    """Move all parameters by Adam."""
    for parameter, _, known in moved:
        _begin(parameter, known)
    adam(
        [parameter for parameter, _, _ in moved],
        [gradient for _, gradient, _ in moved],
        [known["exp_avg"] for _, _, known in moved],
        [known["exp_avg_sq"] for _, _, known in moved],
        [],
        [known["step"] for _, _, known in moved],
        amsgrad=False,
        beta1=ADAM_BETAS[0],
        beta2=ADAM_BETAS[1],
        lr=rate,
        weight_decay=0.0,
        eps=ADAM_EPSILON,
        maximize=False,
    )


def _adam_rows(moved: Moved, rate: float) -> None:
    """Move by Adam the rows that have a gradient; for tables of features."""
    for parameter, gradient, known in moved:
        _begin(parameter, known)
        known["step"] += 1
        adam_step_sparse(
            parameter,
            gradient.contiguous(),
            known["exp_avg"],
            known["exp_avg_sq"],
            rate,
            ADAM_BETAS,
            ADAM_EPSILON,
            int(known["step"]),
        )


def _begin(parameter: Tensor, known: Moments) -> None:
    """Make Adam's moments before the first step; the counter stays on the CPU."""
    if not known:
        known["step"] = torch.tensor(0.0)
        known["exp_avg"] = torch.zeros_like(parameter)
        known["exp_avg_sq"] = torch.zeros_like(parameter)


def _muon(moved: Moved, rate: float) -> None:
    """Move matrices by Muon."""
    for parameter, gradient, known in moved:
        if not known:
            known["momentum"] = torch.zeros_like(parameter)
        muon_step(parameter, gradient, known["momentum"], rate)


RULES: dict[str, Callable[[Moved, float], None]] = {
    "adam": _adam,
    "adam_rows": _adam_rows,
    "muon": _muon,
}
