"""The path through cameras: an animated camera with a keyframe at each of them."""

import itertools
import math
import re
from collections.abc import Sequence

import bpy
import numpy as np
from bpy.types import Object, Scene
from mathutils import Matrix

from ..errors import SceneError
from .cameras import dataset_camera, is_dataset_camera
from .frame import frame_box, frame_collection, frame_origin, parent_to_frame
from .intrinsics import Intrinsics, fitted, read_intrinsics, render_size, set_intrinsics
from .keyframes import interpolate
from .matrices import to_numpy
from .turntable import set_reach

JUMPY = 2.0
"""Length of a way through cameras in their order, over that from each to the nearest one left, from
which on their order is no way."""

MOST_ORDERED = 2000
"""Most cameras among which the nearest one is searched for."""

AGREEMENT = 0.8
"""Fraction of the cameras that see the middle of the box where all look at it."""

WIDEST_STEP, HALF_TURN = math.radians(25.0), math.radians(179.0)
"""Angles round the middle: the largest between two keyframes, and one from which on there is no
shortest way."""

SAME_LENS = 1e-4
"""Largest relative difference of lenses that are the same."""


def training_cameras(frame: Object) -> list[Object]:
    """Return the perspective training cameras of a capture, in the order of their names."""
    items = [item for item in frame.children if is_dataset_camera(item)]
    kept = {item: dataset_camera(item) for item in items if item.data.type == "PERSP"}
    cameras = [item for item, values in kept.items() if values and values["split"] == "train"]
    return sorted(cameras, key=lambda item: _in_order(kept[item]["name"]))


def _in_order(name: str) -> list:
    """Return a key by which r_2 comes before r_10."""
    parts = re.split(r"(\d+)", name)
    return [int(part) if number % 2 else part for number, part in enumerate(parts)]


def add_path(
    frame: Object, cameras: Sequence[Object], scene: Scene, frames: int, most: int
) -> Object:
    """Add a camera that moves smoothly through others.

    Blender's own curves lead from keyframe to keyframe. The time between two is the distance of
    the cameras, plus the angle between their directions times half the size of all. Where they look
    at the middle of the box, the way leads round it, with further keyframes where they stand far
    apart; an Empty moves along with what they look at, and the camera tracks it.

    Parameters
    ----------
    frame : Object
        The capture's frame, to which the camera is parented.
    cameras : sequence of Object
        Cameras in the order of the way, unless that jumps about; then the nearest comes next.
    scene : Scene
        Its render size is that of the camera's lens.
    frames : int
        Frames of the animation, from frame 1 on.
    most : int
        Most cameras that it goes through; of more, as many are chosen evenly.

    Returns
    -------
    Object
        The camera.

    Raises
    ------
    SceneError
        When there are fewer than two, at different places, or one is not perspective.
    """
    bpy.context.view_layer.update()
    whole = len(cameras)
    poses = np.array([_pose(item, frame) for item in cameras]).reshape(whole, 4, 4)
    chosen = way_through(poses[:, :3, 3]) if whole else np.zeros(0, int)
    chosen = chosen[_evenly(len(chosen), most)]
    poses, cameras = poses[chosen], [cameras[index] for index in chosen]
    times = _times(poses)
    if len(cameras) < 2 or times[-1] == 0:
        raise SceneError(
            "A path needs at least two perspective cameras at different places; select them, or "
            "import a capture with its training views."
        )
    numbers = 1 + times / times[-1] * (frames - 1)
    lenses = [_lens(item, scene) for item in cameras]
    camera = _new(frame, "Camera Path", bpy.data.cameras.new("Camera Path"))
    camera.rotation_mode = "QUATERNION"
    set_intrinsics(camera.data, lenses[0])
    set_reach(camera, float(np.linalg.norm(np.ptp(poses[:, :3, 3], axis=0))))
    zooms = np.ptp([lens.fx for lens in lenses]) > SAME_LENS * lenses[0].fx
    before = None
    for number, pose, lens in zip(numbers, poses, lenses, strict=True):
        turn = Matrix(pose[:3, :3].tolist()).to_quaternion()
        if before is not None and turn.dot(before) < 0:
            turn.negate()  # the same turn, without a detour around the sphere
        before = turn
        camera.rotation_quaternion = turn
        camera.keyframe_insert("rotation_quaternion", frame=number)
        if zooms:
            set_intrinsics(camera.data, lens)
            for path in ("lens", "shift_x", "shift_y"):
                camera.data.keyframe_insert(path, frame=number)
    middle = frame_box(frame).mean(axis=0) - frame_origin(frame)
    places = list(zip(numbers, poses[:, :3, 3], strict=True))
    if _look_at(poses, lenses, middle):
        _track(camera, frame, numbers, _ahead(poses, middle))
        places = _round(places, middle)
    for number, place in places:
        camera.location = place
        camera.keyframe_insert("location", frame=number)
    for item in (camera, camera.data):
        interpolate(item, "BEZIER")
    return camera


def way_through(positions: np.ndarray) -> np.ndarray:
    """Return an order of cameras at positions (N, 3) that is a way, (M,) indices.

    It is their own, unless that jumps about: then it goes from the first to the nearest one each
    time. Of more than `MOST_ORDERED` that jump about, as many are chosen evenly.
    """
    some = _evenly(len(positions), MOST_ORDERED)
    left = [int(index) for index in some]
    order = [left.pop(0)]
    while left:
        away = np.linalg.norm(positions[left] - positions[order[-1]], axis=1)
        order.append(left.pop(int(np.argmin(away))))
    if _length(positions[some]) <= JUMPY * _length(positions[order]):
        return np.arange(len(positions))
    return np.array(order)


def _evenly(count: int, most: int) -> np.ndarray:
    return np.linspace(0, count - 1, min(count, most)).round().astype(int)


def _length(positions: np.ndarray) -> float:
    return float(np.linalg.norm(np.diff(positions, axis=0), axis=1).sum())


def _pose(camera: Object, frame: Object) -> np.ndarray:
    """Return a camera's pose (4, 4) without scale, as a child of the frame has it."""
    local = np.linalg.inv(to_numpy(frame.matrix_world)) @ to_numpy(camera.matrix_world)
    local[:3, :3] /= np.linalg.norm(local[:3, :3], axis=0)
    return local


def _lens(camera: Object, scene: Scene) -> Intrinsics:
    values = dataset_camera(camera)
    if values is None or camera.data.type != "PERSP":
        return read_intrinsics(camera, scene)
    return fitted(Intrinsics.from_dict(values), *render_size(scene.render))


def _times(poses: np.ndarray) -> np.ndarray:
    """Return when N poses are passed: (N,), from 0 on."""
    places = poses[:, :3, 3]
    moves = np.linalg.norm(np.diff(places, axis=0), axis=1)
    turns = np.einsum("nij,nij->n", poses[:-1, :3, :3], poses[1:, :3, :3])
    angles = np.arccos(np.clip((turns - 1) / 2, -1, 1))
    reach = float(np.linalg.norm(np.ptp(places, axis=0))) / 2 or 1.0 if len(places) else 1.0
    return np.append(0.0, np.cumsum(moves + reach * angles))


def _look_at(poses: np.ndarray, lenses: Sequence[Intrinsics], point: np.ndarray) -> bool:
    """Return whether nearly all cameras have a point in their pictures."""
    seen = 0
    for pose, k in zip(poses, lenses, strict=True):
        x, y, z = pose[:3, :3].T @ (point - pose[:3, 3])
        across, down = abs(x) * k.fx, abs(y) * k.fy
        seen += z < 0 and across < -z * k.width / 2 and down < -z * k.height / 2
    return seen >= AGREEMENT * len(poses)


def _round(
    places: Sequence[tuple[float, np.ndarray]], center: np.ndarray
) -> list[tuple[float, np.ndarray]]:
    """Return frames and positions with others between those that are far apart round a centre."""
    more = [places[0]]
    for (start, first), (end, second) in itertools.pairwise(places):
        (a, b), (near, far) = _directions(first - center, second - center)
        angle = float(np.arccos(np.clip(a @ b, -1, 1)))
        count = math.ceil(angle / WIDEST_STEP)
        for part in np.arange(1, count) / count if angle < HALF_TURN else ():
            way = (np.sin((1 - part) * angle) * a + np.sin(part * angle) * b) / np.sin(angle)
            length = (1 - part) * near + part * far
            more.append((start + part * (end - start), center + length * way))
        more.append((end, second))
    return more


def _directions(*away: np.ndarray) -> tuple[list[np.ndarray], list[float]]:
    lengths = [max(float(np.linalg.norm(one)), 1e-12) for one in away]
    return [one / length for one, length in zip(away, lengths, strict=True)], lengths


def _ahead(poses: np.ndarray, point: np.ndarray) -> np.ndarray:
    """Return the points (N, 3) on the optical axes of poses that are nearest to a point."""
    axes = -poses[:, :3, 2]
    depths = np.einsum("ni,ni->n", point - poses[:, :3, 3], axes)
    return poses[:, :3, 3] + depths[:, None] * axes


def _track(camera: Object, frame: Object, numbers: np.ndarray, points: np.ndarray) -> None:
    """Let a camera look at an Empty that moves from point to point (N, 3)."""
    target = _new(frame, "Camera Path Target", None)
    target.empty_display_size = camera.data.display_size
    for number, point in zip(numbers, points, strict=True):
        target.location = point
        target.keyframe_insert("location", frame=number)
    interpolate(target, "BEZIER")
    constraint = camera.constraints.new("DAMPED_TRACK")
    constraint.target, constraint.track_axis = target, "TRACK_NEGATIVE_Z"


def _new(frame: Object, name: str, data: bpy.types.ID | None) -> Object:
    item = bpy.data.objects.new(name, data)
    frame_collection(frame).objects.link(item)
    parent_to_frame(item, frame)
    return item
