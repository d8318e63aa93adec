"""The splats of any field that has density, for files: its own, or a direct projection."""

from dataclasses import dataclass

import numpy as np
import torch

from ..data.capture import Capture
from ..fields.architectures import default_preset
from ..fields.base import Field
from ..fields.sizing import splat_sizes
from ..fields.splats import Splats
from .lesson import require_density, viewpoints
from .splat_projection import projected_splats
from .splats import ANTIALIASED, require_splats

SEED = 0
"""Seed of the viewpoints of a projection."""

COARSE = 0.1
"""Step of positions, in standard deviations of the splat in the middle, from which it is noted."""


@dataclass(frozen=True)
class ExportedSplats:
    """Splats for a file.

    Attributes
    ----------
    splats : Splats
        Dataset frame.
    antialiased : bool
        They are to be drawn so.
    notes : list of str
        How they were made, and what was lost.
    """

    splats: Splats
    antialiased: bool
    notes: list[str]


def exported_splats(field: Field, capture: Capture | None, count: int | None) -> ExportedSplats:
    """Return splats that show what a field shows.

    Parameters
    ----------
    field : Field
    capture : Capture or None
        Its cameras are viewpoints where the field's file holds none.
    count : int or None
        Most splats of a projection; those of the device's preset by default.

    Returns
    -------
    ExportedSplats

    Raises
    ------
    UserError
        The field is empty, shows nothing, or has no viewpoints.
    """
    require_density(field)
    own = field.as_splats()
    if own is None:
        splats, notes = _projected(field, capture, count)
        rules = {"antialiased": ANTIALIASED}
    else:
        splats, notes = own
        rules = field.header.get("architecture", {})
    if own is not None and count is not None and count < len(splats):
        notes = [*notes, f"The field is a cloud of splats: all {len(splats)} were written."]
    if rules.get("rules") == "gsplat":
        notes = [
            *notes,
            "The field is drawn by the rules of gsplat, which no file of splats states; give "
            "--rules gsplat to pvd import.",
        ]
    splats, far = _in_dataset_frame(splats, field.space.origin)
    return ExportedSplats(splats, bool(rules.get("antialiased")), notes + far)


def _projected(
    field: Field, capture: Capture | None, count: int | None
) -> tuple[Splats, list[str]]:
    poses = viewpoints(field, capture).moved(-field.space.origin)
    sizes = splat_sizes(default_preset(field.device), field.space, count)
    splats = projected_splats(field, poses, sizes.count, sizes.degree, SEED)
    require_splats(splats)
    return splats, [
        f"The {len(splats)} splats were made by direct projection; pvd convert --to gaussians "
        "teaches them, which takes longer and shows more."
    ]


def _in_dataset_frame(splats: Splats, origin: np.ndarray) -> tuple[Splats, list[str]]:
    """Return splats whose centres were counted from an origin, and a note of lost precision."""
    if not origin.any():
        return splats, []
    exact = splats.centers.cpu().double() + torch.from_numpy(origin)
    centers = exact.float()
    moved = Splats(
        centers.to(splats.centers), splats.scales, splats.rotations, splats.opacities, splats.sh
    )
    step = float(np.spacing(np.float32(centers.abs().max())))
    size = float(splats.scales.median())
    if step < COARSE * size:
        return moved, []
    return moved, [
        f"The scene stands so far from the origin of its frame that positions of 32 bits have "
        f"steps of {step:.2g}, where a splat has the size {size:.2g}."
    ]
