"""Axes of formats that define them, against those of a ``.ply`` of the same scene.

A ``.ply`` of 3DGS has, in practice, x right, y down, z forward.
"""

import torch

from ...fields.splats import Splats, transformed

RIGHT_UP_BACK = (1.0, -1.0, -1.0)
"""Signs of x, y and z between a ``.ply`` and an ``.spz``; the same there and back."""

LEFT_UP_FORWARD = (-1.0, -1.0, 1.0)
"""Signs of x, y and z between a ``.ply`` and a ``.glb``; the same there and back."""


def turned(splats: Splats, signs: tuple[float, float, float]) -> Splats:
    """Return splats after half a turn about one axis, exactly."""
    return transformed(splats, torch.diag(torch.tensor([*signs, 1.0])))[0]
