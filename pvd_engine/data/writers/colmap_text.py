"""COLMAP's text model: ``sparse/0/cameras.txt``, ``images.txt`` and ``points3D.txt``.

Layouts are those of COLMAP's ``scene/reconstruction_io``. Images hold the rotation (as a
quaternion) and translation from COLMAP's world to a camera with OpenCV axes.
"""

import math
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from ...errors import UserError
from ...files.atomic import write_bytes
from ..capture import Camera, Capture, Frame, View
from ..formats.colmap import rotation_matrix
from ..geometry.points import SparsePoints
from .lenses import LATER_COLMAP_MODELS, colmap_lens, how_to_write
from .pictures import IMAGES, Picture, PictureRules

RULES = PictureRules(below_images=True, spaces=False)
"""Rules of COLMAP's images; it ends the name of an image at the first space."""

MODEL_FOLDER = "sparse/0"

UNKNOWN_COLOR = (128, 128, 128)
"""Colour of points without one, 8-bit sRGB."""

UNKNOWN_ERROR = -1.0
"""Reprojection error of points without one, as COLMAP writes it."""

QUATERNION_STEP = 2.0**-48
"""Step to which the numbers of a quaternion are rounded."""

TRANSLATION_STEP = 2.0**-47
"""Step to which a translation is rounded, relative to its largest number. Both steps are coarser
than the rounding errors from these numbers to a camera's matrix and back, so a file that is read
and written again stays the same."""

_OPENGL_TO_OPENCV = np.diag([1.0, -1.0, -1.0])


def write_colmap(capture: Capture, pictures: Sequence[Picture], folder: Path) -> list[str]:
    """Write a sparse model in text.

    Parameters
    ----------
    capture : Capture
    pictures : sequence of Picture
        Images of its views, in the same order.
    folder : Path

    Returns
    -------
    list of str
        Sentences about changes and omissions.

    Raises
    ------
    UserError
        COLMAP has no model for a lens, the file of points cannot be read, or a file cannot be
        written.
    """
    notes = ["COLMAP's files have neither splits nor a scene's box; readers choose both."]
    if any(any(map(str.isspace, picture.view.name)) for picture in pictures):
        notes.append(
            "Spaces in the images' names became _, because COLMAP's text files cannot hold them."
        )
    world = original_world(capture.frame)
    if world is None:
        notes.append(
            "The file's applied_transform is not a rotation with a scale, so COLMAP's world is the "
            "dataset's frame."
        )
        world = np.eye(4)
    ordered = sorted(pictures, key=lambda picture: str(picture.path))
    cameras = [_camera_line(picture.view) for picture in ordered]
    identities = {camera: index for index, camera in enumerate(dict.fromkeys(cameras), 1)}
    models = {camera.split()[0] for camera in cameras}
    notes += [
        f"Older versions of COLMAP do not know the camera model {model}."
        for model in LATER_COLMAP_MODELS
        if model in models
    ]
    images = []
    for index, (picture, camera) in enumerate(zip(ordered, cameras, strict=True), 1):
        quaternion, translation = world_to_camera(picture.view.camera, world)
        pose = f"{_numbers(quaternion)} {_numbers(translation)}"
        name = picture.path.relative_to(IMAGES)
        images += [f"{index} {pose} {identities[camera]} {name}", ""]
    model = folder / MODEL_FOLDER
    _write_lines(
        model / "cameras.txt",
        "CAMERA_ID, MODEL, WIDTH, HEIGHT, PARAMS[]",
        [f"{identity} {camera}" for camera, identity in identities.items()],
    )
    _write_lines(
        model / "images.txt",
        "IMAGE_ID, QW, QX, QY, QZ, TX, TY, TZ, CAMERA_ID, NAME, then a line of POINTS2D[]",
        images,
    )
    points = capture.sparse_points()
    if capture.points is not None:
        notes.append("The points were written without tracks, because tracks are not read.")
    _write_lines(
        model / "points3D.txt",
        "POINT3D_ID, X, Y, Z, R, G, B, ERROR, TRACK[]",
        [] if points is None else _point_lines(points, world),
    )
    return notes


def original_world(frame: Frame) -> np.ndarray | None:
    """Return the transform from the dataset frame to the world before ``applied_transform``.

    Parameters
    ----------
    frame : Frame

    Returns
    -------
    (4, 4) float64 array or None
        A rotation with one scale, and a translation; None where the frame has another transform.
    """
    applied = np.eye(4)
    applied[:3] = frame.applied_transform
    if frame.applied_scale is not None:
        applied[:3] *= frame.applied_scale
    determinant = float(np.linalg.det(applied[:3, :3]))
    if determinant <= 0:
        return None
    scale = math.cbrt(determinant)
    rotation = applied[:3, :3] / scale
    if np.abs(rotation.T @ rotation - np.eye(3)).max() > 1e-5:
        return None
    back = np.eye(4)
    back[:3, :3] = rotation.T / scale
    back[:3, 3] = -back[:3, :3] @ applied[:3, 3]
    return back


def world_to_camera(camera: Camera, world: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the pose of a camera as COLMAP writes it.

    Parameters
    ----------
    camera : Camera
    world : (4, 4) array
        Transform from the dataset frame to COLMAP's world; a rotation with one scale.

    Returns
    -------
    quaternion : (4,) float64 array
        w, x, y, z, unit length, w not below zero.
    translation : (3,) float64 array
    """
    pose = world @ camera.camera_to_world
    linear = pose[:3, :3] @ _OPENGL_TO_OPENCV
    rotation = linear.T / math.cbrt(float(np.linalg.det(linear)))
    quaternion = _rounded_quaternion(nearest_quaternion(rotation))
    # From the rounded quaternion's rotation, so that the camera's position stays exact.
    own = rotation_matrix(quaternion / math.hypot(*quaternion))
    return quaternion, _rounded(-own @ pose[:3, 3])


def nearest_quaternion(rotation: np.ndarray) -> np.ndarray:
    """Return the unit quaternion (w, x, y, z), w not below zero, nearest to a (3, 3) matrix.

    It is the eigenvector of the largest eigenvalue of a symmetric matrix (I. Y. Bar-Itzhack, "New
    Method for Extracting the Quaternion from a Rotation Matrix", 2000).
    """
    (xx, xy, xz), (yx, yy, yz), (zx, zy, zz) = rotation
    matrix = np.array(
        [
            [xx + yy + zz, zy - yz, xz - zx, yx - xy],
            [zy - yz, xx - yy - zz, xy + yx, xz + zx],
            [xz - zx, xy + yx, yy - xx - zz, yz + zy],
            [yx - xy, xz + zx, yz + zy, zz - xx - yy],
        ]
    )
    quaternion = np.linalg.eigh(matrix)[1][:, -1]
    return -quaternion if quaternion[0] < 0 else quaternion


def _rounded_quaternion(quaternion: np.ndarray) -> np.ndarray:
    """Return the quaternion in steps, except its largest number, which keeps the length 1."""
    sizes = np.abs(quaternion)
    # The first of the numbers that are largest, up to rounding.
    free = int(np.argmax(sizes > sizes.max() - 1e-9))
    steps = np.round(quaternion / QUATERNION_STEP) * QUATERNION_STEP
    steps *= np.sign(steps[np.flatnonzero(steps)[0]])
    others = math.fsum(value * value for value in np.delete(steps, free).tolist())
    steps[free] = math.copysign(math.sqrt(1 - others), steps[free])
    return steps + 0.0  # no -0


def _rounded(translation: np.ndarray) -> np.ndarray:
    largest = float(np.abs(translation).max())
    step = TRANSLATION_STEP * 2.0 ** math.frexp(largest)[1]
    return np.round(translation / step) * step + 0.0


def _camera_line(view: View) -> str:
    """Return a line of ``cameras.txt`` without the id."""
    camera = view.camera
    lens = colmap_lens(camera)
    if lens is None:
        raise UserError(
            f"COLMAP has no model for the lens of {view.name} ({camera.distortion_model}"
            f"{' with k4' if 'k4' in camera.distortion else ''}); {how_to_write(camera)}."
        )
    return f"{lens.model} {camera.width} {camera.height} {_numbers(lens.parameters)}"


def _point_lines(points: SparsePoints, world: np.ndarray) -> list[str]:
    positions = points.positions @ world[:3, :3].T + world[:3, 3]
    count = len(positions)
    colors = np.tile(UNKNOWN_COLOR, (count, 1)) if points.colors is None else points.colors
    errors = np.full(count, UNKNOWN_ERROR) if points.errors is None else points.errors
    return [
        f"{index} {_numbers(position)} {red} {green} {blue} {float(error)!r}"
        for index, (position, (red, green, blue), error) in enumerate(
            zip(positions, colors.tolist(), errors, strict=True), 1
        )
    ]


def _numbers(values: Iterable[float]) -> str:
    """Return numbers as text with enough digits to read the same float64 again."""
    return " ".join(repr(float(value)) for value in values)


def _write_lines(path: Path, header: str, lines: Sequence[str]) -> None:
    write_bytes(path, "".join(f"{line}\n" for line in [f"# {header}", *lines]).encode())
