"""Moves splats that nothing is seen of to where the picture needs more of them.

Their number stays. Kerbl et al., "3D Gaussian splatting for real-time radiance field rendering",
2023, section 5.2, split splats where the gradient on the screen is large; Kheradmand et al., "3D
Gaussian splatting as Markov chain Monte Carlo", 2024, move dead splats instead of adding and
removing some.
"""

import math

import torch
from torch import Tensor

from .quaternions import rotation_matrices

APART = 0.6
"""Distance of both halves of a splat from its centre, in its largest standard deviation."""

NARROWER = (1 - APART**2) ** 0.5
"""Largest deviation of a half over the splat's, so that both together are as wide as it was."""

COMMON = math.exp(-((APART / NARROWER) ** 2)) / 4
"""What both halves cover together, in pictures and if each is opaque, over what both cover."""


@torch.no_grad()
def split_onto(parameters: dict[str, Tensor], targets: Tensor, moved: Tensor) -> None:
    """Replace splats by halves of others.

    Parameters
    ----------
    parameters : dict of str to (N, ...) tensor
        Those of `GaussianField`, changed in place.
    targets : (M,) int64
        Splats that are split; each once.
    moved : (M,) int64
        Splats that become the second half of each; none is a target.
    """
    log_scales = parameters["log_scales"][targets]
    longest = log_scales.argmax(dim=1)
    rows = torch.arange(len(targets), device=targets.device)
    rotations = torch.nn.functional.normalize(parameters["rotations"][targets], dim=1)
    axis = rotation_matrices(rotations)[rows, :, longest]
    shift = APART * log_scales[rows, longest].exp()[:, None] * axis
    opacities = _half(parameters["opacity_logits"][targets].sigmoid())
    for values in parameters.values():
        values[moved] = values[targets]
    for part, sign in ((targets, 1.0), (moved, -1.0)):
        parameters["centers"][part] += sign * shift
        parameters["log_scales"][part, longest] += math.log(NARROWER)
        parameters["opacity_logits"][part] = opacities.logit(eps=1e-6)


def _half(opacities: Tensor) -> Tensor:
    """Return the opacity of the halves of splats that take as much light of a picture.

    A splat of opacity a covers 2 pi a times the product of its deviations on the screen. Two halves
    of opacity b cover 2 pi NARROWER (2 b - 2 COMMON b^2) times that: one hides a part of the other.
    """
    root = (1 - 2 * COMMON * opacities / NARROWER).clamp(min=0).sqrt()
    return ((1 - root) / (2 * COMMON)).clamp(max=1)
