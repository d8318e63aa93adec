"""One optimiser for a field: Adam, with rows that saw no gradient left alone in large tables."""

import torch
from torch import Tensor

from ..fields.encoders.base import ParameterGroup
from ..kernels.adam import SkipZeroAdam

BETAS = (0.9, 0.99)
EPSILON = 1e-15


class FieldOptimizer:
    """Adam over a field's parameter groups.

    Parameters
    ----------
    groups : list of ParameterGroup
    """

    def __init__(self, groups: list[ParameterGroup]) -> None:
        self.rates = {True: [], False: []}
        dense, rows = [], []
        for group in groups:
            (rows if group.rows else dense).append(
                {"params": group.parameters, "lr": group.learning_rate}
            )
            self.rates[group.rows].append(group.learning_rate)
        self.optimizers: list[tuple[torch.optim.Optimizer, list[float]]] = []
        if dense:
            adam = torch.optim.Adam(dense, betas=BETAS, eps=EPSILON)
            self.optimizers.append((adam, self.rates[False]))
        if rows:
            adam = SkipZeroAdam(rows, betas=BETAS, eps=EPSILON)
            self.optimizers.append((adam, self.rates[True]))

    def step(self, loss: Tensor, scale: float) -> None:
        """Differentiate `loss` and move the parameters, learning rates times `scale`."""
        for optimizer, _ in self.optimizers:
            optimizer.zero_grad(set_to_none=True)
        loss.backward()
        for optimizer, rates in self.optimizers:
            for group, rate in zip(optimizer.param_groups, rates, strict=True):
                group["lr"] = rate * scale
            optimizer.step()

    def state(self) -> dict[str, Tensor]:
        """Every moment and counter by name, for a checkpoint."""
        tensors = {}
        for number, (optimizer, _) in enumerate(self.optimizers):
            for index, state in optimizer.state_dict()["state"].items():
                for name, value in state.items():
                    tensors[f"{number}.{index}.{name}"] = torch.as_tensor(value)
        return tensors

    def load_state(self, tensors: dict[str, Tensor]) -> None:
        """The inverse of `state`."""
        for number, (optimizer, _) in enumerate(self.optimizers):
            state: dict[int, dict[str, Tensor]] = {}
            for key, value in tensors.items():
                owner, index, name = key.split(".", 2)
                if int(owner) == number:
                    state.setdefault(int(index), {})[name] = value
            stored = optimizer.state_dict()
            optimizer.load_state_dict({**stored, "state": state})
