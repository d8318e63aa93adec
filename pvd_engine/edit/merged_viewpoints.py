"""Viewpoints of a merged field, from which a student sees the whole of it."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ..data.geometry.poses import PoseDistribution, look_at
from .placement import Placement

CAMERAS = 64
"""Cameras drawn from each part's distribution."""


def known_viewpoints(provenance: dict[str, Any] | None) -> PoseDistribution | None:
    """Return the viewpoints of a field's provenance, or None where it has no valid ones."""
    try:
        return PoseDistribution.from_json((provenance or {})["viewpoints"])
    except (KeyError, TypeError, ValueError):
        return None


def merged_viewpoints(
    poses: Sequence[PoseDistribution], placements: Sequence[Placement]
) -> PoseDistribution:
    """Return the poses of cameras that see all of a merged field.

    They look at the middle between the parts' centres, from every direction from which any part was
    seen. The nearest are no nearer to a part than its own cameras were; from the farthest, all
    parts are in the picture.

    Parameters
    ----------
    poses : sequence of PoseDistribution
        Viewpoints of each part, in its own dataset frame.
    placements : sequence of Placement
        Placement of each part in the merged frame.
    """
    pairs = list(zip(poses, placements, strict=True))
    centers = np.stack([to.place(np.array([part.center]))[0] for part, to in pairs])
    center = (centers.min(axis=0) + centers.max(axis=0)) / 2
    off = np.linalg.norm(centers - center, axis=1)
    own = np.array([part.distance for part, _ in pairs]) * [[to.scale] for _, to in pairs]
    zoom = np.array([_focal_lengths(part.camera) for part, _ in pairs])
    nearest = float((own[:, 0] + off).max())
    farthest = float((own[:, 1] + off * np.maximum(zoom, 1)).max())
    spreads = np.array([part.spread * to.scale for part, to in pairs])
    random = np.random.default_rng(0)
    cameras = []
    for part, to in pairs:
        up = to.rotation @ part.up
        for camera in part.sample(CAMERAS, random):
            away = to.rotation @ (camera.camera_to_world[:3, 3] - part.center)
            origin = center + away / max(np.linalg.norm(away), 1e-12) * farthest
            cameras.append(replace(camera, camera_to_world=look_at(origin, center, up)))
    return replace(
        PoseDistribution.from_cameras(cameras),
        center=center.tolist(),
        distance=[nearest, max(nearest, farthest)],
        spread=float(np.sqrt(np.mean(off**2 / 3 + spreads**2))),
    )


def _focal_lengths(camera: dict[str, float]) -> float:
    """Return the focal length of a camera in halves of its picture's shorter side."""
    return max(2 * camera["fx"] / camera["width"], 2 * camera["fy"] / camera["height"])
