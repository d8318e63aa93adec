"""Axes of formats that define them, against those of a ``.ply`` of the same scene.

A ``.ply`` of 3DGS has, in practice, x right, y down, z forward.
"""

import torch

from ...fields.sh_rotation import turned_coefficients
from ...fields.splats import Splats

RIGHT_UP_BACK = (1.0, -1.0, -1.0)
"""Signs of x, y and z between a ``.ply`` and an ``.spz``; the same there and back."""

LEFT_UP_FORWARD = (-1.0, -1.0, 1.0)
"""Signs of x, y and z between a ``.ply`` and a ``.glb``; the same there and back."""


def turned(splats: Splats, signs: tuple[float, float, float]) -> Splats:
    """Return splats after half a turn about an axis: nothing changes but signs, and twice, nothing.

    A splat's own axes turn, too, which leaves it as it is: it is the same on both sides.
    """
    axes = splats.centers.new_tensor(signs)
    return Splats(
        splats.centers * axes,
        splats.scales,
        splats.rotations * splats.rotations.new_tensor([1.0, *signs]),
        splats.opacities,
        turned_coefficients(splats.sh, torch.diag(axes)),
    )
