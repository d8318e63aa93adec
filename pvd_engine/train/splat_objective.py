"""What splats learn from whole pictures, and their growth where these need more of them."""

import torch
from torch import Tensor

from ..fields.gaussians import GaussianField
from ..fields.splat_growth import split_onto
from ..fields.splat_pictures import pinhole
from ..kernels.harmonics import sh_colors
from ..kernels.splat_rules import FAINTEST, SplatUse
from ..kernels.splats import draw_splats
from .pieces import Piece, Pieces
from .readings import Metrics
from .training import Training

FIRST_PIXELS = 1 << 16
"""Most pixels of a step's picture."""

GROW_EVERY = 64
"""Steps between two moves of splats that are not needed."""

GROW_UNTIL = 0.7
"""Fraction of the budget after which splats stay."""

MOST_MOVED = 0.05
"""Fraction of all splats that are moved at a time, at most."""

LEAST_USE = 2 * FAINTEST
"""Largest weight in any pixel below which a splat is not needed."""


class Growth:
    """What pictures have made of each splat since the last move, and the moves.

    Parameters
    ----------
    field : GaussianField
        Its splats are moved.
    """

    def __init__(self, field: GaussianField) -> None:
        self.field = field
        self.use = SplatUse()
        self.gradient = torch.zeros(len(field.centers), device=field.device)
        self.weight = torch.zeros_like(self.gradient)

    def state(self) -> dict[str, Tensor]:
        """Return what was counted so far."""
        self.count()
        return {"gradient": self.gradient, "weight": self.weight}

    def load_state(self, tensors: dict[str, Tensor]) -> None:
        """Take what `state` returned."""
        self.use = SplatUse()
        self.gradient = tensors["gradient"].to(self.field.device)
        self.weight = tensors["weight"].to(self.field.device)

    def count(self) -> None:
        """Count the last picture, after its backward pass."""
        if len(self.use.weight) == len(self.weight):
            self.gradient += self.use.screen_gradient.norm(dim=1)
            self.weight = torch.maximum(self.weight, self.use.weight)
        self.use = SplatUse()

    def move(self) -> Tensor:
        """Move the splats that are not needed onto those that pull most; return the changed ones.

        Returns
        -------
        (M,) int64
        """
        most = int(MOST_MOVED * len(self.weight))
        moved = (self.weight < LEAST_USE).nonzero().view(-1)
        moved = moved[self.weight[moved].argsort()[:most]]
        self.gradient[moved] = -1
        targets = self.gradient.topk(len(moved)).indices
        split_onto(dict(self.field.named_parameters()), targets, moved)
        self.gradient.zero_()
        self.weight.zero_()
        return torch.cat((targets, moved))


class SplatObjective:
    """Squared error of drawn pictures, over all backgrounds.

    Parameters
    ----------
    training : Training
    pieces : Pieces
    growth : Growth
    metric : str
        Name of the error among the metrics.
    """

    def __init__(
        self,
        training: Training[GaussianField],
        pieces: Pieces,
        growth: Growth,
        metric: str,
    ) -> None:
        self.training = training
        self.pieces = pieces
        self.growth = growth
        self.metric = metric

    def __call__(self, step: int, fraction: float) -> tuple[Tensor, Metrics]:
        """Return the loss of one picture, and its error."""
        self.growth.count()
        if step % GROW_EVERY == 0 and step > 0 and fraction < GROW_UNTIL:
            self.training.optimizer.forget(self.growth.move())
        piece = self.pieces.draw(step, int(self.training.rays))
        error = piece_error(self.training.field, piece, self.growth.use)
        return error, {self.metric: error}


def piece_error(field: GaussianField, piece: Piece, use: SplatUse | None = None) -> Tensor:
    """Return the mean squared error of a field's picture, over all backgrounds; differentiable.

    Parameters
    ----------
    field : GaussianField
    piece : Piece
    use : SplatUse, optional
        Filled by the backward pass.
    """
    camera = pinhole(piece.camera, field.space.origin)
    splats = field.splats()
    colors = sh_colors(splats.sh, splats.centers, camera.eye.to(field.device))
    shape = (splats.centers, splats.scales, splats.rotations, splats.opacities)
    seen = draw_splats(*shape, colors, camera, field.rules, use)
    return piece.error(seen.color, seen.alpha)
