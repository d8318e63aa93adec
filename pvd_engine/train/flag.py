"""A yes or no that a checkpoint keeps."""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass
class Flag:
    """A part of a training: whether something has happened in it."""

    on: bool = False

    def state(self) -> dict[str, Tensor]:
        """Return `on` as a tensor."""
        return {"on": torch.tensor(self.on)}

    def load_state(self, tensors: dict[str, Tensor]) -> None:
        """Take what `state` returned."""
        self.on = bool(tensors["on"])
