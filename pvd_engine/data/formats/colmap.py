"""COLMAP captures: a sparse model and the folder of its images.

COLMAP stores the rotation R (as a quaternion) and translation t from its world to a camera with
OpenCV axes, so the camera-to-world matrix with OpenGL axes is [Rᵀ diag(1, -1, -1) | -Rᵀ t]. Usually
y points down in its worlds; they are rotated by (x, y, z) -> (x, z, -y), as nerfstudio does, and
`Frame.applied_transform` keeps the rotation. COLMAP's pixel origin is the
image's corner, as it is here.
"""

import os
import re
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
from ..geometry.lens_models import COEFFICIENTS, COLMAP_LENSES, UNBENT
from ..geometry.point_bounds import find_box_with_points
from ..geometry.points import SparsePoints
from ..images.downscale import scaled_camera
from ..images.finder import PictureFinder
from ..images.masks import mask_next_to_images
from ..notes import counted
from ..splits import every_eighth, splits_by_files
from .camera_entries import (
    IMAGE_FOLDERS,
    MAX_ENTRIES,
    find_listed,
    shows_transparency,
    size_to_use,
    unique_names,
    view_name,
)
from .colmap_model import (
    ColmapCamera,
    ColmapImage,
    ColmapModel,
    ColmapPoints,
    image_count,
    is_model,
    read_model,
)
from .entry_report import EntryReport
from .keys import Keys

SPARSE_FOLDERS = ("sparse", "colmap/sparse", ".")
"""Folders of a capture that hold a model or folders of models, in the order of search; the last is
for models outside their capture."""

MODEL_NAMES = re.compile(r"\d+")
"""Names that COLMAP gives to the folders of models."""

COLMAP_IMAGE_FOLDERS = (*IMAGE_FOLDERS, "input")
"""Folders of images; ``input`` has those before undistortion in captures for Gaussian splats."""

BEFORE_UNDISTORTION = "distorted"
"""Folder of the model of these images, in such captures."""

MOST_PARENTS = 3
"""Folders around a model in which its images are looked for."""

APPLIED_TRANSFORM = np.array([[1.0, 0, 0, 0], [0, 0, 1, 0], [0, -1, 0, 0]])
"""Transform from COLMAP's world to the dataset frame, z up."""

KEYS = (
    Keys("used", ("cameras",), "`.bin` or `.txt`: model, size and parameters of the lenses"),
    Keys("used", ("images",), "pose, camera and name of each image"),
    Keys("used", ("points3D",), "position, colour, error and number of images of sparse points"),
    Keys("used", ("masks",), "`masks/NAME.png`, black where pixels of `images/NAME` do not count"),
    Keys(
        "used",
        ("train_list.txt", "test_list.txt", "val_list.txt", "validation_list.txt"),
        "nerfstudio's lists of images by split, in the capture's folder",
    ),
    Keys("used", ("test.txt",), "of Gaussian splats, with the model: the test images"),
    Keys("harmless", ("rigs", "frames"), "of COLMAP 3.12: `images` states each image's own pose"),
    Keys("harmless", ("features", "tracks"), "points of single images"),
    Keys("harmless", ("project.ini", "database.db", "stereo"), "how the model was made"),
)
"""Files of a model and around it."""

_OPENCV_TO_OPENGL = np.diag([1.0, -1.0, -1.0])


def is_colmap(folder: Path) -> bool:
    """Return whether a folder holds a COLMAP model, or is one."""
    return bool(find_models(folder))


def find_models(folder: Path) -> list[Path]:
    """Return the folders of the models of a capture: those of the first folder that has any."""
    for name in SPARSE_FOLDERS:
        outer = folder / name
        if name == "." and is_model(outer):
            return [outer]
        inner = [path for path in outer.glob("*") if MODEL_NAMES.fullmatch(path.name)]
        inner.sort(key=lambda path: (len(path.name), path.name))
        models = [path for path in (*inner, outer) if is_model(path)]
        if models:
            return models
    return []


def read_colmap(folder: Path, models: Sequence[Path] = ()) -> Capture:
    """Read a COLMAP capture.

    Parameters
    ----------
    folder : Path
        A capture with models in one of `SPARSE_FOLDERS`; or a model, whose images are in the
        nearest folder around it that has one of `COLMAP_IMAGE_FOLDERS`.
    models : sequence of Path, optional
        Folders of models, of which the largest is read; those of `find_models` by default.

    Returns
    -------
    Capture
        The capture, with views in the order of their names; every 8th is held out where no list of
        splits lies with it.

    Raises
    ------
    UserError
        There is no model or no folder of images, the model is damaged, none of its images exists,
        or a lens cannot be read.
    """
    models = models or find_models(folder)
    if not models:
        raise UserError(f"{folder} holds no COLMAP model; put it into {folder / 'sparse' / '0'}.")
    model_folder, model_notes = _largest(models)
    image_folder = _image_folder(model_folder, folder)
    folder = image_folder.parent
    model = read_model(model_folder)
    report = EntryReport()
    views = _views(model, model_folder, image_folder, report)
    if not views:
        raise report.without_views(f"the model in {model_folder}")
    posed = views
    views, split_notes = _with_splits(views, image_folder, model_folder)
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
        views=tuple(views),
        box=box,
        box_source=box_source,
        frame=frame,
        has_alpha=has_alpha,
        notes=tuple([*model_notes, *report.notes(), *_notes(posed, image_folder), *split_notes]),
        points=points,
    )


def read_colmap_file(file: Path) -> Capture:
    """Read the model that a file belongs to, whatever other models the capture has."""
    return read_colmap(file.parent, [file.parent])


def _largest(models: Sequence[Path]) -> tuple[Path, list[str]]:
    """Return the model with the most images, and the note about the others."""
    if len(models) == 1:
        return models[0], []
    counts = {path: image_count(path) for path in models}
    largest = max(models, key=lambda path: counts[path])
    others = ", ".join(f"{p.name} with {counts[p]}" for p in models if p != largest)
    note = (
        f"Of {len(models)} COLMAP models, {largest.name} with {counts[largest]} images was read, "
        f"the largest; the others are {others}."
    )
    return largest, [note]


def _image_folder(model: Path, given: Path) -> Path:
    """Return the folder of images in the nearest folder around a model that has one."""
    names = COLMAP_IMAGE_FOLDERS
    if BEFORE_UNDISTORTION in model.parts[-MOST_PARENTS:]:
        names = names[::-1]
    for folder in (model, *model.parents[:MOST_PARENTS]):
        for name in names:
            if (folder / name).is_dir():
                return folder / name
    for name in ("dense", "dense/0", "undistorted"):
        if (given / name / "images").is_dir():
            raise UserError(
                f"{given} has a COLMAP model but no folder of images; images lie in "
                f"{given / name}, so give that folder."
            )
    raise UserError(
        f"{given} has a COLMAP model but no folder of images; put them into "
        f"{given / IMAGE_FOLDERS[0]}."
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
    model = COLMAP_LENSES[camera.model]
    distortion = {}
    for name in COEFFICIENTS[model]:
        value = coefficient(values.get(name, 0.0), name, where)
        if value != 0:
            distortion[name] = value
    if not distortion and model in UNBENT:
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
    views, pictures = [], PictureFinder(image_folder)
    for image in sorted(model.images, key=lambda image: image.name):
        lens = lenses.get(image.camera_id)
        if lens is None:
            raise UserError(
                f"{where}: the image {shortened(image.name)} has the camera {image.camera_id}, "
                "which the model lacks; export the model again."
            )
        report.listed += 1
        try:
            view = _view(image, lens, pictures, where, report)
        except UserError as error:
            report.faults.append(str(error))
            continue
        if view is not None:
            views.append(view)
    return unique_names(views)


def _view(
    image: ColmapImage, lens: Camera, pictures: PictureFinder, where: str, report: EntryReport
) -> View | None:
    """Return the view of an image, or None when its file does not exist."""
    name = text_value(image.name, "the name of an image", where)
    relative = find_listed(pictures, name, report)
    if relative is None:
        return None
    path = pictures.folder / relative
    header = read_header(path)
    stated = lens.width, lens.height
    actual = size_to_use(header, stated, f"{where}, image {shortened(name)}")
    if actual != stated:
        report.resized[stated, actual] = report.resized.get((stated, actual), 0) + 1
    camera = replace(scaled_camera(lens, *actual), camera_to_world=camera_to_world(image))
    mask_path = mask_next_to_images(pictures.folder.parent, relative)
    report.masked += mask_path is not None
    view = View(view_name(relative), camera, "train", path, mask_path=mask_path)
    if header.has_alpha:
        report.transparent.append(view)
    return view


def _with_splits(
    views: list[View], image_folder: Path, model: Path
) -> tuple[list[View], list[str]]:
    """Return the views of a split, in it, and the notes about splits."""
    names = [view.name for view in views]
    listed = splits_by_files(names, image_folder.parent, model)
    splits, note = every_eighth(names) if listed is None else listed
    kept = [replace(v, split=s) for v, s in zip(views, splits, strict=True) if s is not None]
    notes, gone = [note], len(views) - len(kept)
    if gone:
        unlisted = counted(gone, "image is in no list and was", "images are in no list and were")
        notes.append(f"{unlisted} left out.")
    return kept, notes


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
