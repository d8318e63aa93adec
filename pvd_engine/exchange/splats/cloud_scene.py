"""The scene of a cloud of splats: its kind, its box, and viewpoints where no cameras are known."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...data.capture import Camera, Frame
from ...data.geometry.point_bounds import find_box_with_points
from ...data.geometry.poses import PoseDistribution
from ...data.geometry.projection import project
from ...errors import UserError
from ...fields.limits import LARGEST_COORDINATE
from ...fields.splats import Splats

SOLID = 0.05
"""Opacity of the splats that count for the box; fainter ones often float."""

BULK = (0.1, 0.9)
"""Quantiles of the positions along each axis between which the bulk of a cloud lies."""

SURROUND = 1.0
"""Size of what surrounds the bulk of an object on each side, in sizes of the bulk."""

INSIDE = 0.99
"""Fraction of the splats that must lie there, so that the cloud counts as an object."""

GROWTH = 0.25
"""Growth of the bulk to each side, in its sizes, to the box of a scene that is no object."""

MARGIN = 0.05
"""Growth of an object's box to each side, as a fraction of its size."""

MIN_ASPECT = 0.1
"""Smallest side of a box over the largest."""

OBJECT_DISTANCE, INNER_DISTANCE = (1.6, 2.4), (0.4, 0.9)
"""Distances of viewpoints from the middle of an object, and of a scene that goes on beyond its
box, in half diagonals of the box."""

SPREAD = 0.1
"""Distance by which they look past the middle, in half diagonals."""

WIDTH, FOCAL = 800, 960.0
"""Pixels of the pictures of these viewpoints, along each side, and their focal length."""

UP = (0.0, -1.0, 0.0)
"""The direction that is up in most clouds, whose y points down."""

SEEN = 0.5
"""Fraction of the splats that cameras of the same frame show at least."""

CHECKED_SPLATS, CHECKED_CAMERAS = 10_000, 64
"""Splats and cameras that are compared, at most."""


@dataclass(frozen=True)
class CloudScene:
    """The kind of a scene and its box.

    Attributes
    ----------
    form : dict
        As `pvd_engine.data.geometry.scene.Scene` has it.
    box : (2, 3) float64 array
        Dataset frame.
    """

    form: dict[str, Any]
    box: np.ndarray


def cloud_scene(splats: Splats, cameras: Sequence[Camera]) -> CloudScene:
    """Return the scene that splats make up.

    Parameters
    ----------
    splats : Splats
        Dataset frame.
    cameras : sequence of Camera
        Cameras of their training; may be none.

    Returns
    -------
    CloudScene
        An object, where nearly all solid splats lie together and the cameras stand around them:
        the box holds these. Else the scene is unbounded, and the box holds their bulk, or what the
        cameras look at.

    Raises
    ------
    UserError
        The splats reach too far for a field.
    """
    centers = _solid(splats).astype(np.float64)
    low, high = np.quantile(centers, BULK, axis=0)
    size = high - low
    # All at one place: the size of a splat is that of the cloud.
    size = np.maximum(size, MIN_ASPECT * (size.max() or _splat_size(splats)))
    middle = (low + high) / 2
    together = (np.abs(centers - middle) <= (0.5 + SURROUND) * size).all(axis=1)
    if together.mean() >= INSIDE:
        box = _box_of_object(centers[together], _splat_size(splats))
        if not _stand_in(box, cameras):
            return CloudScene({"kind": "object"}, _checked(box))
    if cameras:
        box, _ = find_box_with_points(cameras, Frame(), False, centers, None)
    else:
        half = (0.5 + GROWTH) * size
        box = np.stack([middle - half, middle + half])
    return CloudScene({"kind": "unbounded"}, _checked(box))


def viewpoints_around(scene: CloudScene) -> PoseDistribution:
    """Return viewpoints all round the middle of a scene without cameras."""
    half = float(np.linalg.norm(scene.box[1] - scene.box[0])) / 2
    ahead = OBJECT_DISTANCE if scene.form["kind"] == "object" else INNER_DISTANCE
    camera = {"width": WIDTH, "height": WIDTH, "fx": FOCAL, "fy": FOCAL}
    return PoseDistribution(
        center=scene.box.mean(axis=0).tolist(),
        spread=SPREAD * half,
        distance=[factor * half for factor in ahead],
        elevation=[-np.pi / 2, np.pi / 2],
        azimuth=[0.0, 2 * np.pi],
        up=list(UP),
        camera={**{k: float(v) for k, v in camera.items()}, "cx": WIDTH / 2, "cy": WIDTH / 2},
    )


def seen_fraction(splats: Splats, cameras: Sequence[Camera]) -> float:
    """Return the fraction of solid splats, of a sample, that lie in the picture of a camera."""
    centers = _every(_solid(splats), CHECKED_SPLATS)
    seen = np.zeros(len(centers), bool)
    for camera in _every(list(cameras), CHECKED_CAMERAS):
        x, y = project(camera, centers).T
        seen |= (x >= 0) & (x < camera.width) & (y >= 0) & (y < camera.height)
    return float(seen.mean())


def _every(values: Any, most: int) -> Any:
    return values[:: -(-len(values) // most)]


def _solid(splats: Splats) -> np.ndarray:
    """Return the centres of the splats that are not faint; of all, if all are."""
    solid = splats.opacities >= SOLID
    return (splats.centers[solid] if bool(solid.any()) else splats.centers).numpy()


def _splat_size(splats: Splats) -> float:
    """Return the middle of the splats' largest standard deviations; above zero."""
    return float(splats.scales.amax(dim=1).median()) or 1.0


def _stand_in(box: np.ndarray, cameras: Sequence[Camera]) -> bool:
    """Return whether most of the cameras stand in a box."""
    positions = np.array([camera.camera_to_world[:3, 3] for camera in cameras]).reshape(-1, 3)
    inside = ((positions > box[0]) & (positions < box[1])).all(axis=1)
    return int(inside.sum()) > len(cameras) / 2


def _box_of_object(centers: np.ndarray, splat: float) -> np.ndarray:
    low, high = centers.min(axis=0), centers.max(axis=0)
    middle, half = (low + high) / 2, (high - low) / 2
    half = np.maximum(half, MIN_ASPECT * half.max()) * (1 + 2 * MARGIN) + 2 * splat
    return np.stack([middle - half, middle + half])


def _checked(box: np.ndarray) -> np.ndarray:
    if not np.abs(box).max() < LARGEST_COORDINATE:
        raise UserError(
            f"The splats reach {np.abs(box).max():.3g} units from the origin, beyond what a field "
            f"can hold, {LARGEST_COORDINATE:g}; scale them down first."
        )
    return box
