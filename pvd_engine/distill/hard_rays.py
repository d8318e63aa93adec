"""The rays with the largest errors when they were last cast, drawn again for each batch."""

import torch
from torch import Tensor


class HardRays:
    """A table of rays; the worst of each batch replace those that were drawn for it.

    Wang et al., "R2L", 2022, section 3.3; also the ray level of PVD-AL.

    Parameters
    ----------
    fraction : float
        Hard rays of a batch, as a fraction of its other rays. As many of each batch are kept
        until the table is full; none are drawn before.
    capacity : int
        Number of rays that are kept.
    columns : int
        Numbers of a ray: origin, direction, and further values that belong to it.
    device : torch.device

    Attributes
    ----------
    table : (capacity, columns) float32
    filled : int
        Number of rows that hold a ray, the first ones.
    """

    def __init__(self, fraction: float, capacity: int, columns: int, device: torch.device) -> None:
        self.fraction = fraction
        self.table = torch.zeros((capacity, columns), device=device)
        self.filled = 0

    def draw(self, batch: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Return random hard rays for a batch of other rays.

        Returns
        -------
        slots : (H,) int64
            Their rows in the table, for `learn`.
        rows : (H, columns) float32
        """
        count = round(self.fraction * batch) if self.filled == len(self.table) else 0
        device = self.table.device
        slots = torch.randperm(len(self.table), generator=generator, device=device)[:count]
        return slots, self.table.index_select(0, slots)

    def learn(self, slots: Tensor, rows: Tensor, errors: Tensor) -> None:
        """Keep the worst of a batch: in free rows, or in those of the rays drawn for it.

        Parameters
        ----------
        slots : (H,) int64
            From `draw`.
        rows : (N, columns) float32
            The batch, with the rays of `draw`.
        errors : (N,) float32
        """
        if len(slots) == 0:
            stop = min(self.filled + round(self.fraction * len(errors)), len(self.table))
            slots = torch.arange(self.filled, stop, device=self.table.device)
            self.filled = stop
        self.table[slots] = rows[errors.topk(len(slots)).indices]

    def state(self) -> dict[str, Tensor]:
        """Return the table and the number of its filled rows."""
        return {"table": self.table, "filled": torch.tensor(self.filled)}

    def load_state(self, tensors: dict[str, Tensor]) -> None:
        """Take what `state` returned."""
        self.table.copy_(tensors["table"])
        self.filled = int(tensors["filled"])
