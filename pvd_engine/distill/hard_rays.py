"""The rays that were hardest when they were last seen, for a share of each batch."""

import torch
from torch import Tensor


class HardRays:
    """A table of rays; of those that are drawn again, the worst of the batch take the places.

    Wang et al., "R2L", 2022, section 3.3; also the ray level of PVD-AL.

    Parameters
    ----------
    share : float
        Hard rays in a batch, as a share of its other rays, and what is kept of a batch while
        there are free places. None are drawn before all places are filled.
    places : int
        Rays that are kept.
    columns : int
        Values of a ray: origin, direction, and what else belongs to it.
    memory : dict of str to Tensor
        Where the table lives: in what a checkpoint keeps.
    device : torch.device
    """

    def __init__(
        self,
        share: float,
        places: int,
        columns: int,
        memory: dict[str, Tensor],
        device: torch.device,
    ) -> None:
        self.share = share
        self.memory = memory
        if "hard_rays" not in memory:
            memory["hard_rays"] = torch.zeros((places, columns), device=device)
            memory["hard_count"] = torch.tensor(0)

    @property
    def table(self) -> Tensor:
        """(places, columns) float32."""
        return self.memory["hard_rays"]

    def draw(self, batch: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Random hard rays for a batch of other rays.

        Returns
        -------
        slots : (H,) int64
            Their places, for `learn`.
        rows : (H, columns) float32
        """
        full = int(self.memory["hard_count"]) == len(self.table)
        count = round(self.share * batch) if full else 0
        slots = torch.randperm(len(self.table), generator=generator)[:count].to(self.table.device)
        return slots, self.table[slots]

    def learn(self, slots: Tensor, rows: Tensor, errors: Tensor) -> None:
        """Keep the worst of a batch: in free places, or in those of the rays drawn for it.

        Parameters
        ----------
        slots : (H,) int64
            From `draw`.
        rows : (N, columns) float32
            The batch, with the rays of `draw`.
        errors : (N,) float32
        """
        if len(slots) == 0:
            filled = int(self.memory["hard_count"])
            stop = min(filled + round(self.share * len(errors)), len(self.table))
            slots = torch.arange(filled, stop, device=self.table.device)
            self.memory["hard_count"] = torch.tensor(stop)
        self.table[slots] = rows[errors.topk(len(slots)).indices]
