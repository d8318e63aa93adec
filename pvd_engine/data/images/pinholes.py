"""Images as pinhole cameras would see them, whatever lens took them.

An image of a wide lens or a panorama becomes several: the faces of a cube around its camera.
"""

from dataclasses import dataclass, replace

import numpy as np

from ..capture import Camera, View
from ..geometry.projection import pixels_of
from .downscale import load_view
from .masks import load_mask
from .undistort import sample_bilinear

WIDEST = 2.0
"""Slope of a ray, sideways by ahead, up to which one pinhole image shows all; 63 degrees."""

FACES = (
    ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    ((0, 0, -1), (0, 1, 0), (1, 0, 0)),
    ((0, 0, 1), (0, 1, 0), (-1, 0, 0)),
    ((1, 0, 0), (0, 0, -1), (0, 1, 0)),
    ((1, 0, 0), (0, 0, 1), (0, -1, 0)),
    ((-1, 0, 0), (0, 1, 0), (0, 0, -1)),
)
"""Right, down and ahead of each face in the axes of the camera, which has x right, y down, z ahead:
ahead, right, left, down, up, behind."""


@dataclass(frozen=True)
class PinholeImage:
    """An image as a pinhole camera sees it.

    Attributes
    ----------
    camera : Camera
        Dataset frame, without distortion.
    rgba : (H, W, 4) uint8 or uint16 array
        sRGB, straight alpha.
    counts : (H, W) bool array or None
        The pixels that count; None where all do.
    """

    camera: Camera
    rgba: np.ndarray
    counts: np.ndarray | None


def pinhole_images(view: View) -> list[PinholeImage]:
    """Return a view's image as one or more pinhole cameras see it.

    Raises
    ------
    UserError, ValueError
        As `load_view` and `load_mask`.
    """
    rgba, counts = load_view(view), load_mask(view)
    camera = view.camera
    if camera.distortion_model == "none":
        return [PinholeImage(camera, rgba, counts)]
    images = [
        _seen(rgba, counts, camera, face, np.array(axes, np.float64))
        for face, axes in pinholes_of(camera)
    ]
    return [image for image in images if image.counts is None or image.counts.any()]


def pinholes_of(camera: Camera) -> list[tuple[Camera, tuple[tuple[int, int, int], ...]]]:
    """Return pinhole cameras that together see what a camera with a lens sees, and their axes.

    Returns
    -------
    list of (Camera, axes)
        The axes are those of `FACES`.
    """
    straight = replace(camera, distortion_model="none", distortion={})
    if not _is_wide(camera):
        return [(straight, FACES[0])]
    focal = max(camera.fx, camera.fy)
    side = max(round(2 * focal), 1)
    cameras = []
    for axes in FACES:
        turn = np.array(axes, np.float64).T * (1, -1, -1)
        pose = camera.camera_to_world.astype(np.float64).copy()
        pose[:3, :3] = pose[:3, :3] @ (np.array([[1], [-1], [-1]]) * turn)
        face = replace(
            straight,
            camera_to_world=pose,
            width=side,
            height=side,
            fx=side / 2,
            fy=side / 2,
            cx=side / 2,
            cy=side / 2,
        )
        cameras.append((face, axes))
    return cameras


def _is_wide(camera: Camera) -> bool:
    """Return whether an image shows what lies further aside than `WIDEST`."""
    turn = np.arange(8) * np.pi / 4
    x, y = WIDEST * np.cos(turn), WIDEST * np.sin(turn)
    u, v = pixels_of(camera, x, y, np.ones_like(x))
    return bool(((u >= 0) & (u < camera.width) & (v >= 0) & (v < camera.height)).any())


def _seen(
    rgba: np.ndarray,
    counts: np.ndarray | None,
    camera: Camera,
    face: Camera,
    axes: np.ndarray,
) -> PinholeImage:
    x = (np.arange(face.width) + 0.5 - face.cx) / face.fx
    y = (np.arange(face.height) + 0.5 - face.cy) / face.fy
    plane = np.stack((*np.meshgrid(x, y), np.ones((face.height, face.width))), axis=-1) @ axes
    u, v = pixels_of(camera, *np.moveaxis(plane, -1, 0))
    inside = (u >= 0) & (u < camera.width) & (v >= 0) & (v < camera.height)
    seen = sample_bilinear(rgba, u, v) * np.iinfo(rgba.dtype).max + 0.5
    if counts is not None:
        column = np.where(inside, u, 0).astype(np.int64)
        row = np.where(inside, v, 0).astype(np.int64)
        inside &= counts[row, column]
    return PinholeImage(face, seen.astype(rgba.dtype), None if inside.all() else inside)
