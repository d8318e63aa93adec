"""One optimiser for a field: each of its parameter groups moves by its own rule.

The rules are functions: the first optimiser that derives from torch's own class imports torch's
compiler, which takes longer than a hundred steps.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.optim.adam import adam

from ..fields.encoders.base import ParameterGroup
from ..kernels.adam import adam_step_sparse
from ..kernels.launch import use_warp
from ..kernels.row_gradient import RowGradient, collected
from .muon import muon_step

ADAM_BETAS = (0.9, 0.99)
"""Decay of Adam's running means, as in instant-ngp."""

ADAM_EPSILON = 1e-15
"""Added to Adam's denominator, as in instant-ngp."""

Moments = dict[str, Tensor]
"""What a rule remembers of one parameter, by name; empty before its first step."""


class Moved(NamedTuple):
    """A parameter that a rule is to move.

    Attributes
    ----------
    parameter, gradient : Tensor
    known : dict of str to Tensor
        Its moments.
    rows : RowGradient or None
        The gradient by rows, where it was collected so; `gradient` is its values.
    """

    parameter: Tensor
    gradient: Tensor
    known: Moments
    rows: RowGradient | None = None


class FieldOptimizer:
    """The optimiser of a field's parameters.

    Parameters
    ----------
    groups : list of ParameterGroup
    """

    def __init__(self, groups: list[ParameterGroup]) -> None:
        self.groups = groups
        self._moments: list[list[Moments]] = [[{} for _ in group.parameters] for group in groups]
        self._rows: dict[Tensor, RowGradient] = {
            parameter: RowGradient(parameter)
            for group in groups
            for parameter in group.parameters
            if group.rule == "adam_rows" and use_warp(parameter.device)
        }

    def step(self, loss: Tensor, scale: float) -> None:
        """Differentiate `loss` and update the parameters, with learning rates times `scale`."""
        self.move(self.gradients(loss), scale)

    def gradients(self, loss: Tensor) -> list[list[Moved]]:
        """Differentiate `loss` and return what is to be moved, by group.

        It takes memory, and changes neither parameters nor moments.
        """
        for group in self.groups:
            for parameter in group.parameters:
                parameter.grad = None
        for rows in self._rows.values():
            rows.clear()
        with collected(self._rows.items()):
            loss.backward()
        moved = []
        with torch.no_grad():
            for group, moments in zip(self.groups, self._moments, strict=True):
                pairs = zip(group.parameters, moments, strict=True)
                entries = (self._moved(parameter, known, group.rule) for parameter, known in pairs)
                moved.append([entry for entry in entries if entry is not None])
        return moved

    def move(self, moved: Sequence[Sequence[Moved]], scale: float) -> None:
        """Update the parameters by what `gradients` returned, learning rates times `scale`."""
        with torch.no_grad():
            for group, entries in zip(self.groups, moved, strict=True):
                RULES[group.rule].move(entries, group.learning_rate * scale)
                # Fused rules change what torch does not count, by which fields notice a change.
                for entry in entries:
                    torch.autograd.graph.increment_version(entry.parameter)

    def forget(self, rows: Tensor) -> None:
        """Set the moments of rows (M,) int64 of every parameter to zero; their content is new."""
        for moments in self._moments:
            for known in moments:
                for name, value in known.items():
                    if name != "step":
                        value[rows] = 0

    def _moved(self, parameter: Tensor, known: Moments, rule: str) -> Moved | None:
        """Return a parameter with the gradient that a backward pass gave it; None without one."""
        gradient, rows = parameter.grad, self._rows.get(parameter)
        if rows is not None and rows.used:
            if gradient is not None:
                rows.add(gradient)
            gradient = rows.values
        else:
            rows = None
        if gradient is None:
            return None
        if not known:
            known.update({name: _new_moment(name, parameter) for name in RULES[rule].moments})
        return Moved(parameter, gradient, known, rows)

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


def _adam(moved: Sequence[Moved], rate: float) -> None:
    """Move all parameters by Adam, in one pass over all of them."""
    on_cpu = all(entry.parameter.device.type == "cpu" for entry in moved)
    adam(
        [entry.parameter for entry in moved],
        [entry.gradient for entry in moved],
        [entry.known["exp_avg"] for entry in moved],
        [entry.known["exp_avg_sq"] for entry in moved],
        [],
        [entry.known["step"] for entry in moved],
        fused=on_cpu,
        foreach=not on_cpu,
        amsgrad=False,
        beta1=ADAM_BETAS[0],
        beta2=ADAM_BETAS[1],
        lr=rate,
        weight_decay=0.0,
        eps=ADAM_EPSILON,
        maximize=False,
    )


def _adam_rows(moved: Sequence[Moved], rate: float) -> None:
    """Move by Adam the rows that have a gradient; for tables of features."""
    for parameter, gradient, known, rows in moved:
        known["step"] += 1
        adam_step_sparse(
            parameter,
            gradient.contiguous() if rows is None else rows,
            known["exp_avg"],
            known["exp_avg_sq"],
            rate,
            ADAM_BETAS,
            ADAM_EPSILON,
            int(known["step"]),
        )


def _muon(moved: Sequence[Moved], rate: float) -> None:
    """Move matrices by Muon, those of one shape together."""
    alike: dict[torch.Size, list[Moved]] = {}
    for entry in moved:
        alike.setdefault(entry.parameter.shape, []).append(entry)
    for entries in alike.values():
        muon_step(
            [entry.parameter for entry in entries],
            [entry.gradient for entry in entries],
            [entry.known["momentum"] for entry in entries],
            rate,
        )


def _new_moment(name: str, parameter: Tensor) -> Tensor:
    """Return a moment before the first step; the counter stays on the CPU."""
    return torch.tensor(0.0) if name == "step" else torch.zeros_like(parameter)


class Rule(NamedTuple):
    """A rule by which parameters move.

    Attributes
    ----------
    move : callable
        Takes what is moved, and the learning rate.
    moments : tuple of str
        What it remembers of each parameter.
    """

    move: Callable[[Sequence[Moved], float], None]
    moments: tuple[str, ...]


RULES = {
    "adam": Rule(_adam, ("step", "exp_avg", "exp_avg_sq")),
    "adam_rows": Rule(_adam_rows, ("step", "exp_avg", "exp_avg_sq")),
    "muon": Rule(_muon, ("momentum",)),
}
