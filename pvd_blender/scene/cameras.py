"""The cameras of a capture as Blender cameras, and Blender cameras as entries of ``cameras.json``.

Blender keeps float32 matrices and one pixel aspect per scene, so each camera datablock also keeps
the file's own float64 numbers as custom properties. Exports read those as long as the user has not
changed the camera.
"""

from pathlib import Path

import bpy
import numpy as np
from bpy.types import Collection, Context, Depsgraph, Image, Object, Scene

from ..engine.checked import Checked, is_file
from ..errors import ConvertFieldError
from .frame import (
    NAME,
    dataset_pose,
    frame_collection,
    frame_origin,
    is_frame,
    parent_to_frame,
)
from .intrinsics import (
    Intrinsics,
    has_intrinsics,
    pixel_aspect,
    read_intrinsics,
    render_size,
    set_intrinsics,
)
from .matrices import IDENTITY, moved, pose_in_frame, to_numpy
from .panoramas import EQUIRECTANGULAR, has_panorama, is_panorama, read_panorama, set_panorama
from .undistorted import copy_path, is_distorted, is_made

DATASET_CAMERA = "pvd_camera"
"""Custom property of a camera datablock: the file's own numbers."""

SPLIT_COLLECTIONS = {"train": "Train", "val": "Val", "test": "Test"}
SPLITS = tuple(SPLIT_COLLECTIONS)
SCALARS = ("fx", "fy", "cx", "cy")
DISPLAY_FRACTION = 0.06
"""Display size of the cameras, as a fraction of their distance from the middle of the scene."""

BACKGROUND_ALPHA = 0.5
"""Opacity of the background images."""

POSE_TOLERANCE = 2e-6
"""Relative error of a position in Blender's float32."""

MOST_SIDE = 65536
"""Largest width or height of an image, pixels."""

MOST_COEFFICIENTS = 64
"""Most coefficients of a lens's distortion."""

LONGEST_COEFFICIENT = 32
"""Longest name of a coefficient; Blender's custom properties take 63 bytes."""

ROTATION_TOLERANCE = 1e-2
"""Largest element of RᵀR − I for the rotation R of a camera."""

SMALLEST_FOCAL = 1e-6
"""Smallest focal length, pixels."""

SAME_ASPECT = 0.005
"""Largest relative difference of two aspect ratios that count as equal."""


def import_cameras(capture: dict, frame: Object, work_folder: Path) -> list[Object]:
    """Create the cameras of a capture, one collection per split.

    Parameters
    ----------
    capture : dict
        The output of ``pvd info --json`` for a capture.
    frame : Object
        The capture's frame, from `create_frame`.
    work_folder : Path
        Folder of the capture's jobs and of the undistorted copies of its images.

    Returns
    -------
    list of Object
        The cameras in the capture's order, parented to the frame, each with its image as a
        background image, unless it must be undistorted first (see `copy_to_make`). Blender reads
        an image's pixels when it first shows them.
    """
    parent = frame_collection(frame)
    collections = {split: _split_collection(parent, frame, split) for split in SPLIT_COLLECTIONS}
    size = _display_size(capture)
    reach = _reach(capture)
    cameras = []
    for view in capture["views"]:
        item = _create_camera(view)
        item.data.display_size = size
        item.data.clip_start = min(0.1, reach * 1e-3)
        item.data.clip_end = max(1000.0, reach * 10)
        collections[view["split"]].objects.link(item)
        parent_to_frame(item, frame, np.asarray(view["camera"]["camera_to_world"]))
        attach_image(item, work_folder)
        cameras.append(item)
    bpy.context.view_layer.update()
    return cameras


def _split_collection(parent: Collection, frame: Object, split: str) -> Collection:
    label = SPLIT_COLLECTIONS[split]
    collection = bpy.data.collections.new(f"{frame[NAME]} {label}")
    parent.children.link(collection)
    return collection


def _create_camera(view: dict) -> Object:
    camera = view["camera"]
    data = bpy.data.cameras.new(view["name"])
    set_lens = set_panorama if is_panorama(camera) else set_intrinsics
    set_lens(data, Intrinsics.from_dict(camera))
    data[DATASET_CAMERA] = {
        "name": view["name"],
        "split": view["split"],
        "image_path": view["image_path"] or "",
        "camera_to_world": np.asarray(camera["camera_to_world"], dtype=np.float64).ravel().tolist(),
        "width": int(camera["width"]),
        "height": int(camera["height"]),
        **{key: float(camera[key]) for key in SCALARS},
        "distortion_model": camera.get("distortion_model", "none"),
        "distortion": {k: float(v) for k, v in camera.get("distortion", {}).items()},
    }
    item = bpy.data.objects.new(view["name"], data)
    # Quaternions keep a rotation to the last digit of float32 everywhere; Euler angles do not.
    item.rotation_mode = "QUATERNION"
    return item


def _positions(capture: dict) -> np.ndarray:
    return np.array(
        [np.asarray(view["camera"]["camera_to_world"])[:3, 3] for view in capture["views"]]
    ).reshape(-1, 3)


def _display_size(capture: dict) -> float:
    """Return the display size of the cameras, scene units."""
    box = np.asarray(capture["box"], dtype=np.float64)
    distances = np.linalg.norm(_positions(capture) - box.mean(axis=0), axis=1)
    typical = float(np.median(distances)) if len(distances) else 0.0
    return DISPLAY_FRACTION * max(typical, 0.1 * float(np.max(box[1] - box[0])))


def _reach(capture: dict) -> float:
    """Return the size of the capture with its cameras, dataset units: the diagonal of their box."""
    points = np.vstack([np.asarray(capture["box"], dtype=np.float64), _positions(capture)])
    return float(np.linalg.norm(points.max(axis=0) - points.min(axis=0)))


def is_dataset_camera(item: Object) -> bool:
    """Return whether an object is a camera that was imported with a capture."""
    return item.type == "CAMERA" and DATASET_CAMERA in item.data


def dataset_camera(item: Object) -> dict | None:
    """Return the file's own numbers that a dataset camera carries, or None for any other camera.

    None also if they are not as they must be; then the camera is as any of Blender's.

    Returns
    -------
    dict
        name, split, image_path ("" for none), camera_to_world (4x4 nested list, float64), width,
        height, fx, fy, cx, cy, distortion_model, distortion.
    """
    if not is_dataset_camera(item):
        return None
    kept = item.data[DATASET_CAMERA]
    try:
        values = Checked(kept.to_dict())
        pose = values.numbers("camera_to_world", (16,)).reshape(4, 4)
        return {
            "name": values.text("name"),
            "split": values.text("split"),
            "image_path": values.path("image_path", "") if kept["image_path"] else "",
            **camera_values(values, pose),
        }
    except (ConvertFieldError, AttributeError, KeyError):  # a file can hold anything there
        return None


def camera_values(camera: Checked, pose: np.ndarray) -> dict:
    """Return the pose, size and lens of a camera entry.

    Raises
    ------
    ConvertFieldError
        When a value is missing, not finite, of another type or beyond its bounds.
    """
    rotation = pose[:3, :3]
    if np.abs(rotation.T @ rotation - np.eye(3)).max() > ROTATION_TOLERANCE:
        raise camera.wrong("camera_to_world", "must be a rotation and a position")
    distortion = camera.part("distortion")
    longest = max(map(len, distortion.values), default=0)
    if len(distortion.values) > MOST_COEFFICIENTS or longest > LONGEST_COEFFICIENT:
        raise camera.wrong("distortion", "must be the coefficients of a lens")
    return {
        "camera_to_world": pose.tolist(),
        "width": camera.whole("width", low=1, high=MOST_SIDE),
        "height": camera.whole("height", low=1, high=MOST_SIDE),
        **{key: camera.number(key, low=SMALLEST_FOCAL) for key in ("fx", "fy")},
        **{key: camera.number(key) for key in ("cx", "cy")},
        "distortion_model": camera.text("distortion_model", "none"),
        "distortion": {key: distortion.number(key) for key in distortion.values},
    }


def attach_image(item: Object, work_folder: Path) -> None:
    """Show a dataset camera's image behind it; a distorted one once its undistorted copy is made.

    A camera whose image is missing gets no background, and neither does a panorama: Blender's 3D
    View shows a perspective view through it.
    """
    path, made = _missing_background(item, work_folder)
    if made:
        _show_behind(item, path)


def attach_copy(item: Object, copy: Path) -> None:
    """Show an undistorted copy that was just made, if the camera still lacks it."""
    if _missing_background(item, copy.parents[1])[0] == copy:
        # Blender may still hold the pixels of an older copy of this name.
        _show_behind(item, copy).reload()


def copy_to_make(item: Object, work_folder: Path) -> Path | None:
    """Return the undistorted copy that a camera's background lacks, or None if it lacks none."""
    path, made = _missing_background(item, work_folder)
    return None if made else path


def _missing_background(item: Object, work_folder: Path) -> tuple[Path | None, bool]:
    """Return the picture that should be behind a camera and is not, and whether its file exists."""
    camera = dataset_camera(item)
    if camera is None or item.data.background_images or is_panorama(camera):
        return None, False
    image = Path(camera["image_path"])
    if not is_file(camera["image_path"]):
        return None, False
    if not is_distorted(camera):
        return image, True
    copy = copy_path(camera, work_folder)
    return copy, is_made(copy, image)


def _show_behind(item: Object, path: Path) -> Image:
    background = item.data.background_images.new()
    background.image = bpy.data.images.load(str(path), check_existing=True)
    background.alpha = BACKGROUND_ALPHA
    # The image covers the camera's frame exactly, whatever the pixel aspect.
    background.frame_method = "STRETCH"
    item.data.show_background_images = True
    return background.image


def look_through(context: Context, camera: Object) -> None:
    """Make a camera the active one; a dataset camera also sets the render size and pixel aspect."""
    scene = context.scene
    scene.camera = camera
    values = dataset_camera(camera)
    if values is not None:
        fit_render(scene, Intrinsics.from_dict(values), is_panorama(values))
    for area in context.screen.areas if context.screen else ():
        if area.type == "VIEW_3D":
            area.spaces.active.region_3d.view_perspective = "CAMERA"


def fit_render(scene: Scene, k: Intrinsics, panorama: bool = False) -> None:
    """Give a scene the render size and pixel aspect of a lens."""
    render = scene.render
    render.resolution_x, render.resolution_y, render.resolution_percentage = k.width, k.height, 100
    render.pixel_aspect_x, render.pixel_aspect_y = (1.0, 1.0) if panorama else pixel_aspect(k)


def is_as_imported(item: Object, frame: Object) -> bool:
    """Return whether a dataset camera still has the pose and lens that it was imported with."""
    return item.parent == frame and has_file_lens(item) and has_file_pose(item)


def has_file_lens(item: Object) -> bool:
    """Return whether a camera is a dataset camera that still has its lens."""
    values = dataset_camera(item)
    if values is None:
        return False
    has_lens = has_panorama if is_panorama(values) else has_intrinsics
    return has_lens(item.data, Intrinsics.from_dict(values))


def has_file_pose(item: Object) -> bool:
    """Return whether a camera is a dataset camera that still has its pose in its frame."""
    values = dataset_camera(item)
    if values is None or not is_frame(item.parent) or item.constraints:
        return False
    # The pose in the frame, not in the world: moving the frame is no change of the camera.
    basis = to_numpy(item.matrix_parent_inverse) @ to_numpy(item.matrix_basis)
    original = moved(np.asarray(values["camera_to_world"]), -frame_origin(item.parent))
    rotation = original[:3, :3] / np.linalg.norm(original[:3, :3], axis=0)
    close_turn = np.abs(basis[:3, :3] - rotation).max() < 50 * POSE_TOLERANCE
    reach = 1 + np.abs(original[:3, 3]).max()
    return bool(
        close_turn and np.abs(basis[:3, 3] - original[:3, 3]).max() < POSE_TOLERANCE * reach
    )


def camera_to_dict(item: Object, scene: Scene, frame: Object) -> dict:
    """Return a camera as one entry of ``cameras.json``, in the dataset frame.

    Parameters
    ----------
    item : Object
        A camera. A dataset camera that has not been changed gives the file's own float64 numbers
        with its lens distortion; any other camera gives Blender's values (any sensor fit, shift,
        pixel aspect and resolution percentage, and any part of the sphere for a panorama).
    scene : Scene
        The scene whose render size and pixel aspect are used for other than dataset cameras.
    frame : Object
        The capture's frame.

    Returns
    -------
    dict
        name, width, height, fx, fy, cx, cy, camera_to_world (4x4 nested list), and
        distortion_model and distortion where the lens is not a pinhole.

    Raises
    ------
    SceneError
        When the camera is neither perspective nor equirectangular, or the frame is stretched.
    """
    bpy.context.view_layer.update()
    if is_as_imported(item, frame):
        return _entry_of_dataset_camera(dataset_camera(item))
    return _entry_of_view(item, scene, frame)


def render_camera(item: Object, scene: Scene, frame: Object, depsgraph: Depsgraph) -> dict:
    """Return a camera as one entry of ``cameras.json`` for a render.

    The same as `camera_to_dict`, but in the scene's render size and as a depsgraph has evaluated
    the camera.
    """
    width, height = render_size(scene.render)
    moves = item.animation_data is not None or item.data.animation_data is not None
    if not moves and is_as_imported(item, frame):
        entry = _entry_of_dataset_camera(dataset_camera(item))
        x, y = width / entry["width"], height / entry["height"]
        if abs(x / y - 1) < SAME_ASPECT:
            scaled = {"fx": x, "cx": x, "fy": y, "cy": y}
            size = {"width": width, "height": height}
            return entry | size | {key: entry[key] * factor for key, factor in scaled.items()}
    return _entry_of_view(item.evaluated_get(depsgraph), scene, frame.evaluated_get(depsgraph))


def exported_camera(item: Object, scene: Scene, reference: Object | None) -> dict:
    """Return a camera as one entry of ``cameras.json`` for an exported dataset.

    Parameters
    ----------
    item : Object
        A camera. The lens and the pose of a dataset camera are the file's own float64 numbers,
        each as long as it has not been changed; everything else is Blender's.
    scene : Scene
        The scene whose render size and pixel aspect are used for Blender's lenses.
    reference : Object or None
        The frame that the pose is in; Blender's world if None.

    Raises
    ------
    SceneError
        When the object is no perspective camera, or it or its frame is stretched.
    """
    values = dataset_camera(item)
    if has_file_lens(item):
        entry = _entry_of_dataset_camera(values)
    else:
        k = read_intrinsics(item, scene)
        entry = {"width": k.width, "height": k.height, **{key: getattr(k, key) for key in SCALARS}}
    if not has_file_pose(item):
        world = to_numpy(item.matrix_world)
    elif _is_file_pose_in(item.parent, reference):
        return entry | {"camera_to_world": values["camera_to_world"]}
    else:  # in float64
        local = moved(np.asarray(values["camera_to_world"]), -frame_origin(item.parent))
        world = to_numpy(item.parent.matrix_world) @ local
    return entry | {"camera_to_world": _pose_in(reference, world, item.name).tolist()}


def _is_file_pose_in(parent: Object, reference: Object | None) -> bool:
    """Return whether poses in a capture's frame are those in a reference as well."""
    if parent == reference:
        return True
    base = IDENTITY if reference is None else to_numpy(reference.matrix_world)
    origin = np.zeros(3) if reference is None else frame_origin(reference)
    return np.array_equal(to_numpy(parent.matrix_world), base) and np.array_equal(
        frame_origin(parent), origin
    )


def _pose_in(frame: Object | None, world: np.ndarray, name: str) -> np.ndarray:
    """Return a pose of the world (4, 4) in the dataset frame, or in the world if it is None."""
    if frame is None:
        return pose_in_frame(world, IDENTITY, name)
    return dataset_pose(world, frame, name)


def _entry_of_view(item: Object, scene: Scene, frame: Object) -> dict:
    panorama = item.data.type == "PANO"
    k = read_panorama(item, scene) if panorama else read_intrinsics(item, scene)
    pose = dataset_pose(to_numpy(item.matrix_world), frame, item.name)
    return {
        "name": item.name,
        "width": k.width,
        "height": k.height,
        **{key: getattr(k, key) for key in SCALARS},
        "camera_to_world": pose.tolist(),
        **({"distortion_model": EQUIRECTANGULAR} if panorama else {}),
    }


def _entry_of_dataset_camera(values: dict) -> dict:
    entry = {key: values[key] for key in ("name", "width", "height", *SCALARS, "camera_to_world")}
    if is_distorted(values):
        entry["distortion_model"] = values["distortion_model"]
        entry["distortion"] = values["distortion"]
    return entry
