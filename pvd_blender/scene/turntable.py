"""The turntable: an animated camera that turns around what a capture shows."""

import math
from dataclasses import dataclass

import bpy
import numpy as np
from bpy.types import Object, Scene
from mathutils import Matrix

from .cameras import dataset_camera, is_dataset_camera
from .frame import frame_box, frame_collection, parent_to_frame
from .intrinsics import Intrinsics, fitted, render_size, set_intrinsics
from .keyframes import interpolate
from .matrices import IDENTITY, moved, to_blender

STEEPEST = math.radians(80.0)
"""Largest elevation of a camera, radians, short of the pole where up has no meaning."""

PLAIN_SIZE, PLAIN_ANGLE = (800, 600), math.radians(40.0)
"""Width and height in pixels, and vertical angle, of a camera where none is known."""

PLAIN_ELEVATION = math.radians(20.0)
"""Elevation, radians, where none is known."""

WHOLE_TURN = 2 * math.pi * 0.999
"""Range of the azimuth, radians, from which on a scene was seen from all round."""


@dataclass(frozen=True)
class Viewpoints:
    """Where a field or a capture was seen from, in its dataset frame.

    Attributes
    ----------
    center : (3,) float64 array
        Point that the cameras look at.
    distance : float
        Typical distance from there, dataset units.
    elevation : float
        Typical angle above the plane through the centre, radians.
    azimuth : (float, float)
        Range of the angle around `up`, radians; from the first of `directions`.
    up : (3,) float64 array
    lens : Intrinsics
    """

    center: np.ndarray
    distance: float
    elevation: float
    azimuth: tuple[float, float]
    up: np.ndarray
    lens: Intrinsics

    @property
    def all_round(self) -> bool:
        """True where it was seen from all sides."""
        return self.azimuth[1] - self.azimuth[0] >= WHOLE_TURN


def camera_viewpoints(frame: Object) -> Viewpoints:
    """Return where a capture's cameras in the scene see its box from.

    Without cameras, from where all of the box is in the picture.
    """
    kept = [dataset_camera(item) for item in frame.children if is_dataset_camera(item)]
    cameras = [values for values in kept if values is not None]
    box = frame_box(frame)
    center = box.mean(axis=0)
    if not cameras:
        return _around(box)
    away = np.array([np.array(values["camera_to_world"])[:3, 3] for values in cameras]) - center
    distances = np.linalg.norm(away, axis=1)
    elevations = np.arcsin(away[:, 2] / np.maximum(distances, 1e-12))
    return Viewpoints(
        center=center,
        distance=float(np.median(distances)),
        elevation=float(np.median(elevations)),
        azimuth=(0.0, 2 * math.pi),
        up=np.array([0.0, 0.0, 1.0]),
        lens=Intrinsics.from_dict(cameras[len(cameras) // 2]),
    )


def _around(box: np.ndarray) -> Viewpoints:
    width, height = PLAIN_SIZE
    focal = height / 2 / math.tan(PLAIN_ANGLE / 2)
    return Viewpoints(
        center=box.mean(axis=0),
        distance=float(np.linalg.norm(box[1] - box[0])) / 2 / math.sin(PLAIN_ANGLE / 2),
        elevation=PLAIN_ELEVATION,
        azimuth=(0.0, 2 * math.pi),
        up=np.array([0.0, 0.0, 1.0]),
        lens=Intrinsics(width, height, focal, focal, width / 2, height / 2),
    )


def add_turntable(
    frame: Object,
    seen: Viewpoints,
    scene: Scene,
    frames: int,
    distance: float,
    elevation: float,
) -> Object:
    """Add a camera that turns around a point, and an Empty there that carries it.

    The Empty turns once, evenly, so that the frame after the last would be the first. Where the
    scene was seen from one side only it swings through that and back.

    Parameters
    ----------
    frame : Object
        The capture's frame, to which the Empty is parented.
    seen : Viewpoints
    scene : Scene
        Its render size is that of the camera's lens.
    frames : int
        Frames of the animation, from frame 1 on.
    distance : float
        Distance of the camera from the point, dataset units.
    elevation : float
        Its angle above the plane through the point, radians.

    Returns
    -------
    Object
        The camera.
    """
    pivot = bpy.data.objects.new("Turntable Pivot", None)
    pivot.empty_display_size = distance / 10
    camera = bpy.data.objects.new("Turntable", bpy.data.cameras.new("Turntable"))
    for item in (pivot, camera):
        frame_collection(frame).objects.link(item)
    parent_to_frame(pivot, frame, moved(IDENTITY, seen.center))
    # The turn is about the Empty's own z axis, which stands along `up`.
    pivot.delta_rotation_euler = Matrix(directions(seen.up).tolist()).to_euler()
    camera.parent = pivot
    elevation = min(max(elevation, -STEEPEST), STEEPEST)
    sine, cosine = math.sin(elevation), math.cos(elevation)
    pose = np.eye(4)
    pose[:3, 0], pose[:3, 1], pose[:3, 2] = (0, 1, 0), (-sine, 0, cosine), (cosine, 0, sine)
    pose[:3, 3] = distance * pose[:3, 2]
    camera.matrix_basis = to_blender(pose)
    set_intrinsics(camera.data, fitted(seen.lens, *render_size(scene.render)))
    set_reach(camera, distance)
    first, last = seen.azimuth
    turns = {1: first, frames + 1: first + 2 * math.pi}
    if not seen.all_round:
        turns = {1: first, frames / 2 + 1: last, frames + 1: first}
    for number, turn in turns.items():
        pivot.rotation_euler.z = turn
        pivot.keyframe_insert("rotation_euler", index=2, frame=number)
    interpolate(pivot, "LINEAR" if seen.all_round else "SINE")
    return camera


def directions(up: np.ndarray) -> np.ndarray:
    """Return the matrix (3, 3) whose columns are the axes of azimuth 0 and 90 degrees, and `up`."""
    up = up / np.linalg.norm(up)
    side = np.eye(3)[np.argmin(np.abs(up))]
    x = np.cross(side, up)
    x /= np.linalg.norm(x)
    return np.stack([x, np.cross(up, x), up], axis=1)


def set_reach(camera: Object, distance: float) -> None:
    """Give a camera clipping distances and a size that suit its distance from what it sees."""
    camera.data.clip_start = min(0.1, distance * 1e-3)
    camera.data.clip_end = max(1000.0, distance * 100)
    camera.data.display_size = distance / 10
