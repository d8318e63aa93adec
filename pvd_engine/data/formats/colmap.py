"""COLMAP captures: a sparse model and the folder of its images.

COLMAP stores the rotation R (as a quaternion) and translation t from its world to a camera with
OpenCV axes, so the camera-to-world matrix with OpenGL axes is [Rᵀ diag(1, -1, -1) | -Rᵀ t]. Usually
y points down in its worlds; they are rotated by (x, y, z) -> (x, z, -y), as nerfstudio does, and
`Frame.applied_transform` keeps the rotation. COLMAP's pixel origin is the
image's corner, as it is here.
"""

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from ...errors import UserError
from ...files.images import SUFFIXES, read_header
from ...files.json_input import shortened, text_value
from ..capture import Camera, Capture, Frame, View
from ..geometry.intrinsics import (
    MAX_SIDE,
    coefficient,
    focal_length,
    principal_point,
    whole_sphere,
)
from ..geometry.lens_models import COEFFICIENTS
from ..geometry.point_bounds import find_box_with_points
from ..geometry.points import SparsePoints
from ..images.downscale import scaled_camera
from ..images.masks import mask_next_to_images
from ..notes import counted
from ..splits import every_eighth
from .camera_entries import (
    IMAGE_FOLDERS,
    MAX_ENTRIES,
    EntryReport,
    find_image,
    inside_path,
    shows_transparency,
    size_to_use,
    unique_names,
    view_name,
)
from .colmap_model import ColmapCamera, ColmapImage, ColmapModel, ColmapPoints, is_model, read_model

MODEL_FOLDERS = ("sparse/0", "sparse", "colmap/sparse/0", ".", "0")
"""Folders of a capture that may hold the model, in the order of search."""

APPLIED_TRANSFORM = np.array([[1.0, 0, 0, 0], [0, 0, 1, 0], [0, -1, 0, 0]])
"""Transform from COLMAP's world to the dataset frame, z up."""

_OPENCV_TO_OPENGL = np.diag([1.0, -1.0, -1.0])
_LENSES = {
    "SIMPLE_PINHOLE": "none",
    "PINHOLE": "none",
    "SIMPLE_RADIAL": "opencv",
    "RADIAL": "opencv",
    "OPENCV": "opencv",
    "OPENCV_FISHEYE": "opencv_fisheye",
    "FULL_OPENCV": "full_opencv",
    "FOV": "fov",
    "SIMPLE_RADIAL_FISHEYE": "opencv_fisheye",
    "RADIAL_FISHEYE": "opencv_fisheye",
    "THIN_PRISM_FISHEYE": "thin_prism_fisheye",
    "RAD_TAN_THIN_PRISM_FISHEYE": "rad_tan_thin_prism_fisheye",
    "SIMPLE_DIVISION": "division",
    "DIVISION": "division",
    "SIMPLE_FISHEYE": "opencv_fisheye",
    "FISHEYE": "opencv_fisheye",
    "EUCM": "eucm",
    "EQUIRECTANGULAR": "equirectangular",
}
_PINHOLES_WITHOUT_COEFFICIENTS = ("opencv", "full_opencv", "fov", "division")


def is_colmap(folder: Path) -> bool:
    """Return whether a folder holds a COLMAP model in one of `MODEL_FOLDERS`."""
    return any(is_model(folder / name) for name in MODEL_FOLDERS)


def read_colmap(folder: Path) -> Capture:
    """Read a COLMAP capture.

    Parameters
    ----------
    folder : Path
        The folder, with a model in one of `MODEL_FOLDERS` and images in one of `IMAGE_FOLDERS`.

    Returns
    -------
    Capture
        The capture, with views in the order of their names; every 8th is held out.

    Raises
    ------
    UserError
        There is no model or no folder of images, the model is damaged, none of its images exists,
        or a lens cannot be read.
    """
    model_folder = next((folder / n for n in MODEL_FOLDERS if is_model(folder / n)), None)
    if model_folder is None:
        raise UserError(f"{folder} holds no COLMAP model; put it into {folder / MODEL_FOLDERS[0]}.")
    image_folder = next((folder / n for n in IMAGE_FOLDERS if (folder / n).is_dir()), None)
    if image_folder is None:
        raise UserError(
            f"{folder} has a COLMAP model but no folder of images; put them into "
            f"{folder / IMAGE_FOLDERS[0]}."
        )
    model = read_model(model_folder)
    report = EntryReport()
    views = _views(model, model_folder, image_folder, report)
    if not views:
        raise UserError(
            f"None of the {report.listed} images of the model in {model_folder} exists in "
            f"{image_folder}"
            + (f" (the first is {report.missing[0]})" if report.missing else "")
            + "; put the images there."
        )
    splits, split_note = every_eighth([view.name for view in views])
    frame = Frame(applied_transform=APPLIED_TRANSFORM.copy())
    has_alpha = shows_transparency(report.transparent)
    points = _sparse_points(model.points)
    box, box_source = find_box_with_points(
        [view.camera for view in views],
        frame,
        has_alpha,
        np.empty((0, 3)) if points is None else points.positions,
        _known_tracks(model.points),
    )
    return Capture(
        name=folder.absolute().name,
        root=folder,
        format="colmap",
        views=tuple(replace(v, split=s) for v, s in zip(views, splits, strict=True)),
        box=box,
        box_source=box_source,
        frame=frame,
        has_alpha=has_alpha,
        notes=tuple([*report.notes(), *_notes(views, image_folder), split_note]),
        points=points,
    )


def _known_tracks(points: ColmapPoints | None) -> np.ndarray | None:
    """Return the number of images that show each point; None where the model does not state it."""
    if points is None or not points.track_lengths.any():
        return None
    return points.track_lengths


def camera_to_world(image: ColmapImage) -> np.ndarray:
    """Return the pose of an image in the dataset frame, (4, 4) float64 with OpenGL axes."""
    rotation = rotation_matrix(image.quaternion)
    turn = APPLIED_TRANSFORM[:, :3]
    matrix = np.eye(4)
    matrix[:3, :3] = turn @ rotation.T @ _OPENCV_TO_OPENGL
    matrix[:3, 3] = turn @ -(rotation.T @ image.translation)
    return matrix


def rotation_matrix(quaternion: np.ndarray) -> np.ndarray:
    """Return the rotation matrix (3, 3) of a unit quaternion w, x, y, z."""
    w, x, y, z = quaternion
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    )


def lens_camera(camera: ColmapCamera, where: str) -> Camera:
    """Return a camera with the intrinsics of a COLMAP camera, at the world's origin.

    Parameters
    ----------
    camera : ColmapCamera
    where : str
        File and camera in messages.

    Raises
    ------
    UserError
        A size, focal length, principal point or coefficient is not valid for a camera.
    """
    width, height, values = camera.width, camera.height, camera.parameters
    if not (1 <= width <= MAX_SIDE and 1 <= height <= MAX_SIDE):
        raise UserError(
            f"{where}: a size of {width} x {height} pixels is not valid; export the model again."
        )
    model = _LENSES[camera.model]
    distortion = {}
    for name in COEFFICIENTS[model]:
        value = coefficient(values.get(name, 0.0), name, where)
        if value != 0:
            distortion[name] = value
    if not distortion and model in _PINHOLES_WITHOUT_COEFFICIENTS:
        model = "none"
    if model == "equirectangular":
        fx, fy = whole_sphere(values["w"], values["h"])
        values = {"fx": fx, "fy": fy, "cx": values["w"] / 2, "cy": values["h"] / 2}
    shared = values.get("f")
    return Camera(
        camera_to_world=np.eye(4),
        width=width,
        height=height,
        fx=focal_length(values.get("fx", shared), "the focal length", width, where),
        fy=focal_length(values.get("fy", shared), "the focal length", height, where),
        cx=principal_point(values["cx"], "cx", width, where),
        cy=principal_point(values["cy"], "cy", height, where),
        distortion_model=model,
        distortion=distortion,
    )


def _views(
    model: ColmapModel, model_folder: Path, image_folder: Path, report: EntryReport
) -> list[View]:
    """Return the views in the order of the images' names, all with the split train."""
    where = f"the COLMAP model in {model_folder}"
    if len(model.images) > MAX_ENTRIES:
        raise UserError(
            f"{where} has {len(model.images)} images; at most {MAX_ENTRIES} can be read."
        )
    lenses = {
        identity: lens_camera(model.cameras[identity], f"{where}, camera {identity}")
        for identity in sorted({image.camera_id for image in model.images})
        if identity in model.cameras
    }
    views = []
    for image in sorted(model.images, key=lambda image: image.name):
        lens = lenses.get(image.camera_id)
        if lens is None:
            raise UserError(
                f"{where}: the image {shortened(image.name)} has the camera {image.camera_id}, "
                "which the model lacks; export the model again."
            )
        view = _view(image, lens, image_folder, where, report)
        if view is not None:
            views.append(view)
    return unique_names(views)


def _view(
    image: ColmapImage, lens: Camera, image_folder: Path, where: str, report: EntryReport
) -> View | None:
    """Return the view of an image, or None when its file does not exist."""
    report.listed += 1
    name = text_value(image.name, "the name of an image", where)
    relative = inside_path(name, image_folder, f"{where}, image {shortened(name)}")
    path = find_image(image_folder, relative)
    if path is None:
        report.missing.append(shortened(name))
        return None
    header = read_header(path)
    stated = lens.width, lens.height
    actual = size_to_use(header, stated)
    if actual != stated:
        report.resized[stated, actual] = report.resized.get((stated, actual), 0) + 1
    if header.has_alpha:
        report.transparent.append(path)
    camera = replace(scaled_camera(lens, *actual), camera_to_world=camera_to_world(image))
    mask_path = mask_next_to_images(image_folder.parent, relative)
    report.masked += mask_path is not None
    return View(view_name(relative), camera, "train", path, mask_path=mask_path)


def _sparse_points(points: ColmapPoints | None) -> SparsePoints | None:
    if points is None or len(points.positions) == 0:
        return None
    return SparsePoints(points.positions @ APPLIED_TRANSFORM[:, :3].T, points.colors, points.errors)


def _notes(views: Sequence[View], image_folder: Path) -> list[str]:
    notes = []
    posed = {view.image_path for view in views}
    unposed = sum(path not in posed for path in _image_paths(image_folder))
    if unposed:
        unseen = counted(unposed, "image, which was", "images, which were")
        notes.append(f"COLMAP found no pose for {unseen} left out.")
    if image_folder.name != IMAGE_FOLDERS[0]:
        notes.append(f"The images were read from {image_folder.name}.")
    return notes


def _image_paths(folder: Path) -> list[Path]:
    """Return all images below a folder; links to folders are not followed."""
    return [
        Path(parent) / name
        for parent, _, names in os.walk(folder)
        for name in names
        if name.lower().endswith(SUFFIXES)
    ]
