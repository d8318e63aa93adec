"""One optimiser for a field: each of its parameter groups moves by its own rule."""

from contextlib import ExitStack

import torch
from torch import Tensor

from ..fields.encoders.base import ParameterGroup
from ..kernels.adam import SkipZeroAdam
from .muon import Muon

ADAM = {"betas": (0.9, 0.99), "eps": 1e-15}
"""Adam's settings, as in instant-ngp."""

RULES = {
    "adam": (torch.optim.Adam, {**ADAM, "fused": True}),
    "adam_rows": (SkipZeroAdam, ADAM),
    "muon": (Muon, {}),
}


class FieldOptimizer:
    """The optimiser of a field's parameters.

    Parameters
    ----------
    groups : list of ParameterGroup
    """

    def __init__(self, groups: list[ParameterGroup]) -> None:
        self.rates = [group.learning_rate for group in groups]
        self.optimizers: list[torch.optim.Optimizer] = []
        for group in groups:
            kind, settings = RULES[group.rule]
            self.optimizers.append(kind(group.parameters, lr=group.learning_rate, **settings))

    def step(self, loss: Tensor, scale: float) -> None:
        """Differentiate `loss` and update the parameters, with learning rates times `scale`."""
        for optimizer in self.optimizers:
            optimizer.zero_grad(set_to_none=True)
        with ExitStack() as stack:
            for optimizer in self.optimizers:
                if isinstance(optimizer, SkipZeroAdam):
                    stack.enter_context(optimizer.collected())
            loss.backward()
        for optimizer, rate in zip(self.optimizers, self.rates, strict=True):
            optimizer.param_groups[0]["lr"] = rate * scale
            optimizer.step()

    def state(self) -> dict[str, Tensor]:
        """Return every moment and counter by name, for a checkpoint."""
        tensors = {}
        for number, optimizer in enumerate(self.optimizers):
            for index, state in optimizer.state_dict()["state"].items():
                for name, value in state.items():
                    tensors[f"{number}.{index}.{name}"] = torch.as_tensor(value)
        return tensors

    def load_state(self, tensors: dict[str, Tensor]) -> None:
        """Take what `state` returned."""
        for number, optimizer in enumerate(self.optimizers):
            state: dict[int, dict[str, Tensor]] = {}
            for key, value in tensors.items():
                owner, index, name = key.split(".", 2)
                if int(owner) == number:
                    state.setdefault(int(index), {})[name] = value
            stored = optimizer.state_dict()
            optimizer.load_state_dict({**stored, "state": state})
